import FleetParts
import Testing

@Suite struct ScalingTests {
    private let costs = ScalingCosts(
        renewal: 50, commit: 60, registryEntry: 1, delivery: 3, messageBytes: 100, acknowledgement: 5,
        acknowledgementEntry: 0, issuing: 500, question: 2)

    private let here = [Region(name: "here", share: 1, oneWay: 100)]

    // MARK: What is worked out

    @Test func theUtilisationIsTheSumOfWhatIsDone() {
        let shape = FleetShape(validators: 1000, renewInterval: 2, revocations: 10, confirmations: 1)
        let use = Utilisation(shape, costs)
        #expect(abs(use.renewals - 0.025) < 1e-12)
        #expect(abs(use.deliveries - 0.03) < 1e-12)
        #expect(abs(use.commits - (600 + 2000) / 1e6) < 1e-12)
        #expect(abs(use.acknowledgements - 0.053) < 1e-12)
        #expect(use.greatest == "acknowledgements")
    }

    @Test func replicasTakeDeliveriesFromRedis() {
        var shape = FleetShape(validators: 1000, renewInterval: 2, revocations: 10, confirmations: 0)
        let without = Utilisation(shape, costs).deliveries
        shape.hasReplicas = true
        #expect(abs(Utilisation(shape, costs).deliveries - without * 3 / 1000) < 1e-12)
    }

    @Test func limitsFollowFromTheCosts() {
        #expect(ScalingLimits.validators(renewInterval: 5, part: 0.5, costs) == 50_000)
        let shape = FleetShape(validators: 10_000, renewInterval: 1, revocations: 100, confirmations: 0)
        // The renewals alone are half of it.
        #expect(ScalingLimits.revocations(shape, part: 0.5, costs) == 0)
        #expect(abs(ScalingLimits.revocations(shape, part: 1, costs) - 500_000 / 30_060) < 1e-9)
        // 10,000 bytes/s: 8 MB are there long before 32, and a minute is forgiven.
        #expect(abs(ScalingLimits.silence(shape, costs) - (8 * 1_048_576 / 10_000 + 60)) < 1e-6)
        #expect(ScalingLimits.burstBytes(shape, messages: 1000, costs) == 1e9)
    }

    @Test func aSettingIsRecommendedThatLeavesHalfOfRedisFree() throws {
        let wish = FleetShape(validators: 10_000, renewInterval: 1, revocations: 10, confirmations: 0.1)
        let shape = try #require(ScalingLimits.recommended(wish, costs))
        #expect(Utilisation(shape, costs).total <= 0.5)
        #expect(shape.hasReplicas)
        #expect(shape.renewInterval == 2)
        let impossible = FleetShape(validators: 10_000_000, renewInterval: 1, revocations: 10, confirmations: 1)
        #expect(ScalingLimits.recommended(impossible, costs) == nil)
    }

    // MARK: The simulation

    @Test func aSeedGivesTheSameOutcomeAgain() {
        let shape = FleetShape(validators: 50, renewInterval: 1, revocations: 20, confirmations: 2)
        func run(_ seed: UInt64) -> ScalingSimulation.Outcome {
            var simulation = ScalingSimulation(shape, costs, seconds: 5, seed: seed)
            return simulation.run()
        }
        #expect(run(1).confirmed.microseconds == run(1).confirmed.microseconds)
        #expect(run(1).confirmed.microseconds != run(2).confirmed.microseconds)
    }

    @Test func theSimulationIsAsBusyAsWasWorkedOut() {
        let shape = FleetShape(
            validators: 500, regions: here, renewInterval: 1, revocations: 40, confirmations: 0)
        var simulation = ScalingSimulation(shape, costs, seconds: 10)
        let outcome = simulation.run()
        let expected = Utilisation(shape, costs).total
        #expect(abs(outcome.utilisation / expected - 1) < 0.05, "\(outcome.utilisation) \(expected)")
        #expect(outcome.lateGrants == 0)
        #expect(outcome.grants > 500 * 9)
    }

    @Test func oneValidatorIsConfirmedInTheTimeOfItsHops() {
        let shape = FleetShape(validators: 1, regions: here, renewInterval: 1, revocations: 1, confirmations: 1)
        var simulation = ScalingSimulation(shape, costs, seconds: 200)
        let outcome = simulation.run()
        // To Redis, to the validator, back, to the issuer, and the question: six times 100 µs; and what each costs.
        let commit: Double = 60 + 1 + 3
        let renewal: Double = 50 + 3
        let question: Double = 2 + 1
        let least: Double = 500 + 600 + commit + renewal + 5 + question
        #expect(abs(outcome.confirmed.quantile(0) - least) < 1e-3, "\(outcome.confirmed.quantile(0))")
        #expect(abs(outcome.confirmed.median - least) < 100)
        #expect(abs(outcome.applied.median - (500 + 200 + 64)) < 100)
        #expect(outcome.unconfirmed <= 1)
    }

    @Test func theFarthestRegionIsWaitedFor() {
        let shape = FleetShape(validators: 30, renewInterval: 1, revocations: 2, confirmations: 2)
        var simulation = ScalingSimulation(shape, costs, seconds: 60)
        let outcome = simulation.run()
        #expect(outcome.confirmed.quantile(0) > 160_000)
        #expect(outcome.confirmed.p99 < 400_000)
        #expect(outcome.applied.quantile(0) < 5000 && outcome.applied.quantile(1) > 80_000)
    }

    @Test func moreRenewalsThanRedisCanAnswerEndLeases() {
        let shape = FleetShape(
            validators: 5000, regions: here, renewInterval: 0.1, revocations: 0, confirmations: 0)
        var simulation = ScalingSimulation(shape, costs, seconds: 5)
        let outcome = simulation.run()
        #expect(outcome.utilisation > 0.99)
        // A validator asks again only when it was answered, so the line is as long as the fleet and no longer.
        #expect(outcome.longestLine < 5000 * 50 + 1)
        #expect(outcome.longestLine > 100_000)
    }

    @Test func anIssuerThatLooksAtEveryNodeForEachIsTheLimit() {
        var slow = costs
        slow.acknowledgementEntry = 0.1
        let shape = FleetShape(
            validators: 1000, regions: here, renewInterval: 5, revocations: 0.5, confirmations: 0.5)
        var simulation = ScalingSimulation(shape, slow, seconds: 20)
        // A thousand acknowledgements of 105 µs.
        #expect(simulation.run().confirmed.median > 100_000)
        #expect(ScalingLimits.issuer(shape, slow) == 0.5 * 1000 * 105 / 1e6)
    }

    // MARK: Events

    @Test func eventsComeByTimeAndThenInTheirOrder() {
        var queue = EventQueue<Int>()
        var numbers = SeededNumbers(seed: 3)
        let times = (0..<500).map { _ in Double(Int(numbers.uniform(0..<50))) }
        for (number, time) in times.enumerated() { queue.add(number, at: time) }
        var taken: [(time: Double, event: Int)] = []
        while let next = queue.next() { taken.append(next) }
        let expected = times.enumerated().sorted { ($0.element, $0.offset) < ($1.element, $1.offset) }
        #expect(taken.map(\.event) == expected.map(\.offset))
        #expect(queue.isEmpty)
    }

    @Test func numbersOfAMeanHaveThatMean() {
        var numbers = SeededNumbers(seed: 9)
        let mean = (0..<100_000).reduce(0.0) { sum, _ in sum + numbers.exponential(10) } / 100_000
        #expect(abs(mean - 10) < 0.2)
    }
}
