import Testing

@testable import QuashLoad

@Suite struct ScheduleTests {
    @Test func requestsAreDueAtTheRate() {
        let schedule = Schedule(start: 1000, ratePerSecond: 1e6, seconds: 0.001)
        #expect(schedule.count == 1000)
        #expect(schedule.intended(0) == 1000)
        #expect(schedule.intended(1) == 2000)
        #expect(schedule.intended(999) == 1_000_000)
    }

    @Test func noneIsTakenBeforeItIsDue() {
        var schedule = Schedule(start: 0, ratePerSecond: 1000, seconds: 0.003)
        #expect(schedule.take(now: 0) == 0)
        #expect(schedule.take(now: 999_999) == nil)
        #expect(schedule.nextIntended == 1_000_000)
        #expect(schedule.take(now: 1_000_000) == 1_000_000)
    }

    @Test func whatIsLateKeepsTheTimeThatItWasDue() {
        var schedule = Schedule(start: 0, ratePerSecond: 1000, seconds: 0.003)
        let late: UInt64 = 1_000_000_000
        #expect(
            [schedule.take(now: late), schedule.take(now: late), schedule.take(now: late)] == [0, 1_000_000, 2_000_000])
        #expect(schedule.take(now: late) == nil)
        #expect(schedule.nextIntended == nil)
    }

    @Test func aRateThatDividesNoSecondDoesNotDrift() {
        let schedule = Schedule(start: 0, ratePerSecond: 7, seconds: 1000)
        #expect(schedule.intended(7000 - 7) == 999_000_000_000)
    }
}
