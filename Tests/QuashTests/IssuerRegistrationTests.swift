import Testing

@testable import Quash

/// An issuer is its outbox and its start, not its name: whatever is copied, lost or configured twice, the recovery of
/// the feed does not take one issuer for another.
@Suite struct IssuerRegistrationTests {
    private static func nonce(_ digit: Int) -> Nonce { Nonce("000000000000000\(digit)")! }
    private let own = nonce(1)
    private let other = nonce(2)

    private func now(_ milliseconds: Int64) -> BootInstant { ClockReading.at(milliseconds).boot }

    private func registration(
        _ bindings: [Nonce: String] = [:], hasLostRecords: Bool = false
    ) -> IssuerRegistration {
        IssuerRegistration(
            identity: IssuerIdentity(name: "a", outbox: own, start: Self.nonce(8), earlierStarts: [Self.nonce(7)]),
            bindings: bindings, hasLostRecords: hasLostRecords, settling: .seconds(10))
    }

    private func registered(_ bindings: [Nonce: String] = [:]) -> IssuerRegistration {
        var machine = registration(bindings)
        #expect(machine.connected(now: now(0)) == [.register(replacing: nil)])
        #expect(machine.answered(.registered(.newest), now: now(1)) == [.registered])
        return machine
    }

    @Test func itRegistersOnEachConnection() {
        var machine = registered()
        machine.disconnected()
        #expect(machine.answered(.registered(.newest), now: now(2)) == [], "of the connection before")
        #expect(machine.connected(now: now(3)) == [.register(replacing: nil)])
        #expect(machine.failed(now: now(4)) == [.wake(at: now(1004))])
        #expect(machine.deadlineReached(now: now(1004)) == [.register(replacing: nil)])
    }

    /// What it learned stays true when Redis has lost it.
    @Test func S2_aNameThatIsTakenIsNotClaimedWhenRedisHasForgottenWhoHasIt() {
        var machine = registration()
        _ = machine.connected(now: now(0))
        let problem = IssuerRegistration.Problem.taken(other)
        #expect(
            machine.answered(.taken(other), now: now(1))
                == [.bind(other, name: "a"), .refused(problem), .wake(at: now(1001))])
        #expect(machine.problem == problem)
        #expect(machine.deadlineReached(now: now(1001)) == [.wake(at: now(2001))], "Redis is not asked")
        machine.disconnected()
        #expect(machine.connected(now: now(3000)) == [.wake(at: now(4000))])
        // Nor by a later start.
        var next = registration([other: "a"])
        #expect(next.connected(now: now(0)) == [.refused(problem), .wake(at: now(1000))])
    }

    @Test func anOperatorReplacesABinding() {
        var machine = registration([other: "a"])
        _ = machine.connected(now: now(0))
        #expect(machine.replace(other, now: now(1)) == [.register(replacing: other)])
        #expect(machine.answered(.registered(.newest), now: now(2)) == [.bind(other, name: nil), .registered])
        #expect(machine.problem == nil)
        #expect(machine.replace(other, now: now(3)) == [], "nothing is to be replaced")
        machine.disconnected()
        #expect(machine.connected(now: now(4)) == [.register(replacing: nil)], "said once, it counts once")
    }

    @Test func S2_aCopyIsRefusedUntilAnOperatorSaysOtherwise() {
        var machine = registered()
        #expect(machine.displaced(now: now(2)) == [.register(replacing: nil)])
        #expect(machine.answered(.copied, now: now(3)) == [.refused(.copied(own)), .wake(at: now(1003))])
        #expect(machine.deadlineReached(now: now(1003)) == [.register(replacing: nil)])
        #expect(machine.answered(.copied, now: now(1004)) == [.wake(at: now(2004))], "said once")
        #expect(machine.replace(own, now: now(1005)) == [.register(replacing: own)])
        #expect(machine.answered(.registered(.newest), now: now(1006)) == [.registered])
    }

    /// Idle, it finds out by reading who is there.
    @Test func itSeesThatAnotherStartIsRegistered() {
        var machine = registered()
        let mine = RegisteredIssuer(name: "a", outbox: own, start: Self.nonce(8))
        #expect(machine.observed([mine], isCaughtUp: false, now: now(2)) == [])
        let theirs = RegisteredIssuer(name: "a", outbox: own, start: Self.nonce(9))
        #expect(machine.observed([theirs], isCaughtUp: false, now: now(3)) == [.register(replacing: nil)])
        // The registry was lost: it registers again.
        var again = registered()
        #expect(again.observed([], isCaughtUp: false, now: now(3)) == [.register(replacing: nil)])
    }

    /// It writes the first layout until every node reads a newer one.
    @Test func aNewerLayoutIsBegunOnceAndKept() {
        var machine = registration()
        _ = machine.connected(now: now(0))
        #expect(machine.answered(.registered(.first), now: now(1)) == [.registered])
        let mine = [RegisteredIssuer(name: "a", outbox: own, start: Self.nonce(8))]
        #expect(machine.layout == .first)
        // Nodes of the epoch before have yet to renew in this one.
        #expect(machine.observed(mine, isCaughtUp: true, now: now(2)) == [])
        #expect(machine.observed(mine, isCaughtUp: true, now: now(10_001)) == [])
        #expect(machine.observed(mine, isCaughtUp: false, now: now(10_002)) == [], "another epoch")
        #expect(machine.observed(mine, isCaughtUp: true, now: now(10_003)) == [])
        #expect(machine.observed(mine, isCaughtUp: true, now: now(20_003)) == [.begin(.newest)])
        machine.began(.first)
        #expect(machine.observed(mine, isCaughtUp: true, now: now(20_004)) == [.begin(.newest)], "not read by all")
        machine.began(.newest)
        #expect(machine.layout == .newest)
        #expect(machine.observed(mine, isCaughtUp: true, now: now(20_005)) == [])
        // Redis has lost it.
        machine.disconnected()
        _ = machine.connected(now: now(5))
        _ = machine.answered(.registered(.first), now: now(6))
        #expect(machine.layout == .newest)
        let later = FeedLayout(rawValue: FeedLayout.newest.rawValue + 1)
        machine.disconnected()
        _ = machine.connected(now: now(7))
        #expect(machine.answered(.newer(later), now: now(8)) == [.refused(.newer(later)), .wake(at: now(1008))])
    }

    // MARK: Lost records

    @Test func S5_lostRecordsAreDurableBeforeItRegistersAndKeepTheRecoveryWaiting() {
        var machine = registration()
        #expect(machine.restoredName == "a")
        _ = machine.connected(now: now(0))
        #expect(machine.answered(.behind(count: 7), now: now(1)) == [.noteLoss(count: 7)])
        #expect(machine.hasLostRecords)
        #expect(machine.restoredName == "?a")
        #expect(machine.lossNoted(isDurable: false, now: now(2)) == [.wake(at: now(1002))])
        #expect(machine.deadlineReached(now: now(1002)) == [.register(replacing: nil)])
        #expect(machine.answered(.behind(count: 7), now: now(1003)) == [.noteLoss(count: 7)])
        #expect(machine.lossNoted(isDurable: true, now: now(1004)) == [.register(replacing: nil)])
        #expect(machine.answered(.registered(.newest), now: now(1005)) == [.registered])
        #expect(machine.restoredName == "?a")
        let mine = [RegisteredIssuer(name: "a", outbox: own, start: Self.nonce(8))]
        #expect(machine.observed(mine, isCaughtUp: false, now: now(1006)) == [])
        #expect(machine.observed(mine, isCaughtUp: true, now: now(1007)) == [.noteRestored])
        #expect(machine.restoredName == "a")
        #expect(machine.observed(mine, isCaughtUp: true, now: now(1008)) == [])
    }

    // MARK: What the recovery waits for

    @Test func itWaitsForTheOutboxThatANameIsBoundTo() {
        var machine = registered([other: "b", Self.nonce(3): "gone"])
        #expect(machine.needed(["a", "b"]) == ["a", "b", "b#\(other)"])
        let lines = [
            RegisteredIssuer(name: "a", outbox: own, start: Self.nonce(8)),
            RegisteredIssuer(name: "b", outbox: Self.nonce(4), start: Self.nonce(9)),
        ]
        #expect(
            machine.observed(lines, isCaughtUp: false, now: now(2)) == [
                .bind(other, name: nil), .bind(Self.nonce(4), name: "b"),
            ])
        #expect(machine.needed(["a", "b"]) == ["a", "b", "b#\(Self.nonce(4))"])
        #expect(machine.needed(["a", "gone"]) == ["a", "gone", "gone#\(Self.nonce(3))"], "nobody has replaced it")
        #expect(machine.observed(lines, isCaughtUp: false, now: now(3)) == [], "nothing new")
        // Alone in the registry, it forgets nobody.
        #expect(machine.observed([lines[0]], isCaughtUp: false, now: now(4)) == [])
        #expect(machine.needed(["a", "b"]) == ["a", "b", "b#\(Self.nonce(4))"])
    }
}
