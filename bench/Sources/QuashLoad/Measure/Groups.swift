import BenchResults

extension Runner {
    /// What is measured, in order; each may use what was found before.
    var groups: [(name: String, measure: () throws -> Void)] {
        [
            ("warm", measureWarm), ("revoked", measureRevoked), ("cold", measureCold), ("sockets", measureSockets),
            ("mixed", measureMixed), ("latency", measureLatency), ("feed", measureBusyFeed), ("flood", measureFlood),
            ("many", measureManyRevocations),
        ]
    }

    /// Clients present tokens that were seen before.
    private func measureWarm() throws {
        try ClosedRounds(
            group: "warm", subjects: subjects, tokens: lab.tokens.warm.map(\.text), expectation: .accept
        ).run(self)
    }

    /// Clients present tokens that were revoked, again and again.
    private func measureRevoked() throws {
        let names = [Peer.haproxy, Peer.nginxLua, Peer.nodeCached, Peer.envoyLua]
        let subjects = [validators.subject] + names.compactMap(subject)
        try ClosedRounds(
            group: "revoked", subjects: subjects, tokens: lab.tokens.revoked.map(\.text), expectation: .refuse
        ).run(self)
    }

    /// Each request costs a verification: Quash remembers no token here, and HAProxy never does.
    private func measureCold() throws {
        let subjects = [validators.coldSubject] + [Peer.haproxy].compactMap(subject)
        try ClosedRounds(
            group: "cold", subjects: subjects, tokens: lab.tokens.cold.map(\.text), expectation: .accept
        ).run(self)
    }

    // MARK: Goals

    /// Says which goals were reached, of what was measured.
    func judge() {
        let rate = "warm requests per second"
        let cost = "warm CPU per request"
        compare("CPU per warm request, quash", cost, Peer.quash, with: Peer.nginx, .atMost, 1.0)
        let best = quickestPeers.first?.name ?? "the best validating peer"
        compare(
            "warm requests per second, quash", rate, Peer.quash, with: best, .atLeast, 4,
            against: "best validating peer: \(best)")
        compare(
            "warm requests per second, quash", rate, Peer.quash, with: Peer.nodeRedis, .atLeast, 45,
            against: "usual stack: \(Peer.nodeRedis)")
        compare(
            "warm requests per second, quash", rate, Peer.quash, with: Peer.fastAPI, .atLeast, 45,
            against: "usual stack, in Python: \(Peer.fastAPI)")
        compare(
            "cold requests per second, quash", "cold requests per second", Peer.quashCold, with: Peer.haproxy,
            .atLeast, 1.4)
        compare(
            "requests per second, nginx auth_request + quash on one core", rate, Peer.authRequest, with: Peer.haproxy,
            .atLeast, 1.3)
        add(
            Goal(
                what: "warm requests per second, N loops", against: "N times one loop", relation: .atLeast, limit: 0.9,
                rounds: [], note: "one core is the server's and one the load's; it wants N cores for each"))
        add(
            Goal(
                what: "cold requests per second, quash", against: "a program in C on libuv that verifies each token",
                relation: .atLeast, limit: 0.95, rounds: [], note: "no such program is a part of the benchmarks"))
    }

    private func compare(
        _ what: String, _ group: String, _ one: String, with other: String, _ relation: Goal.Relation, _ limit: Double,
        against: String? = nil
    ) {
        let rounds = zip(figure(group, one), figure(group, other)).map { $0 / $1 }
        let missing = [one, other].first { figure(group, $0).isEmpty }
        let note =
            missing.map { name in
                results.absent.contains { $0.subject == name } ? "\(name) is absent" : "it was not measured"
            } ?? doubts(group, [one, other])
        add(
            Goal(
                what: what, against: against ?? other, relation: relation, limit: limit, rounds: rounds, note: note))
    }

    /// What a reader must know of a ratio within a group.
    private func doubts(_ group: String, _ names: [String]) -> String {
        var doubts: [String] = []
        if !validators.hasTokenCache, group.hasPrefix("warm") {
            doubts.append("this build remembers no verified tokens")
        }
        let kind = group.prefix { $0 != " " }
        for name in names where group.contains("per second") {
            let share = figure("\(kind) use of the server's core", name).median
            // Then something else held the server back: the load, or other programs of this machine.
            if share < 85 { doubts.append("\(name) used only \(rounded(share)) % of its core") }
        }
        let perCore = names.map { figure("\(kind) requests per second of a core", $0).median }
        if !doubts.isEmpty, group.contains("per second"), perCore.count == 2 {
            doubts.append("for the same time of a core the ratio is \(rounded(perCore[0] / perCore[1]))")
        }
        return doubts.joined(separator: "; ")
    }
}
