import QuashRedis
import TestSupport
import Testing

@testable import Quash
@testable import QuashServer
@testable import QuashSimulation

/// The model of Redis by which the protocol is simulated is held against a real one: random sequences of scripts,
/// reads and losses, equal answers, equal messages, and an equal state at the end.
@Suite struct ModelRedisTests {
    @Test(arguments: 0..<4 as Range<UInt64>)
    func theModelAnswersAsRedisDoes(seed: UInt64) throws {
        // With one entry in each node of the stream, trimming it is exact, as the model does it.
        let redis = try RedisServer.start(.init(settings: ["stream-node-max-entries": "1"]))
        let twins = try TwinRedis(redis, seed: seed)
        for _ in 0..<12 {
            try twins.reset()
            for _ in 0..<60 { try twins.step() }
            try twins.compare()
        }
        #expect(twins.commands >= 700)
        // A sequence in which nothing is granted or stored says little.
        #expect(twins.answers.filter { $0 == "granted" }.count > 40)
        #expect(twins.answers.filter { $0 == "stored" }.count > 80)
        #expect(twins.answers.filter { $0 == "gap" }.count > 3)
        #expect(twins.answers.filter { $0 == "lost" }.count > 3)
        #expect(twins.answers.filter { $0 == "too soon" }.count > 3)
    }
}

/// A real Redis and the model, to which the same happens.
private final class TwinRedis {
    private let script: ScriptCaller
    private var model = ModelRedis(runID: "")
    private var limits = ModelRedis.Limits()
    private var random: SplitMix64
    private var nonces: [Epoch] = []
    private var seen: [Registry.Entry] = []
    private let messages: Recorder<[UInt8]>
    private let acknowledgements: Recorder<[UInt8]>
    private var expectedMessages: [FeedMessage] = []
    private var expectedAcknowledgements: [Acknowledgement] = []
    private let runID: String
    private(set) var commands = 0
    private(set) var answers: [String] = []

    init(_ redis: RedisServer, seed: UInt64) throws {
        script = try ScriptCaller(of: redis)
        random = SplitMix64(state: seed)
        messages = try script.caller.messages(on: FeedScript.channel)
        acknowledgements = try script.caller.messages(on: FeedScript.acknowledgementsChannel)
        let info = try #require(try script.caller.call("INFO", "replication").text)
        let line = info.split(whereSeparator: \.isNewline).first { $0.hasPrefix("master_replid:") }
        runID = String(try #require(line).dropFirst(14))
    }

    func reset() throws {
        try script.caller.call("FLUSHALL")
        model = ModelRedis(runID: runID)
        limits.chunkBytes = [60, 200, 1 << 20].randomElement(using: &random)!
        limits.logCommits = [1, 3, 100].randomElement(using: &random)!
        limits.recordsPerRenewal = [1, 2, 500].randomElement(using: &random)!
        nonces = (0..<3).map { _ in Epoch(hexadecimal(random.next()))! }
        seen = []
    }

    // MARK: Steps

    func step() throws {
        commands += 1
        model.time = ClockReading.now().wallNanoseconds / 1000
        // Without an epoch that is open little can be told apart: it is opened soon, and not at once.
        if model.current?.isOpen != true, Bool.random(using: &random) {
            return try model.current == nil ? begin() : restored()
        }
        switch Int.random(in: 0..<42, using: &random) {
        case 0: try begin()
        case 1: try restored()
        case 2...14: try revoke()
        case 15...29: try renew()
        case 30: try leave()
        case 31, 32: try nodes()
        case 33, 34: try forget()
        case 35, 36: try read()
        case 37: try trim()
        case 38: try register()
        case 39: try spoil()
        default: try lose()
        }
    }

    private func begin() throws {
        let nonce = nonces.randomElement(using: &random)!
        let lease = Int64.random(in: 1...6000, using: &random)
        let followsDamage = Bool.random(using: &random)
        let unreadable = Array(model.periods.shuffled(using: &random).prefix(Int.random(in: 0...2, using: &random)))
        var arguments = FeedScript.beginArguments(
            nonce: nonce, lease: .milliseconds(lease), followsDamage: followsDamage, unreadable: unreadable)
        arguments[2] = FeedScript.text(limits.chunkBytes)
        let answer = try BeginAnswer(script.caller.eval(FeedScript.begin, arguments))
        let cause = model.damage
        let expected = model.begin(
            nonce: nonce, leaseMilliseconds: lease, followsDamage: followsDamage, unreadable: unreadable, limits)
        #expect(answer == expected.map { .epoch($0) } ?? .damaged(cause ?? .lost))
        if expected == nil { answers.append("too soon") }
        if case .epoch(let reply) = answer, reply.isNew { nonces.append(nonce) }
    }

    /// Most often the epoch that is there.
    private func epoch() -> Epoch {
        let current = model.serving?.nonce
        let isOther = Int.random(in: 0..<8, using: &random) == 0
        return isOther ? nonces.randomElement(using: &random)! : current ?? nonces[0]
    }

    private func register() throws {
        let name = Bool.random(using: &random) ? "issuer" : "other"
        let starts = [ScriptCaller.start(1), ScriptCaller.start(2)]
        let identity = IssuerIdentity(
            name: name, outbox: ScriptCaller.outbox(Int.random(in: 1...2, using: &random)),
            start: starts.randomElement(using: &random)!,
            earlierStarts: Bool.random(using: &random) ? starts : [])
        let count = UInt64.random(in: 0...3, using: &random)
        let replaced = Bool.random(using: &random) ? nil : ScriptCaller.outbox(Int.random(in: 1...2, using: &random))
        let arguments = FeedScript.registerArguments(identity, count: count, replacing: replaced)
        let reply = try RegisterReply(script.caller.eval(FeedScript.register, arguments))
        #expect(reply == model.register(identity, count: count, replacing: replaced))
        answers.append("\(reply)")
    }

    private func restored() throws {
        let issuers = Bool.random(using: &random) ? ["a", "b"] : ["a"]
        let issuer = issuers.randomElement(using: &random)!
        let excused = Int.random(in: 0..<4, using: &random) == 0 ? ["b"] : []
        let epoch = epoch()
        let needed = Bool.random(using: &random) ? issuers : issuers + ["b#\(ScriptCaller.outbox(2))"]
        let bound = Bool.random(using: &random) ? "" : "\(issuer)#\(ScriptCaller.outbox(2))"
        let reply = try script.restored(issuer, of: needed, epoch: epoch, without: excused, bound: bound)
        #expect(reply == model.restored(epoch, issuer: issuer, needed: needed, excused: excused, bound: bound))
    }

    private func revoke() throws {
        let now = ClockReading.now().wall.seconds
        let revocations = (0..<Int.random(in: 1...3, using: &random)).map { _ in
            // Some expired so long ago that Redis keeps nothing of them.
            let offset = Int64.random(in: 0..<12, using: &random) == 0 ? -4 : Int64.random(in: 1...4, using: &random)
            let number = Int.random(in: 0..<20, using: &random)
            return Revocation(
                key: .subject("subject-\(number)"),
                issuedBefore: Bool.random(using: &random) ? WallInstant(milliseconds: Int64(number)) : nil,
                expiresAtSeconds: UInt32(now + offset * 3600))
        }
        let request = Bool.random(using: &random) ? "" : "request-\(Int.random(in: 0..<5, using: &random))"
        let commit = FeedWriter.Commit(
            revocations: revocations, requestID: request, isAwaited: Bool.random(using: &random))
        let epoch = epoch()
        // Most often that of an issuer that is registered.
        if model.issuers.isEmpty, Int.random(in: 0..<4, using: &random) != 0 { try register() }
        let line = model.issuers.sorted { $0.key.description < $1.key.description }.first
        let issuer = IssuerIdentity(
            name: "issuer", outbox: line?.key ?? ScriptCaller.outbox(1),
            start: Int.random(in: 0..<40, using: &random) == 0
                ? ScriptCaller.start(9) : line?.value.start ?? ScriptCaller.start(1))
        let count = UInt64.random(in: 0...3, using: &random)
        var arguments = FeedScript.revokeArguments(commit, to: epoch, by: issuer, count: count)
        arguments[3] = FeedScript.text(limits.logCommits)
        arguments[4] = FeedScript.text(limits.chunkBytes)
        let hadEpoch = model.current != nil
        let reply = try RevokeReply(script.caller.eval(FeedScript.revoke, arguments))
        let (expected, message) = model.revoke(commit, to: epoch, by: issuer, count: count, limits)
        #expect(reply.sorted == expected.sorted)
        if let message { expectedMessages.append(message) }
        if case .stored = reply { answers.append("stored") }
        if hadEpoch, model.current == nil { answers.append("lost") }
    }

    private func renew() throws {
        let node = "node/\(Int.random(in: 0..<3, using: &random))"
        let head = Int64(model.sequence ?? 0)
        let stated = UInt64(max(0, head - Int64.random(in: -1...4, using: &random)))
        let isNowhere = Int.random(in: 0..<8, using: &random) == 0
        let request = RenewRequest(
            position: isNowhere ? nil : FeedPosition(epoch: epoch(), sequence: stated),
            damagedEpoch: Int.random(in: 0..<30, using: &random) == 0 ? epoch() : nil,
            damage: EpochDamage.allCases.randomElement(using: &random)!,
            acknowledges: Bool.random(using: &random))
        let lease = Int64.random(in: 1...6000, using: &random)
        let reply = try script.renew(
            node, at: request.position, damagedEpoch: request.damagedEpoch, damage: request.damage,
            acknowledges: request.acknowledges, lease: .milliseconds(lease), most: limits.recordsPerRenewal)
        let before = model.nodes[node]?.grantedMilliseconds ?? 0
        let (expected, acknowledgement) = model.renew(
            node, request, leaseMilliseconds: lease,
            version: NodeFigures(version: BuildVersion.current).text, limits)
        #expect(reply == expected)
        if let acknowledgement { expectedAcknowledgements.append(acknowledgement) }
        if case .gap = reply { answers.append("gap") }
        guard case .entries(_, _, .some) = reply, let modelled = model.nodes[node] else { return }
        answers.append("granted")
        // The model's clock was read a little earlier.
        let line = try #require(try script.caller.call("HGET", "{quash}:nodes", node).text)
        let granted = try #require(line.split(separator: " ").dropFirst().first.flatMap { Int64($0) })
        #expect(granted > before)
        #expect(modelled.grantedMilliseconds - 1...modelled.grantedMilliseconds + 2000 ~= granted)
        model.nodes[node] = ModelRedis.Grant(
            applied: modelled.applied, grantedMilliseconds: granted, leaseMilliseconds: modelled.leaseMilliseconds,
            version: modelled.version)
    }

    private func leave() throws {
        let node = "node/\(Int.random(in: 0..<3, using: &random))"
        try script.caller.eval(FeedScript.leave, [FeedScript.text(node)])
        model.leave(node)
    }

    private func nodes() throws {
        let reply = try script.nodes()
        let expected = model.registryOfOpenEpoch
        #expect(reply?.head == expected?.head)
        #expect(reply?.registry.sorted == expected?.registry.sorted)
        #expect(reply?.issuers.sorted { $0.outbox.description < $1.outbox.description } == expected?.issuers)
        seen += reply?.registry.entries ?? []
    }

    private func forget() throws {
        let entries = Array(seen.shuffled(using: &random).prefix(2))
        guard !entries.isEmpty else { return }
        let reply = try script.caller.eval(FeedScript.forget, FeedScript.forgetArguments(entries))
        #expect(reply.elements?.last?.integer == Int64(model.forget(entries)))
    }

    private func read() throws {
        let directory = try LiveDirectory(script.caller.call("HGETALL", FeedScript.directoryKey))
        #expect(directory == model.liveDirectory)
        guard let period = directory.bytes.keys.sorted().randomElement(using: &random) else { return }
        let page = LivePage(
            period: period, chunk: Int.random(in: 0..<3, using: &random),
            offset: 20 * Int.random(in: 0..<3, using: &random))
        // Of a chunk that was spoiled there is none.
        let value = try? script.caller.call(
            "GETRANGE", "\(FeedScript.directoryKey):\(page.period):\(page.chunk)", "\(page.offset)",
            "\(page.offset + 39)")
        #expect(value?.bytes ?? [] == model.page(page, count: 40))
    }

    private func trim() throws {
        try script.caller.call("XTRIM", "{quash}:log", "MAXLEN", "1")
        model.log = model.log.suffix(1)
    }

    /// Writes what no script writes.
    private func spoil() throws {
        let chunks = model.chunks.keys.sorted { ($0.period, $0.number) < ($1.period, $1.number) }
        switch Int.random(in: 0..<4, using: &random) {
        case 0:
            let key = ModelRedis.Key.allCases.randomElement(using: &random)!
            try replace(Self.name(key))
            model.spoil(key)
        case 1:
            guard let chunk = chunks.randomElement(using: &random) else { return }
            try replace("\(FeedScript.directoryKey):\(chunk.period):\(chunk.number)")
            model.spoil(chunk)
        case 2:
            guard let period = model.directory.keys.sorted().randomElement(using: &random) else { return }
            let bytes = [nil, 0, 1 << 52].randomElement(using: &random)!
            try script.caller.call("HSET", FeedScript.directoryKey, "\(period)", bytes.map { "\($0)" } ?? "x")
            model.spoil(period, with: bytes)
        default:
            guard let head = model.sequence, model.current?.isOpen == true, !model.spoiledKeys.contains(.log) else {
                return
            }
            try script.caller.call("XADD", "{quash}:log", "\(head + 2)-0", "r", "x")
            model.log.append(ModelRedis.LogItem(sequence: head + 2, record: Array("x".utf8)))
        }
    }

    /// No key of the feed is a set.
    private func replace(_ key: String) throws {
        try script.caller.call("DEL", key)
        try script.caller.call("EVAL", "return redis.call('SADD', KEYS[1], 'x')", "1", key)
    }

    private func lose() throws {
        switch Int.random(in: 0..<6, using: &random) {
        case 0:
            let key = ModelRedis.Key.allCases.randomElement(using: &random)!
            try script.caller.call("DEL", Self.name(key))
            model.delete(key)
        case 1:
            // As if another process had served it.
            guard let serving = model.serving else { return }
            let other = String(repeating: "0", count: 40)
            let state = serving.isOpen ? "open" : "restoring"
            try script.caller.call(
                "SET", "{quash}:epoch", "\(serving.nonce) \(other) \(state) \(serving.leaseMilliseconds) 0")
            model.serving?.runID = other
        default:
            let chunks = model.chunks.keys.sorted { ($0.period, $0.number) < ($1.period, $1.number) }
            guard let chunk = chunks.randomElement(using: &random) else { return }
            try script.caller.call("DEL", "\(FeedScript.directoryKey):\(chunk.period):\(chunk.number)")
            model.delete(chunk)
        }
    }

    private static func name(_ key: ModelRedis.Key) -> String {
        switch key {
        case .epoch: "{quash}:epoch"
        case .sequence: "{quash}:seq"
        case .log: "{quash}:log"
        case .directory: "{quash}:live"
        case .nodes: "{quash}:nodes"
        case .restored: "{quash}:restored"
        case .issuers: "{quash}:issuers"
        }
    }

    // MARK: The end

    func compare() throws {
        let real = try RealRedis(script.caller)
        let modelled = RealRedis(model)
        #expect(real == modelled)
        let published = try messages.wait(count: expectedMessages.count).compactMap { FeedMessage($0) }
        #expect(published.map(\.timeless) == expectedMessages.map(\.timeless))
        let said = try acknowledgements.wait(count: expectedAcknowledgements.count).compactMap { Acknowledgement($0) }
        #expect(said == expectedAcknowledgements)
    }
}

extension Registry {
    fileprivate var sorted: [Entry] { entries.sorted { $0.node < $1.node } }
}

extension RevokeReply {
    /// The registry has no order.
    fileprivate var sorted: RevokeReply {
        guard case .stored(let position, let registry) = self else { return self }
        return .stored(position, Registry(entries: registry.sorted))
    }
}

extension FeedMessage {
    /// The two clocks are not read at the same instant.
    fileprivate var timeless: FeedMessage {
        FeedMessage(position: position, awaitingNodes: awaitingNodes, committedMicroseconds: 0, record: record)
    }
}
