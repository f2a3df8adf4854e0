import Glibc
import QuashHTTP
import QuashJSON
import QuashJWT
import QuashLoop
import TestSupport
import Testing

/// Keys are replaced, and taken back, in a fleet of real processes.
@Suite("Key rotation from end to end") struct KeyRotationTests {
    /// The `kid` in the head of a token.
    private static func keyID(of token: String) throws -> String {
        let bytes = try #require(Base64URL.decode(String(token.prefix { $0 != "." })))
        return try #require(try JSONValue(parsing: bytes.span)["kid"]?.string)
    }

    /// Signs in and asks every validator about new tokens and about those of the last moments, until it is stopped.
    private final class Load: Sendable {
        let decisions = Recorder<(keyID: String, statuses: [Int])>()
        let failures = Recorder<String>()
        private let isStopped = Locked(false)

        func run(_ fleet: KeyFleet) {
            var recent: [(token: String, keyID: String)] = []
            while !isStopped.withLock({ $0 }) {
                do {
                    let token = try fleet.signIn("alice").access
                    recent.append((token, try KeyRotationTests.keyID(of: token)))
                    // The oldest is far from its expiry: eight sign-ins ago.
                    if recent.count > 8 { recent.removeFirst() }
                    for each in [recent[recent.count - 1], recent[0]] {
                        decisions.record((each.keyID, try fleet.decisions(each.token)))
                    }
                } catch {
                    failures.record("\(error)")
                }
            }
        }

        func stop() { isStopped.withLock { $0 = true } }
    }

    @Test func aKeyIsReplacedUnderLoadWithoutARefusedToken() throws {
        let fleet = try KeyFleet(validators: 3, accessTTL: "4s")
        let load = Load()
        // SAFETY of unsafe: the fleet's parts that the load uses are a client that is Sendable, and constants.
        nonisolated(unsafe) let shared = fleet
        let thread = TestThread { unsafe load.run(shared) }
        defer {
            load.stop()
            thread.join()
        }
        let old = try #require(try fleet.keyIDs.first)
        try load.decisions.wait(count: 20)
        let fetchesBefore = fleet.keys.fetches.all.count

        // Published: validators fetch it within a second, because the feed says so. By themselves they would in five
        // minutes.
        try fleet.run("keys", "rotate", "--publish-only")
        let new = try #require(try fleet.keyIDs.last)
        fleet.issuer.signal(SIGHUP)
        #expect(poll { fleet.allHave([old, new]) }, "\(fleet.validators[0].output)")
        // It signs.
        try fleet.run("keys", "rotate", "--kid", new)
        fleet.issuer.signal(SIGHUP)
        #expect(poll { load.decisions.all.last?.keyID == new })
        let last = try fleet.signIn("bob").access
        #expect(try Self.keyID(of: last) == new && fleet.decisions(last) == [204, 204, 204])
        // Retired, once the last token of the old one has expired: of those that were signed before, no validator
        // accepts one any more.
        let lateOld = load.decisions.all.last { $0.keyID == old }
        #expect(lateOld?.statuses == [204, 204, 204])
        #expect(try poll { try fleet.decisions(last) == [401, 401, 401] })
        try fleet.run("keys", "retire", "--kid", old)
        fleet.issuer.signal(SIGHUP)
        #expect(poll { fleet.allHave([new]) }, "\(fleet.validators[0].output)")
        let count = load.decisions.all.count
        try load.decisions.wait(count: count + 20)

        let refused = load.decisions.all.filter { $0.statuses != [204, 204, 204] }
        #expect(refused.isEmpty, "\(refused.count) of \(load.decisions.all.count): \(refused.prefix(3))")
        #expect(load.failures.all.isEmpty, "\(load.failures.all.prefix(3))")
        #expect(Set(load.decisions.all.map(\.keyID)) == [old, new])
        // Three changes, each fetched once by each validator; again where a token named a key before that was heard.
        #expect((9...12).contains(fleet.keys.fetches.all.count - fetchesBefore))
    }

    /// Tokens of a stranger who invents names of keys.
    private func strangers(_ count: Int) -> [String] {
        (0..<count).map { number in
            let head = "{\"alg\":\"RS256\",\"typ\":\"at+jwt\",\"kid\":\"stranger-\(number)\"}"
            let part = { (text: String) in Base64URL.encode(Array(text.utf8).span) }
            let signature = String(repeating: "A", count: 342)
            return "\(part(head)).\(part("{\"sub\":\"a\",\"iat\":1,\"exp\":9999999999,\"jti\":\"a\"}")).\(signature)"
        }
    }

    /// How often the keys were fetched, once what was fetched at the start, and because the issuer came up, is done.
    private func settledFetches(_ fleet: KeyFleet) -> Int {
        while true {
            let count = fleet.keys.fetches.all.count
            if !poll(within: .milliseconds(1500), { fleet.keys.fetches.all.count != count }) { return count }
        }
    }

    /// Whoever can write to Redis cannot make validators ask without end.
    @Test func aFloodOfNewsAboutKeysCostsAFetchASecond() throws {
        let fleet = try KeyFleet(validators: 1)
        let good = try fleet.signIn("alice").access
        let before = settledFetches(fleet)
        let start = ContinuousClock.now
        for _ in 0..<20 {
            _ = try fleet.redis.cli("EVAL", "for i = 1, 100 do redis.call('PUBLISH', '{quash}:feed', 'keys') end", "0")
            #expect(try fleet.decisions(good) == [204])
        }
        let after = settledFetches(fleet)
        let seconds = Int((ContinuousClock.now - start) / .seconds(1))
        #expect(after > before && after - before <= seconds + 1, "\(after - before) fetches in \(seconds) s")
        #expect(!fleet.validators[0].output.contains("something else is published"))
    }

    @Test func aFloodOfUnknownKeysCostsOneFetch() throws {
        let fleet = try KeyFleet(validators: 1)
        let good = try fleet.signIn("alice").access
        let before = settledFetches(fleet)
        let deadline = ContinuousClock.now + .seconds(15)
        var asked = 0
        while fleet.keys.fetches.all.count == before, ContinuousClock.now < deadline {
            for token in strangers(50) {
                #expect(try fleet.decisions(token) == [401])
                asked += 1
            }
            #expect(try fleet.decisions(good) == [204])
        }
        #expect(fleet.keys.fetches.all.count == before + 1, "after \(asked) tokens of unknown keys")
        // And none more, however many come right after it.
        for token in strangers(500) { #expect(try fleet.decisions(token) == [401]) }
        #expect(fleet.keys.fetches.all.count == before + 1)
    }

    /// A validator asks each second for as long as nobody answers, and says so once.
    @Test func keysThatCannotBeFetchedAreToldOnce() throws {
        let fleet = try KeyFleet(validators: 1)
        let good = try fleet.signIn("alice").access
        func told() -> Int { fleet.validators[0].output.ranges(of: "cannot load keys").count }
        // It may have been told before the issuer had started.
        let (before, toldBefore) = (fleet.keys.fetches.all.count, told())
        fleet.issuer.kill()
        fleet.validators[0].signal(SIGHUP)
        #expect(poll(within: .seconds(20)) { fleet.keys.fetches.all.count >= before + 4 })
        #expect(told() == toldBefore + 1)
        #expect(try fleet.decisions(good) == [204])
    }

    @Test func aStolenKeyIsTakenBackEverywhereAndThatIsConfirmed() throws {
        let fleet = try KeyFleet(validators: 3)
        let stolen = try #require(try fleet.keyIDs.first)
        let signed = try (0..<20).map { try fleet.signIn("user-\($0)") }
        try fleet.run("keys", "rotate", "--publish-only")
        let new = try #require(try fleet.keyIDs.last)
        fleet.issuer.signal(SIGHUP)
        #expect(poll { fleet.allHave([stolen, new]) })
        try fleet.run("keys", "rotate", "--kid", new)
        fleet.issuer.signal(SIGHUP)
        #expect(try poll { try Self.keyID(of: fleet.signIn("bob").access) == new })
        let good = try fleet.signIn("bob")
        for each in signed { #expect(try fleet.decisions(each.access) == [204, 204, 204]) }

        let receipt = try fleet.run("revoke", "--kid", stolen, "--wait")
        #expect(receipt.json?["status"]?.string == "confirmed", "\(receipt.output)")
        // Everything that it signed, at every validator, asked once.
        for each in signed { #expect(try fleet.decisions(each.access) == [401, 401, 401]) }
        for each in signed.prefix(3) {
            let answer = try fleet.post(
                "issuer", "/oauth2/token", body: "grant_type=refresh_token&refresh_token=\(each.refresh)",
                fields: ["Content-Type": "application/x-www-form-urlencoded"])
            #expect(answer.status.code == 400, "a refresh token of the stolen key")
        }
        #expect(try fleet.decisions(good.access) == [204, 204, 204])
    }
}
