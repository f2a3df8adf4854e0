import TestSupport
import Testing

/// The figures that `docker/gateways/README.md` quotes, measured by `scripts/gateways figures`. What must hold is
/// expected; how fast it is, is only said.
@Suite("Figures of gateways", .enabled(if: Environment.revocations != nil), .serialized)
struct GatewayFigureTests {
    private func row(_ cells: [String]) { print("| \(cells.joined(separator: " | ")) |") }

    @Test func revocationsUntilRefused() throws {
        let count = Environment.revocations ?? 0
        print("\nFrom before a revocation is sent to the issuer until the first 401 of the gateway, of \(count):\n")
        row(["gateway", "version", "p50", "p99", "max"])
        row(["---", "---", "---", "---", "---"])
        for kind in Environment.kinds {
            let site = try DecisionTests.Site(kind)
            _ = try site.waitUntilServing()
            var measured: [Duration] = []
            for number in 0..<count {
                let session = try site.fleet.signIn("subject-\(number)")
                #expect(try site.gateway.status(session.access) == 200)
                let begun = ContinuousClock.now
                try site.fleet.revoke(session)
                while try site.gateway.status(session.access) != 401 {
                    try #require(ContinuousClock.now - begun < .seconds(10), "the revocation does not arrive")
                }
                measured.append(ContinuousClock.now - begun)
            }
            measured.sort()
            let figures = [measured.count / 2, measured.count * 99 / 100, measured.count - 1].map { index in
                milliseconds(measured[index])
            }
            row([kind.rawValue, try kind.version] + figures)
        }
    }

    private func milliseconds(_ duration: Duration) -> String {
        let tenths = Int(duration / .microseconds(100) + 0.5)
        return "\(tenths / 10).\(tenths % 10) ms"
    }

    @Test func spellingsByGateway() throws {
        let matrices = try Environment.kinds.map { kind in
            let site = try DecisionTests.Site(kind)
            return try SpoofMatrix(site, of: try site.waitUntilServing())
        }
        print("\nSpellings of an identity that reached the application, of each two tries, with a token and without:\n")
        row(["spelling"] + matrices.map(\.kind.rawValue))
        row(["---"] + matrices.map { _ in "---" })
        for (number, spelling) in Spelling.all.enumerated() {
            row(
                [spelling.name]
                    + matrices.map { matrix in
                        switch matrix.outcomes[number].outcome {
                        case .stopped: "0"
                        case .inTrailer: "0, but in the trailer"
                        case .reached: "1"
                        }
                    })
        }
        row(["of \(Spelling.all.count)"] + matrices.map { "\($0.reached.count)" })
        for matrix in matrices { #expect(matrix.reached == []) }
    }

    @Test func rollingRestarts() throws {
        print("\nThree validators restarted one after the other, three times, under load of four clients:\n")
        row(["gateway", "requests", "not 200, TCP", "requests", "not 200, unix sockets"])
        row(["---", "---", "---", "---", "---"])
        for kind in Environment.kinds {
            let outcomes = try [false, true].map { try RollingRestartTests.run(kind, rounds: 3, isUnix: $0) }
            row(
                [kind.rawValue]
                    + outcomes.flatMap { ["\($0.total)", "\($0.total - $0.statuses[200, default: 0])"] })
            for outcome in outcomes { #expect(outcome.statuses.keys.sorted() == [200], "\(kind): \(outcome.statuses)") }
        }
    }
}
