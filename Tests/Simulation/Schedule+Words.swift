/// A schedule in words, as it is printed when it fails.
extension Schedule: CustomStringConvertible {
    package var description: String {
        var lines = [
            "seed \(seed): \(validators) validators, issuers \(issuers == 1 ? "a" : "a and b"), lease "
                + "\(Settings.lease / .millisecond) ms, fence \(fence / .millisecond) ms, "
                + "the log keeps \(logCommits) commits, \(recordsPerRenewal) records in a renewal"
        ]
        if redisWallError != 0 { lines.append("  the clock of redis is wrong by \(Self.span(redisWallError))") }
        if isFleeting { lines.append("  the tokens expire after 2 s") }
        if forgetsPeriods { lines.append("  at last every period is taken out of the directory of the live set") }
        if isCalm { lines.append("  outages are short: no valid token may be answered 503") }
        for step in steps { lines.append("  at \(Self.span(step.at)): \(words(step.event))") }
        return lines.joined(separator: "\n")
    }

    static func span(_ length: Int64) -> String {
        let microseconds = length / .microsecond
        let fraction = String(microseconds.magnitude % 1000 + 1000).dropFirst()
        return "\(microseconds < 0 ? "-" : "")\(microseconds.magnitude / 1000).\(fraction) ms"
    }

    func name(_ node: Node) -> String {
        node < validators ? "v\(node + 1)" : node - validators == 0 ? "a" : "b"
    }

    private static func words(for length: Int64) -> String { length == 0 ? "" : " for \(span(length))" }

    private func issuer(_ number: Int) -> String { number == 0 ? "a" : "b" }

    private func words(_ event: Event) -> String {
        switch event {
        case .revoke(let token, let issuer, let isAwaited, let request):
            return "token \(token) is revoked at \(self.issuer(issuer))"
                + (isAwaited ? ", and confirmed" : "") + (request.map { ", request \($0)" } ?? "")
        case .freeze(let node, let length): return "\(name(node)) is stopped for \(Self.span(length))"
        case .pauseMachine(let node, let length):
            return "the machine of \(name(node)) stands still for \(Self.span(length)), and so does its boot time"
        case .setWall(let node, let jump, let length):
            return "the civil clock of \(name(node)) is set by \(Self.span(jump))\(Self.words(for: length))"
        case .setAllWalls(let jump, let length):
            return "the civil clocks of all are set by \(Self.span(jump))\(Self.words(for: length))"
        case .crash(let node, let down): return "\(name(node)) is killed, and started after \(Self.span(down))"
        case .leave(let node, let down): return "\(name(node)) leaves, and is started after \(Self.span(down))"
        case .copy(let node): return "a second process with the node id of \(name(node)) is started"
        case .partition(let node, let length):
            return "\(name(node)) and redis do not reach each other for \(Self.span(length))"
        case .disconnect(let node): return "redis closes the connections of \(name(node))"
        case .disturb(let node, let mood, let length):
            let words = [mood.drops ? "lost" : nil, mood.repeats ? "doubled" : nil, mood.garbles ? "garbled" : nil]
            return "messages to \(name(node)) are \(words.compactMap(\.self).joined(separator: ", ")) for "
                + Self.span(length)
        case .fillDisk(let number, let length): return "the disk of \(issuer(number)) is full for \(Self.span(length))"
        case .excuse(let number, let other):
            return "an operator excuses \(issuer(number)) at \(issuer(other)), if that waits for it"
        default: return redisWords(event)
        }
    }

    private func redisWords(_ event: Event) -> String {
        switch event {
        case .freezeRedis(let length): "redis is stopped for \(Self.span(length))"
        case .setRedisWall(let jump, let length):
            "the civil clock of redis is set by \(Self.span(jump))\(Self.words(for: length))"
        case .restartRedis(let finding, let down):
            "redis restarts \(words(finding)), and is down for \(Self.span(down))"
        case .failOver(let lag, let staying, let length):
            "a replica takes over that is behind by \(Self.span(lag)); "
                + (staying.isEmpty ? "nobody" : staying.map(name).joined(separator: ", "))
                + " stays with the old master for \(Self.span(length))"
        case .revisit(let node, let length):
            "\(name(node)) finds the old master again for \(Self.span(length)), if that still runs"
        case .flush: "FLUSHALL"
        case .delete(let key): "the key \(key) is deleted"
        case .deleteChunk: "a chunk of the live set is deleted"
        case .trim: "the log is trimmed to its last commit"
        case .failScripts(let length): "scripts fail now and then for \(Self.span(length))"
        case .damage(.key(let key)): "the key \(key) is replaced by one of another type"
        case .damage(let damage): "something else is written into redis: \(damage)"
        default: "\(event)"
        }
    }

    private func words(_ finding: Finding) -> String {
        switch finding {
        case .everything: "with its data"
        case .all(let lost): "without the last \(Self.span(lost)) of its data"
        case .nothing: "without data"
        }
    }
}
