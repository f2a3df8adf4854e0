import BenchResults

extension Runner {
    /// Runs a load of the generator's own, before everything else on its core.
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

    /// The peers that verify and revoke and were measured, the quickest first.
    var quickestPeers: [Subject] {
        validatingPeers.compactMap { peer in halfRate(peer).map { (peer, $0) } }.sorted { $0.1 > $1.1 }.map(\.0)
    }

    /// Latency of each at half of its own throughput: Quash, the floor, what stands beside Quash in a goal, and the
    /// quickest peers.
    func measureLatency() throws {
        let group = "warm latency at half of its throughput"
        var loads: [(subject: Subject, rate: Double)] = []
        let named = [Peer.nginx, Peer.haproxy, Peer.authRequest, Peer.nodeRedis].compactMap(subject)
        for subject in [validators.subject] + named + quickestPeers.prefix(2) {
            guard let rate = halfRate(subject), !loads.contains(where: { $0.subject.name == subject.name }) else {
                continue
            }
            loads.append((subject, rate))
        }
        var totals = loads.map { _ in Outcome() }
        var rounds = loads.map { _ in [Double]() }
        for _ in 0..<plan.rounds {
            for (number, load) in loads.enumerated() {
                let clients = warmClients(load.subject, .open(perSecond: load.rate))
                let outcome = try self.load(load.subject, [clients], seconds: plan.seconds)[0]
                rounds[number].append(outcome.microseconds(0.99))
                totals[number].merge(outcome)
            }
        }
        for (number, load) in loads.enumerated() {
            add(group, load.subject.name, rate: load.rate, totals[number])
            add("\(group), p99", load.subject.name, "µs", .lower, rounds[number])
            check("\(group): \(load.subject.name)", [totals[number]])
            let unsent = totals[number].unsent
            say(
                "\(group): \(load.subject.name) at \(rounded(load.rate))/s: \(totals[number].summary)"
                    + (unsent > 0 ? ", \(unsent) never sent" : ""))
        }
    }

    /// Throughput of Quash over TCP and over its unix socket, each answer looked at.
    func measureSockets() throws {
        let subjects = [validators.subject, validators.unixSubject] + [Peer.nginx].compactMap(subject)
        try measureClosed(
            "warm", "each answer looked at", subjects.map { ($0, warmClients($0, .closed)) })
    }

    /// Of 100 requests 90 present a token that was seen before, 5 a new one, 4 a revoked and 1 a forged one.
    func measureMixed() throws {
        let peers = [Peer.haproxy, Peer.nginxLua, Peer.nodeCached, Peer.envoyLua].compactMap(subject)
        // Subjects that are asked for the same path share the requests.
        var requests: [String: [(bytes: [UInt8], expectation: Expected)]] = [:]
        let loads = ([validators.subject] + peers).map { subject in
            let mixed = requests[subject.path] ?? mix(subject)
            requests[subject.path] = mixed
            return (subject, Clients(mixed, pace: .closed))
        }
        try measureClosed("mixed", "each answer looked at", loads)
    }

    private func mix(_ subject: Subject) -> [(bytes: [UInt8], expectation: Expected)] {
        let warm = subject.requests(lab.tokens.warm.map(\.text), .accept)
        let cold = subject.requests(lab.tokens.cold.map(\.text), .accept)
        let revoked = subject.requests(lab.tokens.revoked.map(\.text), .refuse)
        let forged = subject.requests(lab.tokens.forged(cold.count / 5), .refuse)
        return (0..<cold.count * 20).map { number in
            let turn = number / 100
            switch number % 100 {
            case let place where place < 5: return cold[(turn * 5 + place) % cold.count]
            case let place where place < 9: return revoked[(turn * 4 + place) % revoked.count]
            case 9: return forged[turn % forged.count]
            default: return warm[number % warm.count]
            }
        }
    }

    /// Closed load of the generator's own, round by round; each goes on with the requests that it has not sent yet.
    private func measureClosed(_ group: String, _ suffix: String, _ loads: [(Subject, Clients)]) throws {
        var rates = loads.map { _ in [Double]() }
        var costs = loads.map { _ in [Double]() }
        var outcomes = loads.map { _ in [Outcome]() }
        var starts = loads.map { _ in 0 }
        for _ in 0..<plan.rounds {
            for (number, (subject, clients)) in loads.enumerated() {
                let used = try subject.usedMicroseconds()
                let outcome = try load(
                    subject, [clients], seconds: plan.seconds, startingAt: [starts[number]])[0]
                costs[number].append(try (subject.usedMicroseconds() - used) / Double(outcome.answers))
                rates[number].append(outcome.perSecond)
                starts[number] += Int(outcome.answers)
                outcomes[number].append(outcome)
            }
        }
        for (number, (subject, _)) in loads.enumerated() {
            add("\(group) requests per second, \(suffix)", subject.name, "req/s", .higher, rates[number])
            add("\(group) CPU per request, \(suffix)", subject.name, "µs CPU/req", .lower, costs[number])
            check("\(group), \(suffix): \(subject.name)", outcomes[number])
            say(
                "\(group), \(suffix): \(subject.name): \(rounded(rates[number].median)) req/s, "
                    + "\(rounded(costs[number].median)) µs CPU/req")
        }
    }
}
