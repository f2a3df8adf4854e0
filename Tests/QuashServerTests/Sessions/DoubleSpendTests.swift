import Quash
import QuashHTTP
import QuashJWT
import QuashLoop
import QuashRedis
import TestSupport
import Testing

@testable import QuashServer

/// A refresh token that is spent twice: one wins, the family is dead. Whatever the concurrency.
@Suite struct DoubleSpendTests {
    /// Through the token endpoint: of any number of concurrent uses one succeeds, and then nothing of the session is
    /// good.
    @Test func ofConcurrentUsesOneWinsAndTheSessionEndsEverywhere() throws {
        let fleet = try Fleet(validators: 2, issuerSettings: ["--rotation-grace", "0s"])
        try fleet.waitUntilReady()
        let (sessions, uses) = (50, 4)
        let pairs = try (0..<sessions).map { try fleet.signIn("user-\($0)") }
        let witness = try fleet.signIn("witness")
        let tokens = pairs.flatMap { Array(repeating: $0.refresh, count: uses) }
        let answers = try fleet.web.all(fleet.refreshRequests(tokens))

        for (number, pair) in pairs.enumerated() {
            let own = answers[number * uses..<(number + 1) * uses]
            let winners = own.filter { $0.status == .ok }
            #expect(winners.count == 1)
            #expect(own.count(where: \.isInvalidGrant) == uses - 1)
            guard let winner = winners.first else { continue }
            // The winner may be the thief: what it got is dead too, and so is what the session had before.
            let successor = try Fleet.tokens(winner)
            #expect(try fleet.refresh(successor.refresh).isInvalidGrant)
            #expect(try fleet.allAnswer(401, for: successor.access))
            #expect(try fleet.allAnswer(401, for: pair.access))
        }
        #expect(try fleet.statuses(of: witness.access) == [204, 204])
        #expect(try fleet.refresh(witness.refresh).status == .ok)
    }

    /// The same in the store, ten thousand times, by two issuers at once.
    @Test func tenThousandDoubleSpendsByTwoIssuersHaveOneWinnerEach() throws {
        let redis = try RedisServer.start()
        let callers = [try RedisCaller(redis), try RedisCaller(redis)]
        let (rounds, sessionsPerRound) = (50, 200)
        for round in 0..<rounds {
            let tokens = try Self.signIn(sessionsPerRound, callers[0])
            let outcomes = Recorder<(session: Int, Outcome)>()
            // From opposite ends, so that both are first for some of them.
            for (number, caller) in callers.enumerated() {
                let order = number == 0 ? Array(tokens.indices) : tokens.indices.reversed()
                Self.spend(tokens, order, caller, outcomes)
            }
            let all = try outcomes.wait(count: 2 * sessionsPerRound, within: .seconds(30))
            var bySession: [Int: [Outcome]] = [:]
            for (session, outcome) in all { bySession[session, default: []].append(outcome) }
            for session in tokens.indices {
                let both = bySession[session] ?? []
                let isRight = both.count == 2 && both.contains(.rotated) && both.contains(.reused)
                #expect(isRight, "round \(round), session \(session): \(both)")
            }
            // Whatever comes later finds the session ended.
            let later = Recorder<(session: Int, Outcome)>()
            Self.spend(tokens, Array(tokens.indices), callers[0], later)
            #expect(try later.wait(count: sessionsPerRound).allSatisfy { $0.1 == .ended })
        }
    }

    private enum Outcome: Sendable {
        case rotated, replayed, reused, ended, unknown, failed

        init(_ result: Result<SessionStore.Rotation, any Error>) {
            switch result {
            case .success(.rotated): self = .rotated
            case .success(.replayed): self = .replayed
            case .success(.reused): self = .reused
            case .success(.ended): self = .ended
            case .success(.unknown): self = .unknown
            case .failure: self = .failed
            }
        }
    }

    private static func store(_ client: RedisClient) -> SessionStore {
        SessionStore(client: client, tombstone: .seconds(960))
    }

    private static let lifetimes = SessionRecord.Lifetimes(access: .seconds(900), refresh: .seconds(3600))

    /// The current refresh tokens of new sessions.
    private static func signIn(_ count: Int, _ caller: RedisCaller) throws -> [TokenID] {
        let now = ClockReading.now().wall
        let tokens = (0..<count).map { _ in TokenID(session: .random(), issuedAtMilliseconds: now.milliseconds) }
        let created = Recorder<Bool>()
        caller.run { client in
            for (number, token) in tokens.enumerated() {
                let record = SessionRecord(
                    subject: "user-\(number)", client: nil, scope: nil, audience: [], created: now,
                    lifetimes: lifetimes, keyID: "key")
                store(client).create(token.session, record, refresh: token, expires: now + .seconds(3600)) { result in
                    created.record((try? result.get()) != nil)
                }
            }
        }
        guard try created.wait(count: count).allSatisfy({ $0 }) else { throw TestSupportError("not created") }
        return tokens
    }

    private static func spend(
        _ tokens: [TokenID], _ order: [Int], _ caller: RedisCaller, _ outcomes: Recorder<(session: Int, Outcome)>
    ) {
        let now = ClockReading.now().wall
        caller.run { client in
            for session in order {
                let next = TokenID(session: tokens[session].session, issuedAtMilliseconds: now.milliseconds)
                store(client).rotate(
                    tokens[session], to: next, keyID: "key", now: now, grace: .zero, lifetimes: lifetimes
                ) { outcomes.record((session, Outcome($0))) }
            }
        }
    }
}
