import BenchResults

extension Runner {
    /// Good clients beside others that present forged tokens, each of which costs a verification.
    func measureFlood() throws {
        let subject = validators.subject
        let forged = subject.requests(lab.tokens.forged(lab.tokens.cold.count), .refuse)
        let attack = Clients(forged, pace: .open(perSecond: plan.floodRate))
        let good = warmClients(subject, .closed)
        var start = 0
        var alone: [Double] = []
        var flooded: [Double] = []
        var outcomes: [Outcome] = []
        var attackOutcomes: [Outcome] = []
        for _ in 0..<plan.rounds {
            let quiet = try load(subject, [good], seconds: plan.seconds)[0]
            let both = try load(subject, [good, attack], seconds: plan.seconds, startingAt: [0, start])
            start += Int(both[1].answers)
            alone.append(quiet.perSecond)
            flooded.append(both[0].perSecond)
            outcomes += [quiet, both[0]]
            attackOutcomes.append(both[1])
        }
        let answered = attackOutcomes.map(\.perSecond)
        add("forged tokens answered per second", subject.name, "req/s", .higher, answered)
        say("flood: \(rounded(answered.median)) forged tokens/s are answered of \(rounded(plan.floodRate)) offered")
        let group = "good clients' requests per second"
        add(group, "no flood", "req/s", .higher, alone)
        add(group, "\(Int(plan.floodRate)) forged tokens a second", "req/s", .higher, flooded)
        add(
            Goal(
                what: "good clients' throughput with \(Int(plan.floodRate)) forged tokens/s", against: "without",
                relation: .atLeast, limit: 0.5, rounds: zip(flooded, alone).map { $0 / $1 }))
        try measureFloodLatency(subject, attack, start, &outcomes, &attackOutcomes)
        if !plan.isQuick { try measureFloodRates(subject, good, forged, &outcomes, &attackOutcomes) }
        check("flood: good clients", outcomes)
        check("flood: forged tokens", attackOutcomes)
    }

    /// Good clients at a quarter of what they could have, with the flood and without.
    private func measureFloodLatency(
        _ subject: Subject, _ attack: Clients, _ firstStart: Int, _ outcomes: inout [Outcome],
        _ attackOutcomes: inout [Outcome]
    ) throws {
        guard let half = halfRate(subject) else { return }
        let group = "good clients' latency"
        let rate = half / 2
        let good = warmClients(subject, .open(perSecond: rate))
        var start = firstStart
        var quiet = Outcome()
        var loud = Outcome()
        var rounds: [Double] = []
        for _ in 0..<plan.rounds {
            quiet.merge(try load(subject, [good], seconds: plan.seconds)[0])
            let both = try load(subject, [good, attack], seconds: plan.seconds, startingAt: [0, start])
            start += Int(both[1].answers)
            rounds.append(both[0].microseconds(0.99) / 1000)
            loud.merge(both[0])
            attackOutcomes.append(both[1])
        }
        outcomes += [quiet, loud]
        add(group, "no flood", rate: rate, quiet)
        add(group, "\(Int(plan.floodRate)) forged tokens a second", rate: rate, loud)
        add(
            Goal(
                what: "good clients' p99 with \(Int(plan.floodRate)) forged tokens/s", against: "a limit",
                relation: .atMost, limit: 5, unit: "ms", rounds: rounds))
    }

    /// Good clients' throughput by the rate of the flood.
    private func measureFloodRates(
        _ subject: Subject, _ good: Clients, _ forged: [(bytes: [UInt8], expectation: Expected)],
        _ outcomes: inout [Outcome], _ attackOutcomes: inout [Outcome]
    ) throws {
        var points: [[Double]] = []
        for rate in [2500.0, 5000, 10_000, 15_000, 20_000] {
            let attack = Clients(forged, pace: .open(perSecond: rate))
            let both = try load(subject, [good, attack], seconds: plan.seconds)
            points.append([rate, both[0].perSecond])
            outcomes.append(both[0])
            attackOutcomes.append(both[1])
        }
        add(
            Series(
                group: "good clients' throughput by flood", subject: subject.name, xUnit: "forged tokens/s",
                yUnit: "req/s", points: points))
    }
}
