import BenchResults

extension Runner {
    /// Runs a load of the generator's own and counts what it saw; before everything else on its core.
    func load(
        _ subject: Subject, _ clients: [Clients], seconds: Double, startingAt: [Int]? = nil
    ) throws -> [Outcome] {
        try Core.first { try Generator.run(subject.target, clients, seconds: seconds, startingAt: startingAt) }
    }

    /// Keeps the wrong answers of several outcomes as one check.
    func check(_ what: String, _ outcomes: [Outcome]) {
        add(
            Check(
                what: what, count: outcomes.reduce(0) { $0 + $1.answers + $1.unanswered },
                failures: outcomes.reduce(0) { $0 + $1.failures }))
    }

    func warmClients(_ subject: Subject, _ pace: Pace) -> Clients {
        Clients(subject.requests(lab.tokens.warm.map(\.text), .accept), pace: pace)
    }

    /// Half of what a subject could answer, by the median of its rounds under a closed load; nil when that was not
    /// measured.
    func halfRate(_ subject: Subject) -> Double? {
        let rates = figure("warm requests per second", subject.name)
        return rates.isEmpty ? nil : rates.median / 2
    }

    /// The peers that verify and revoke, the quickest first.
    var quickestPeers: [Subject] {
        validatingPeers.filter { halfRate($0) != nil }.sorted { halfRate($0)! > halfRate($1)! }
    }

    /// Latency at half of each one's own throughput, and at a rate that all of them can bear.
    func measureLatency() throws {
        let group = "warm latency at half of its throughput"
        let peers = [Peer.nginx, Peer.haproxy, Peer.authRequest].compactMap(subject) + quickestPeers.prefix(2)
        var measured: [String] = []
        for subject in [validators.subject] + peers where !measured.contains(subject.name) {
            guard let rate = halfRate(subject) else { continue }
            measured.append(subject.name)
            var total = Outcome()
            var medians: [Double] = []
            for _ in 0..<plan.rounds {
                let clients = warmClients(subject, .open(perSecond: rate))
                let outcome = try load(subject, [clients], seconds: plan.seconds)[0]
                medians.append(outcome.milliseconds(0.99) * 1000)
                total.merge(outcome)
            }
            add(group, subject.name, rate: rate, total)
            add("\(group), p99", subject.name, "µs", .lower, medians)
            check("\(group): \(subject.name)", [total])
            say(
                "\(group): \(subject.name) at \(rounded(rate))/s: p50 \(rounded(total.milliseconds(0.5) * 1000)) µs, "
                    + "p99 \(rounded(total.milliseconds(0.99) * 1000)) µs, p99.9 \(rounded(total.milliseconds(0.999) * 1000)) µs"
            )
        }
    }

    /// Throughput of Quash over TCP and over its unix socket, each answer looked at.
    func measureSockets() throws {
        let group = "warm requests per second, each answer looked at"
        let subjects = [validators.subject, validators.unixSubject] + [Peer.nginx].compactMap(subject)
        var rates = subjects.map { _ in [Double]() }
        var costs = subjects.map { _ in [Double]() }
        var outcomes = subjects.map { _ in Outcome() }
        for _ in 0..<plan.rounds {
            for (number, subject) in subjects.enumerated() {
                let used = try subject.usedMicroseconds()
                let outcome = try load(subject, [warmClients(subject, .closed)], seconds: plan.seconds)[0]
                costs[number].append(try (subject.usedMicroseconds() - used) / Double(outcome.answers))
                rates[number].append(outcome.perSecond)
                outcomes[number].merge(outcome)
            }
        }
        for (number, subject) in subjects.enumerated() {
            add(group, subject.name, "req/s", .higher, rates[number])
            add("warm CPU per request, each answer looked at", subject.name, "µs CPU/req", .lower, costs[number])
            check("\(group): \(subject.name)", [outcomes[number]])
            say(
                "\(group): \(subject.name): \(rounded(rates[number].median)) req/s, "
                    + "\(rounded(costs[number].median)) µs CPU/req")
        }
    }

    /// Of 100 requests 90 present a token that was seen before, 5 a new one, 4 a revoked and 1 a forged one.
    func measureMixed() throws {
        let group = "mixed requests per second"
        let subjects =
            [validators.subject]
            + validatingPeers.filter { [Peer.haproxy, Peer.nodeCached, Peer.nginxLua].contains($0.name) }
        let forged = lab.tokens.forged(lab.tokens.cold.count / 5)
        for subject in subjects {
            var requests: [(bytes: [UInt8], expectation: Expectation)] = []
            let warm = subject.requests(lab.tokens.warm.map(\.text), .accept)
            let cold = subject.requests(lab.tokens.cold.map(\.text), .accept)
            let revoked = subject.requests(lab.tokens.revoked.map(\.text), .refuse)
            let wrong = subject.requests(forged, .refuse)
            for number in 0..<cold.count * 20 / 5 {
                let place = number % 100
                let turn = number / 100
                switch place {
                case 0..<5: requests.append(cold[(turn * 5 + place) % cold.count])
                case 5..<9: requests.append(revoked[(turn * 4 + place) % revoked.count])
                case 9: requests.append(wrong[turn % wrong.count])
                default: requests.append(warm[number % warm.count])
                }
            }
            let clients = Clients(requests, pace: .closed)
            var rates: [Double] = []
            var outcomes: [Outcome] = []
            var start = 0
            for _ in 0..<plan.rounds {
                let outcome = try load(subject, [clients], seconds: plan.seconds, startingAt: [start])[0]
                start += Int(outcome.answers)
                rates.append(outcome.perSecond)
                outcomes.append(outcome)
            }
            add(group, subject.name, "req/s", .higher, rates)
            check("\(group): \(subject.name)", outcomes)
            say("\(group): \(subject.name): \(rounded(rates.median)) req/s")
        }
    }
}
