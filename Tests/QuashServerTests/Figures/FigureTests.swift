import Glibc
import Quash
import QuashHTTP
import QuashJSON
import QuashJWT
import TestSupport
import Testing

@testable import QuashServer

/// The figures that the documentation quotes, measured by `scripts/figures`: it takes too long for every run of the
/// suite, and says what it found. What must hold is expected; how fast it is, is only said.
@Suite(.serialized, .enabled(if: Figures.seconds != nil))
struct FigureTests {
    private func row(_ what: String, _ figure: String) { print("| \(what) | \(figure) |") }

    /// A fleet that has been able to confirm before.
    private func fleet(_ validators: Int, _ settings: [String] = [], user: String? = nil, users: [String] = []) throws
        -> Fleet
    {
        var redis = Fleet.durableRedis
        redis.users = users
        let fleet = try Fleet(validators: validators, redis: redis, settings: settings, validatorUser: user)
        try fleet.waitUntilReady()
        #expect(try fleet.revoke("{\"jti\":\"x\",\"wait\":\"confirmed\",\"timeout\":\"60s\"}").status == .created)
        return fleet
    }

    @Test func confirmationAgainstTenRoundTrips() throws {
        let fleet = try fleet(3)
        let wire = try RedisWire(fleet.redis)
        var confirmed = Durations()
        var stored = Durations()
        var raw = Durations()
        for number in 0..<1000 {
            try confirmed.measure {
                let answer = try fleet.revoke("{\"jti\":\"a-\(number)\",\"wait\":\"confirmed\"}")
                #expect(answer.status == .created)
            }
            try stored.measure {
                let answer = try fleet.revoke("{\"jti\":\"b-\(number)\"}")
                #expect(answer.status == .created)
            }
            try raw.measure { for _ in 0..<10 { _ = try wire.call("PING") } }
        }
        row("ten PINGs at Redis, one after the other: p50, p99", raw.text)
        row("a revocation, stored, over HTTP: p50, p99", stored.text)
        row("a revocation, confirmed by 3 validators and the issuer, over HTTP: p50, p99", confirmed.text)
        row("p99 confirmed ÷ p99 of ten round trips", Figures.quotient(confirmed.quantile(0.99), raw.quantile(0.99)))
    }

    @Test func oneSynchronisationServesMany() throws {
        let folder = try TemporaryFolder()
        let outbox = try Outbox(path: folder.path("outbox"), issuer: "a", log: Fleet.silent)
        defer { outbox.close() }
        let expiry = expiryInOnePeriod()
        func rate(inFlight: Int, count: Int) throws -> Double {
            let done = Recorder<Bool>()
            let begun = ContinuousClock.now
            for number in 0..<count {
                outbox.append([.token(number, expiresAtSeconds: expiry)]) { done.record($0 != nil) }
                if number >= inFlight { try done.wait(count: number - inFlight + 1) }
            }
            #expect(try done.wait(count: count).allSatisfy { $0 })
            return Double(count) / ((ContinuousClock.now - begun) / .seconds(1))
        }
        let one = try rate(inFlight: 0, count: 500)
        let many = try rate(inFlight: 256, count: 20_000)
        row("revocations made durable a second: one at a time, 256 in flight", "\(Int(one)), \(Int(many))")
    }

    /// Nobody hears the channel: revocations come by renewal alone.
    @Test func S6_stalenessWithoutMessages() throws {
        let fleet = try fleet(3, user: "deaf:secret", users: ["user deaf on >secret ~* resetchannels +@all"])
        let end = ContinuousClock.now + .seconds(Figures.seconds ?? 0)
        var staleness = Durations()
        var late = 0
        while ContinuousClock.now < end {
            let pair = try fleet.signIn()
            #expect(try fleet.allAnswer(204, for: pair.access))
            #expect(try fleet.logout(pair.access).status == .ok)
            let stored = ContinuousClock.now
            var lastAccept = stored
            while ContinuousClock.now < stored + .seconds(6) {
                let asked = ContinuousClock.now
                let statuses = try fleet.statuses(of: pair.access)
                if statuses.contains(204) { lastAccept = asked }
                if statuses.allSatisfy({ $0 == 401 }) { break }
            }
            if lastAccept - stored > .milliseconds(5100) { late += 1 }
            staleness.add(lastAccept - stored)
        }
        #expect(late == 0)
        row(
            "last accept after a logout without pub/sub, \(staleness.count) logouts: p50, p99, greatest (s)",
            staleness.seconds)
    }

    /// The lease ends while decisions are made.
    @Test func S0_acceptsAfterTheEndOfTheLease() throws {
        let fleet = try Fleet(validators: 0)
        try fleet.waitUntilReady()
        let token = Array(try fleet.signIn().access.utf8)
        let (index, lease) = (RevocationIndex(), Lease())
        let keys = try fleet.keySet()
        let validator = try Validator(
            keys: keys, policy: TokenPolicy(), clockSkew: .zero, index: index, lease: lease)
        var (late, within) = (0, 0)
        for _ in 0..<10_000 {
            let sent = ClockReading.now()
            let grant = LeaseGrant(sent: sent, length: .microseconds(1500))
            lease.extend(grant)
            while ClockReading.now().boot < grant.end + .milliseconds(1) {
                if case .accepted = validator.validate(token.span) { within += 1 }
            }
            if case .accepted = validator.validate(token.span) { late += 1 }
        }
        #expect(late == 0)
        #expect(within > 10_000, "nothing was accepted within a lease either")
        row("accepts later than 1 ms after the end of a lease, in 10,000 trials", "\(late)")
    }

    @Test func aRestartOfRedisWithinTheLeaseRefusesNobody() throws {
        let fleet = try fleet(3)
        let pair = try fleet.signIn()
        var (asked, refused) = (0, 0)
        var outages = Durations()
        for _ in 0..<10 {
            let killed = ContinuousClock.now
            fleet.redis.kill9()
            // As long as a lease and a renewal allow, but for the restart itself.
            while ContinuousClock.now < killed + .seconds(3) {
                for status in try fleet.statuses(of: pair.access) {
                    asked += 1
                    if status != 204 { refused += 1 }
                }
            }
            try fleet.redis.restart()
            outages.add(ContinuousClock.now - killed)
            let settled = ContinuousClock.now + .seconds(2)
            while ContinuousClock.now < settled {
                for status in try fleet.statuses(of: pair.access) {
                    asked += 1
                    if status != 204 { refused += 1 }
                }
            }
        }
        #expect(refused == 0)
        row(
            "valid tokens refused in 10 restarts of Redis, each an outage of \(outages.seconds) s (p50, p99, greatest)",
            "\(refused) of \(asked)")
    }

    @Test func theTotalLossOfTheData() throws {
        let fleet = try fleet(1)
        let count = 10_000
        let identifiers = (0..<count).map { _ in "\(TokenID(session: .random(), issuedAtMilliseconds: 1))" }
        for start in stride(from: 0, to: count, by: 1000) {
            let list = identifiers[start..<start + 1000].map { "\"\($0)\"" }.joined(separator: ",")
            #expect(try fleet.revoke("{\"jti\":[\(list)]}").status == .created)
        }
        let pair = try fleet.signIn()
        #expect(try fleet.logout(pair.access).status == .ok)
        fleet.redis.kill9()
        let started = ContinuousClock.now
        try fleet.redis.restart(withoutData: true)
        try fleet.addValidator()
        #expect(poll(within: .seconds(30)) { fleet.validators[1].isReady })
        let back = ContinuousClock.now - started
        #expect(back < .seconds(5))
        #expect(try fleet.statuses(of: pair.access) == [401, 401])
        let entries = try #require(try fleet.metric("quash_index_entries{kind=\"jti\"}", at: 1))
        #expect(entries >= count)
        row(
            "a Redis that lost \(count) revocations: restored, and a new validator ready, after",
            Figures.milliseconds(back))
    }

    /// The epoch does not wait for the ends of sessions; refresh tokens do.
    @Test func aMillionEndsOfSessions() throws {
        let fleet = try fleet(1)
        let refresh = try fleet.signIn().refresh
        fleet.removeIssuer()
        let outbox = try Outbox(path: fleet.folder.path("outbox-issuer"), issuer: "issuer", log: Fleet.silent)
        let until = UInt32(ClockReading.now().wall.seconds) + 86_400
        let written = Recorder<UInt64?>()
        for _ in 0..<1000 {
            let ends = (0..<1000).map { _ in SessionEnd(session: .session(.random()), untilSeconds: until) }
            outbox.append([], ends: ends) { written.record($0) }
        }
        #expect(try written.wait(count: 1000, within: .seconds(60)).allSatisfy { $0 != nil })
        outbox.close()
        try fleet.redis.cli("DEL", "{quash}:epoch")
        let started = ContinuousClock.now
        try fleet.addIssuer("issuer")
        #expect(poll(within: .seconds(60)) { fleet.validators[0].isReady })
        let served = ContinuousClock.now - started
        #expect(try poll(within: .seconds(300)) { try fleet.refresh(refresh).status == .ok })
        let refreshed = ContinuousClock.now - started
        row(
            "a million ends of sessions: validators serve, and refresh tokens are taken, after",
            "\(Figures.milliseconds(served)), \(Figures.milliseconds(refreshed))")
    }
}

enum Figures {
    /// How long the measurement of staleness takes; nil where no figures are asked for.
    static var seconds: Int? {
        guard let text = unsafe getenv("QUASH_FIGURES") else { return nil }
        return unsafe Int(String(cString: text))
    }

    static func milliseconds(_ duration: Duration) -> String { "\(hundredths(duration / .milliseconds(1))) ms" }

    static func quotient(_ part: Duration, _ whole: Duration) -> String { hundredths(part / whole) }

    static func hundredths(_ number: Double) -> String {
        let hundredths = Int((number * 100).rounded())
        return "\(hundredths / 100).\(hundredths % 100 < 10 ? "0" : "")\(hundredths % 100)"
    }
}

/// Times of one thing.
struct Durations {
    private var all: [Duration] = []

    var count: Int { all.count }

    mutating func add(_ duration: Duration) { all.append(duration) }

    mutating func measure(_ body: () throws -> Void) rethrows {
        let begun = ContinuousClock.now
        try body()
        add(ContinuousClock.now - begun)
    }

    func quantile(_ part: Double) -> Duration {
        all.sorted()[min(all.count - 1, Int(Double(all.count) * part))]
    }

    var text: String { "\(Figures.milliseconds(quantile(0.5))), \(Figures.milliseconds(quantile(0.99)))" }

    var seconds: String {
        [0.5, 0.99, 1].map { Figures.hundredths(quantile($0) / .seconds(1)) }.joined(separator: ", ")
    }
}
