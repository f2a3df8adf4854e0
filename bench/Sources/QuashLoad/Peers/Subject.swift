/// A server that is measured.
struct Subject {
    /// What it is known as in the results.
    let name: String
    let target: Target
    /// What is asked there.
    let path: String
    /// Whose time counts as the server's.
    let processes: [ServerProcess]
    /// Whether it verifies tokens at all.
    var validates = true
    /// Whether it knows what is revoked.
    var revokes = true
    /// How many requests it says to have decided; nil when it does not count.
    var decisions: (() throws -> UInt64)?

    /// The requests that present these tokens.
    func requests(
        _ tokens: some Sequence<String>, _ expectation: Expected
    ) -> [(bytes: [UInt8], expectation: Expected)] {
        tokens.map { (Exchange.request("GET", path, bearer: $0), expectation) }
    }

    /// What its processes have used so far, in microseconds of a core.
    func usedMicroseconds() throws -> Double {
        try processes.reduce(0) { try $0 + ProcessStat.of($1.processID).microseconds }
    }

    /// Asks once for each kind of token.
    ///
    /// - Throws: what it answered, where it may not.
    func check(_ tokens: TokenStock) throws {
        let exchange = Exchange(target)
        func expect(_ what: String, _ token: String?, _ statuses: [Int]) throws {
            let answer = try exchange.get(path, bearer: token)
            guard statuses.contains(answer.status) else {
                throw Failure("answers \(answer.status) to \(what), not \(statuses[0])")
            }
        }
        let valid = tokens.warm[0].text
        try expect("a valid token", valid, [204, 200])
        guard validates else { return }
        try expect("a valid token, once more", valid, [204, 200])
        try expect("no token", nil, [401])
        try expect("a forged token", TokenStock.tampered(valid, variant: 0), [401])
        try expect("a token of another's signature", Self.crossed(tokens.warm[0].text, tokens.warm[1].text), [401])
        try expect("an unsigned token", TokenStock.unsigned(valid), [401])
        try expect("an expired token", tokens.expired.text, [401])
        if revokes {
            try expect("a revoked token", tokens.revoked[0].text, [401])
            try expect("a revoked token, once more", tokens.revoked[0].text, [401])
            try expect("another revoked token", tokens.revoked[tokens.revoked.count - 1].text, [401])
        }
        try expect("a valid token, at last", tokens.warm[1].text, [204, 200])
    }

    /// The head and payload of one with the signature of another.
    private static func crossed(_ one: String, _ other: String) -> String {
        let payload = one.split(separator: ".").dropLast().joined(separator: ".")
        return "\(payload).\(other.split(separator: ".").last ?? "")"
    }

    func stop() {
        for process in processes { process.kill() }
    }
}
