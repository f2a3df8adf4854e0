import Glibc
import NemesisHistory
import Quash
import QuashRedis
import TestSupport

extension Injector {
    func injectIntoProcesses(_ fault: Fault) throws {
        switch fault {
        case .killValidator: try restart(validator(), after: time(0, 1.5))
        case .leaveValidator:
            let node = validator()
            try outage(of: [node], keepsLease: false, regain: start) {
                try node.end()
                sleep(time(0, 0.5))
                try node.start()
            }
        case .killIssuer, .leaveIssuer:
            let node = issuer()
            if fault == .killIssuer { node.kill() } else { try node.end() }
            sleep(time(0, 2))
            try node.start()
        case .killBothIssuers:
            for node in fleet.issuers { node.kill() }
            sleep(time(0.5, 3))
            for node in fleet.issuers { try node.start() }
        case .stopValidator:
            let node = validator()
            outage(of: [node]) { stop(node, for: time(0.5, 3)) }
        case .stopIssuer: stop(issuer(), for: time(0.5, 3))
        case .stopRedis:
            outage(of: nil) {
                fleet.redis.signal(SIGSTOP)
                sleep(time(0.3, 3))
                fleet.redis.signal(SIGCONT)
            }
        case .twin: try runTwin()
        default: break
        }
    }

    private func runTwin() throws {
        let twin = fleet.twin
        try outage(of: [twin], keepsLease: false, regain: start) { try twin.start() }
        traffic.add(twin)
        traffic.ask(twin)
        sleep(start)
        // Both at once, then one of them stands still, then one dies.
        outage(of: [twin]) { stop(twin, for: time(1, 2)) }
        sleep(timing.regain(reading: 0))
        traffic.remove(twin)
        twin.kill()
    }

    func injectIntoData(_ fault: Fault) throws {
        switch fault {
        case .killRedis: try epochEnds { try restartRedis(.kept, after: time(0, 1.5)) }
        case .loseTail:
            let bytes = Int.random(in: 1_000...100_000, using: &random)
            try epochEnds {
                try restartRedis(.withoutTail(bytes: bytes), persistence: .everysec, after: time(0, 1))
            }
        case .loseData: try epochEnds { try restartRedis(.lost, after: time(0, 1)) }
        case .yesterday: try epochEnds { try restartRedis(.yesterday, after: time(0, 1)) }
        case .noAppendOnlyFile: try epochEnds { try restartRedis(.lost, persistence: .none, after: time(0, 1)) }
        case .flushAll: try epochEnds { try fleet.redis.call("FLUSHALL") }
        case .flushScripts: try fleet.redis.call("SCRIPT", "FLUSH")
        case .deleteKey:
            let name = ["epoch", "seq", "live", "nodes"].randomElement(using: &random) ?? "epoch"
            remark = name
            try epochEnds { try fleet.redis.call("DEL", "{quash}:\(name)") }
        case .deleteLog: try fleet.redis.call("DEL", "{quash}:log")
        case .deleteChunk:
            let keys = try fleet.redis.call("KEYS", "{quash}:live:*").elements ?? []
            guard let key = keys.compactMap(\.text).sorted().randomElement(using: &random) else { return }
            // Whoever starts finds out, and asks the issuers to restore it.
            try epochEnds {
                try fleet.redis.call("DEL", key)
                try restart(validator(), after: .zero)
            }
        default: try spoil(fault)
        }
    }

    /// Writes what no script writes.
    private func spoil(_ fault: Fault) throws {
        switch fault {
        case .spoilRecord:
            let script = """
                local head = redis.call('INCR', '{quash}:seq')
                return redis.call('XADD', KEYS[1], head .. '-0', 'r', 'no revocation')
                """
            // Whoever meets it drops its lease.
            try epochEnds(keepsLease: false) { try fleet.redis.call("EVAL", script, "1", "{quash}:log") }
        case .spoilChunk:
            let keys = try fleet.redis.call("KEYS", "{quash}:live:*").elements ?? []
            guard let key = keys.compactMap(\.text).sorted().randomElement(using: &random) else { return }
            try epochEnds {
                try fleet.redis.call("SETRANGE", key, "0", "no revocation")
                try restart(validator(), after: .zero)
            }
        case .spoilKey:
            let name = ["epoch", "seq", "live", "nodes"].randomElement(using: &random) ?? "epoch"
            remark = name
            let script = "redis.call('DEL', KEYS[1]) return redis.call('SADD', KEYS[1], 'x')"
            try epochEnds { try fleet.redis.call("EVAL", script, "1", "{quash}:\(name)") }
        default: break
        }
    }

    func injectIntoLinks(_ fault: Fault) throws {
        switch fault {
        case .killSubscribers: try fleet.redis.call("CLIENT", "KILL", "TYPE", "pubsub")
        case .killClients: try fleet.redis.call("CLIENT", "KILL", "TYPE", "normal")
        case .outputBuffer: try burstIntoSmallBuffers()
        case .partitionValidator:
            let node = validator()
            try outage(of: [node]) { try trouble(node.name, partition(), for: time(0.3, 3)) }
        case .lateAnswer: try answerLate(to: validator())
        case .partitionIssuer:
            try trouble(issuer().name, partition(), for: time(0.3, 3))
        case .slowLinks:
            let delay = Duration.milliseconds(Int.random(in: 20...60, using: &random))
            for relay in fleet.relays.values { try relay.set(Relay.Trouble(delay: delay)) }
            sleep(time(1, 3))
            for relay in fleet.relays.values { try relay.set(Relay.Trouble()) }
        case .clockOfValidator: try setClock(of: fleet.validators[2])
        case .clockOfIssuer:
            traffic.setClocksAgree(false)
            try fleet.setClock(of: "b", seconds: wrongTime())
            sleep(time(1, 2))
            try fleet.setClock(of: "b", seconds: 0)
            // Whoever was about to ask has asked.
            sleep(.milliseconds(200))
            traffic.setClocksAgree(true)
        default: break
        }
    }

    /// A renewal is granted, its answer comes most of a lease later, and after it nothing: no message, no renewal. The
    /// lease counts from when it was asked for.
    private func answerLate(to node: Node) throws {
        guard let relay = fleet.relays[node.name] else { return }
        try outage(of: [node]) {
            try relay.set(Relay.Trouble(isSilentDownwards: true))
            sleep(timing.lease * 8 / 10)
            try relay.set(Relay.Trouble(isSilentUpwards: true, isSilentDownwards: true))
            try fleet.redis.call("CLIENT", "KILL", "TYPE", "pubsub")
            sleep(.milliseconds(20))
            try relay.set(Relay.Trouble(isSilentUpwards: true))
            sleep(time(1, 1.3))
            try relay.set(Relay.Trouble())
        }
    }

    /// Off, and right again.
    private func wrongTime() -> Double {
        let choices: [Double] = [-3_600, -0.8, 0.5, 0.8, 3_600]
        let seconds = choices.randomElement(using: &random) ?? 0.5
        remark = "\(seconds) s"
        return seconds
    }

    private func setClock(of validator: Node) throws {
        let seconds = wrongTime()
        guard abs(seconds) > 1 else {
            try set(seconds, of: validator)
            sleep(time(1, 2))
            return try set(0, of: validator)
        }
        // Nothing is granted by it. It is compared each two seconds, and then the live set is read.
        try outage(of: [validator], keepsLease: false, regain: start + .seconds(2) + timing.renewInterval * 11 / 10) {
            try fleet.setClock(of: validator.name, seconds: seconds)
            sleep(time(1, 2))
            try fleet.setClock(of: validator.name, seconds: 0)
        }
    }

    /// The lease counts as ended until the next renewal that is asked for by the new time.
    private func set(_ seconds: Double, of node: Node) throws {
        try outage(of: [node], keepsLease: false, regain: regain + timing.renewInterval * 11 / 10) {
            try fleet.setClock(of: node.name, seconds: seconds)
        }
    }

    /// Subscribers lose their connections, and with them what was published meanwhile.
    private func burstIntoSmallBuffers() throws {
        try fleet.redis.call("CONFIG", "SET", "client-output-buffer-limit", "pubsub 1kb 1kb 1")
        let before = try subscribers()
        try fleet.relays["v1"]?.set(Relay.Trouble(isSilentDownwards: true))
        traffic.burst(at: issuer())
        sleep(.milliseconds(300))
        try fleet.relays["v1"]?.set(Relay.Trouble())
        // Those of the acknowledgements, one for each issuer, hear little enough to stay.
        poll(within: .seconds(1)) {
            before.intersection((try? subscribers()) ?? before).count <= fleet.issuers.count
        }
        let lost = before.subtracting(try subscribers()).count
        remark = "\(lost) of \(before.count) subscribers were dropped"
        try fleet.redis.call("CONFIG", "SET", "client-output-buffer-limit", "pubsub 32mb 8mb 60")
    }

    private func subscribers() throws -> Set<String> {
        let list = try fleet.redis.call("CLIENT", "LIST", "TYPE", "pubsub").text ?? ""
        return Set(list.split(separator: "\n").compactMap { $0.split(separator: " ").first }.map(String.init))
    }
}
