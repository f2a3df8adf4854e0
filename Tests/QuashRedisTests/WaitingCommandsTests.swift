import QuashLoop
import Testing

@testable import QuashRedis

@Suite struct WaitingCommandsTests {
    @Test func theyAreTakenInTheOrderInWhichTheyCame() {
        var waiting = WaitingCommands<Int>()
        #expect(waiting.next == nil)
        _ = waiting.removeNext()
        var (taken, added) = (0, 0)
        for round in 0..<2_000 {
            for _ in 0..<round % 7 {
                _ = waiting.append(added, bytes: 1)
                added += 1
            }
            for _ in 0..<min(round % 5, waiting.count) {
                #expect(waiting.next == taken)
                _ = waiting.removeNext()
                taken += 1
            }
        }
        #expect(waiting.count == added - taken && added > taken)
        #expect(waiting.lost().map(\.request) == Array(taken..<added))
        #expect(waiting.isEmpty)
    }

    @Test func beyondEachLimitNoneIsTakenUntilOneGoes() {
        var waiting = WaitingCommands<Int>()
        for number in 0..<RedisLimits.maxWaitingCommands { _ = waiting.append(number, bytes: 1) }
        #expect(waiting.count == RedisLimits.maxWaitingCommands)
        var isTaken = waiting.append(-1, bytes: 1)
        #expect(!isTaken)
        _ = waiting.removeNext()
        isTaken = waiting.append(-1, bytes: 1)
        #expect(isTaken)

        var heavy = WaitingCommands<Int>()
        let most = RedisLimits.maxWaitingBytes
        var taken = [(1, most - 1), (2, 2), (3, 1)].map { heavy.append($0, bytes: $1) }
        _ = heavy.removeNext()
        taken.append(heavy.append(4, bytes: 2))
        #expect(taken == [true, false, true, true])
    }
}
