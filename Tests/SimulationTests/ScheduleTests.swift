import Testing

@testable import QuashSimulation

/// The simulation of the protocol: a few hundred schedules, which pass; `scripts/simulate` runs many more.
@Suite struct ScheduleTests {
    @Test(arguments: 0..<8 as Range<UInt64>)
    func noInvariantIsBrokenInTheFirstSchedules(part: UInt64) {
        var (answered, confirmed) = (0, 0)
        for seed in part * 30 + 1...part * 30 + 30 {
            let schedule = Simulation.schedule(seed)
            let outcome = Simulation.run(schedule)
            #expect(outcome.violation == nil, "\(schedule)")
            answered += outcome.answered
            confirmed += outcome.confirmed
        }
        // A simulation in which little is stored or confirmed proves little.
        #expect(answered > 100)
        #expect(confirmed > 60)
    }

    @Test func aSeedGivesTheSameCourseAgain() {
        for seed in 1...10 as ClosedRange<UInt64> {
            let schedule = Simulation.schedule(seed)
            #expect(schedule == Simulation.schedule(seed))
            let first = Simulation.run(schedule, isNoted: true)
            #expect(!first.notes.isEmpty)
            #expect(first == Simulation.run(schedule, isNoted: true))
        }
    }

    /// Commits in which bytes of the live set were lost made up for them: a node that read it found nothing missing.
    @Test(arguments: [762] as [UInt64])
    func whatOnceFailedPasses(seed: UInt64) {
        #expect(Simulation.run(Simulation.schedule(seed)).violation == nil)
    }

    @Test func aScheduleIsShrunkToWhatItNeeds() {
        let schedule = (1...1000 as ClosedRange<UInt64>).lazy.map(Simulation.schedule).first {
            Self.isArtificialFailure($0) && $0.steps.count > 10
        }
        guard let schedule else {
            Issue.record("no schedule has both")
            return
        }
        var shrinking = Shrinking(whileItFails: Self.isArtificialFailure)
        let shortest = shrinking.shrink(schedule)
        #expect(shortest.steps.count == 2)
        #expect(shortest.redisWallError == 0)
        #expect(shortest.description.contains("FLUSHALL"))
        #expect(shortest.description.split(separator: "\n").count <= 4)
    }

    /// Fails when a crash and a FLUSHALL are in it, in whatever order.
    private static func isArtificialFailure(_ schedule: Schedule) -> Bool {
        let hasCrash = schedule.steps.contains {
            if case .crash = $0.event { true } else { false }
        }
        return hasCrash && schedule.steps.contains { $0.event == .flush }
    }
}
