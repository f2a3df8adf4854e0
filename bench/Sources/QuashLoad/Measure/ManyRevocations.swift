import BenchResults

extension Runner {
    /// The validator that everything else is measured with, beside one that has many more revocations. That has a feed
    /// of its own, because the first would hear of them too.
    func measureManyRevocations() throws {
        let folder = try WorkFolder()
        let other = try Lab(
            quash: lab.quash, bench: lab.builds, coldCount: plan.coldTokens, folder: folder,
            issuerSettings: ["--max-revocations", "20000000"])
        defer {
            other.stop()
            folder.remove()
        }
        let millions = plan.manyRevocations / 1_000_000
        say("storing \(millions) million revocations")
        try other.revoke(plan.manyRevocations)
        let validator = try other.startValidator("validator-many", ["--max-revocations", "20000000"])
        defer { validator.process.kill() }
        let page = try Exchange(validator.admin).get("/metrics").text
        let entries = page.split(separator: "\n").filter { $0.hasPrefix("quash_index_entries{") }
            .compactMap { $0.split(separator: " ").last.flatMap { Double($0) } }.reduce(0, +)
        add(
            Check(
                what: "a validator has \(millions) million revocations", count: UInt64(plan.manyRevocations),
                failures: UInt64(max(0, plan.manyRevocations - Int(entries)))))
        let name = "quash, \(millions) million revocations"
        let loaded = Subject(
            name: name, target: validator.tcp, path: Validators.path, processes: [validator.process])
        let group = "many revocations: warm"
        try ClosedRounds(
            group: group, subjects: [validators.subject, loaded], tokens: lab.tokens.warm.map(\.text),
            expectation: .accept
        ).run(self)
        let rounds = zip(
            figure("\(group) requests per second of a core", name),
            figure("\(group) requests per second of a core", Peer.quash)
        ).map { $0 / $1 }
        add(
            Goal(
                what: "warm requests per second of a core with \(millions) million revocations",
                against: "with eleven thousand", relation: .atLeast, limit: 0.95, rounds: rounds))
    }
}
