import Glibc
import QuashJSON
import QuashLoop
import QuashServer
import TestSupport
import Testing

@testable import QuashCLI

/// How a round of the canary is judged, in a time that the test chooses: a question is answered a millisecond after it
/// was sent.
@Suite("Rounds of the canary") struct CanaryRoundTests {
    private var round = CanaryRound(deadline: .seconds(6))

    private static func at(_ milliseconds: UInt64) -> LoopInstant {
        LoopInstant(nanoseconds: (1000 + milliseconds) * 1_000_000)
    }

    private mutating func probe(_ answer: CanaryRound.Answer, _ sent: UInt64) -> CanaryRound.Action {
        round.probed(answer, sent: Self.at(sent), now: Self.at(sent + 1))
    }

    /// Signs in and passes; the request to revoke is sent at 0.
    private mutating func begin() {
        #expect(round.signedIn() == .probe)
        for _ in 1..<CanaryLimits.acceptancesBefore {
            #expect(round.probed(.accepted, sent: Self.at(0), now: Self.at(0)) == .probe)
        }
        #expect(round.probed(.accepted, sent: Self.at(0), now: Self.at(0)) == .revokeAndProbe)
    }

    /// Refuses until the round ends.
    private mutating func settle(from sent: UInt64) throws -> CanaryFinding {
        for number in 1..<CanaryLimits.refusalsAfter { #expect(probe(.refused, sent + UInt64(number)) == .probe) }
        return try finding(probe(.refused, sent + 10))
    }

    private func finding(_ action: CanaryRound.Action) throws -> CanaryFinding {
        guard case .end(let finding) = action else { throw TestSupportError("\(action) is no end") }
        return finding
    }

    @Test func refusedAndForGoodIsOk() throws {
        var test = self
        test.begin()
        #expect(test.probe(.accepted, 2) == .probe)
        #expect(test.probe(.refused, 4) == .probe)
        #expect(test.round.revoked(isConfirmed: true, now: Self.at(9)) == .none)
        let finding = try test.settle(from: 20)
        #expect(
            finding
                == CanaryFinding(
                    result: .ok, refusedAfter: .milliseconds(5), acceptedFor: .milliseconds(2), isConfirmed: true,
                    outcome: .done))
    }

    @Test func aCacheIsAskedMoreThanOnceBeforeTheRevocation() { #expect(CanaryLimits.acceptancesBefore >= 2) }

    /// What was asked before the confirmation may be answered after it.
    @Test func onlyWhatWasAskedAfterTheConfirmationIsLate() throws {
        for (sent, result) in [(UInt64(8), CanaryFinding.Result.ok), (9, .acceptedLate)] {
            var test = self
            test.begin()
            _ = test.round.revoked(isConfirmed: true, now: Self.at(9))
            #expect(test.probe(.accepted, sent) == .probe)
            let finding = try test.settle(from: 4000)
            #expect(finding.result == result)
            #expect(finding.acceptedFor == .milliseconds(Int64(sent)))
            #expect(finding.refusedAfter == .milliseconds(4002))
            #expect(finding.outcome == (result == .ok ? .done : .unconfirmed))
        }
    }

    @Test func unconfirmedItMayBeAcceptedUntilTheDeadline() throws {
        for (sent, result) in [(UInt64(5999), CanaryFinding.Result.ok), (6000, .acceptedLate)] {
            var test = self
            test.begin()
            _ = test.round.revoked(isConfirmed: false, now: Self.at(9))
            let action = test.probe(.accepted, sent)
            let finding = try result == .ok ? test.settle(from: 6000) : test.finding(action)
            #expect(finding.result == result)
            #expect(!finding.isConfirmed)
        }
    }

    /// One validator has heard of the revocation, and another has not yet: no alarm, and no refusal that lasted.
    @Test func aRefusalByOneIsNoneByAll() throws {
        for (accepted, result) in [(UInt64(8), CanaryFinding.Result.ok), (9, .acceptedLate)] {
            var test = self
            test.begin()
            _ = test.probe(.refused, 1)
            _ = test.round.revoked(isConfirmed: true, now: Self.at(9))
            _ = test.probe(.accepted, accepted)
            let finding = try test.settle(from: 20)
            #expect(finding.result == result)
            #expect(finding.refusedAfter == .milliseconds(22))
            #expect(finding.acceptedFor == .milliseconds(Int64(accepted)))
        }
    }

    /// What is measured is not the pauses of the measurement.
    @Test func pausesAreShortWhileARefusalIsExpected() {
        var test = self
        #expect(test.round.pause(now: Self.at(0)) == CanaryLimits.longPause)
        test.begin()
        #expect(test.round.pause(now: Self.at(999)) == CanaryLimits.shortPause)
        #expect(test.round.pause(now: Self.at(1000)) == CanaryLimits.longPause)
        _ = test.probe(.refused, 2)
        #expect(test.round.pause(now: Self.at(3)) == CanaryLimits.longPause)
    }

    /// Refusals are counted once the issuer has answered, however late that is.
    @Test func itGoesOnUntilTheIssuerHasAnswered() throws {
        var test = self
        test.begin()
        for sent in 0..<20 { #expect(test.probe(.refused, UInt64(sent) * 500) == .probe) }
        _ = test.round.revoked(isConfirmed: false, now: Self.at(10_000))
        #expect(try test.settle(from: 10_000).result == .ok)
    }

    @Test func whatIsNeitherIsNoFinding() throws {
        var early = self
        _ = early.round.signedIn()
        let failed = try finding(early.probe(.undecided("503"), 0))
        #expect(failed.result == .failed && failed.detail == "503" && failed.outcome == .unreachable)
        var refused = self
        _ = refused.round.signedIn()
        #expect(try finding(refused.probe(.refused, 0)).result == .refusedEarly)
        var late = self
        late.begin()
        _ = late.round.revoked(isConfirmed: true, now: Self.at(1))
        #expect(late.probe(.undecided("502"), 5000) == .probe)
        #expect(try finding(late.probe(.undecided("502"), 6000)).result == .failed)
        var issuer = self
        issuer.begin()
        #expect(try finding(issuer.round.issuerFailed("gone", .refused)).outcome == .refused)
        #expect(issuer.probe(.accepted, 1) == .none)
    }
}

@Suite("The command canary") struct CanaryCommandTests {
    private static let answers = [
        "POST /admin/v1/sessions": (
            200, #"{"session":"s1","access_token":"\#(String(repeating: "secret", count: 9))"}"#
        ),
        "POST /admin/v1/revocations": (201, #"{"status":"confirmed"}"#),
    ]

    /// Nobody listens at port 1. The session does not stay behind, and what it let in is shown to nobody.
    @Test func withoutAGatewayItEndsWithFive() throws {
        let issuer = try ScriptedServer(Self.answers)
        let result = try QuashProgram()(
            "canary", "--gateway", "http://127.0.0.1:1/", "--count", "2", "--interval", "100ms", "-o", "json",
            "--server", issuer.url)
        #expect(result.exit == .code(5))
        let lines = result.output.split(separator: "\n")
        #expect(lines.count == 2 && lines.allSatisfy { $0.contains(#""result":"failed""#) }, "\(result.output)")
        #expect(result.problems == ["2 of 2 rounds could not be carried through"])
        #expect(issuer.requests.all.map(\.line).count { $0 == "POST /admin/v1/revocations" } == 2)
        #expect(!result.output.contains("secret") && !result.errors.contains("secret"))
    }

    /// A gateway that accepts whatever was revoked.
    @Test func aGatewayThatNeverRefusesIsFound() throws {
        let issuer = try ScriptedServer(Self.answers)
        let gateway = try ScriptedServer(["GET /": (200, "")])
        let result = try QuashProgram()(
            "canary", "--gateway", gateway.url, "--count", "1", "--deadline", "200ms", "--server", issuer.url)
        #expect(result.exit == .code(3))
        #expect(result.output.contains("accepted_late, accepted for"), "\(result.output)")
    }

    @Test(arguments: [
        [], ["--gateway", "gateway:80"], ["--gateway", "http://a/", "--count", "-1"],
        ["--gateway", "http://a/", "--interval", "0s"], ["--gateway", "http://a/", "--deadline", "61s"],
        ["--gateway", "http://a/x", "--gateway", "http://a/y"],
        ["--gateway", "http://a/", "--metrics-listen", "nowhere"],
    ])
    func whatMakesNoSenseIsRefused(arguments: [String]) throws {
        #expect(try QuashProgram()(["canary"] + arguments).exit == .code(2))
    }

    @Test func itEndsBySignalAndTakesItsSessionBack() throws {
        let issuer = try ScriptedServer(Self.answers)
        let gateway = try ScriptedServer(["GET /": (200, "")])
        let child = try ChildProcess([
            QuashProgram.path, "canary", "--gateway", gateway.url, "--deadline", "60s", "--server", issuer.url,
        ])
        #expect(poll(within: .seconds(20)) { gateway.requests.all.count > 2 * CanaryLimits.acceptancesBefore })
        child.signal(SIGTERM)
        #expect(try child.waitForExit() == .code(0))
        #expect(issuer.requests.all.last?.line == "POST /admin/v1/revocations")
    }

    /// The page has what the documentation names, and every series is there from the start.
    @Test func itsMetricsAreThoseThatAreDocumented() throws {
        let metrics = CanaryMetrics()
        _ = metrics.cells(of: "gateway:80")
        let page = String(decoding: metrics.page.render(), as: UTF8.self)
        let document = String(
            decoding: try Repository.read("Sources/QuashServer/QuashServer.docc/Metrics.md"), as: UTF8.self)
        let rows = document.split(separator: "\n").filter { $0.hasPrefix("| `") && $0.contains("| canary |") }
        let documented = rows.map { row in
            let cells = row.split(separator: "|").map { $0.filter { $0 != " " && $0 != "`" } }
            return "# TYPE \(cells[0]) \(cells[1])"
        }
        let types = page.split(separator: "\n").filter { $0.hasPrefix("# TYPE") }.map(String.init)
        #expect(types.count == 3 && Set(types) == Set(documented))
        for result in CanaryFinding.Result.allCases {
            #expect(
                page.contains(#"quash_canary_rounds_total{gateway="gateway:80",result="\#(result.rawValue)"} 0"#))
        }
    }
}
