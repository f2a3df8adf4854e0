import Quash
import QuashRedis

/// The scripts of the feed, and how their arguments and answers are written. The scripts themselves are in `Scripts/`.
enum FeedScript {
    static let open = script("open", PackageResources.open_lua, allowsFullMemory: true)
    static let revoke = script("revoke", PackageResources.revoke_lua, allowsFullMemory: true)
    static let renew = script("renew", PackageResources.renew_lua, allowsFullMemory: true)
    static let leave = script("leave", PackageResources.leave_lua, allowsFullMemory: true)
    static let nodes = script("nodes", PackageResources.nodes_lua, allowsFullMemory: true)

    static let channel = "{quash}:feed"
    static let directoryKey = "{quash}:live"

    /// What every script takes as its one key: the registry, which validators may write. It also routes in a cluster.
    static let keys: [[UInt8]] = [Array("{quash}:nodes".utf8)]

    /// Commits kept for replay; who was away for longer reads the live set.
    static let maxLogCommits = 100_000
    /// Commits answered to one renewal: with 100 revocations each, 1.3 MiB.
    static let maxRecordsPerRenewal = 500
    /// Seconds that Redis keeps what has expired, for clocks that disagree.
    static let retainSeconds = 600
    /// How long a node whose lease has ended is still listed, in milliseconds.
    private static let listedAfterEndMilliseconds = 60_000
    /// The furthest expiry, in periods of the live set from now: 31 days.
    static let horizonPeriods = 31 * 86_400 / Int(LivePage.periodSeconds)

    /// `flags=allow-oom`: a Redis that is full must still take a revocation.
    private static func script(_ name: String, _ source: [UInt8], allowsFullMemory: Bool) -> RedisScript {
        let first = allowsFullMemory ? "#!lua flags=allow-oom\n" : ""
        let body = String(decoding: PackageResources.check_lua + source, as: UTF8.self)
        return RedisScript(name: name, source: first + body)
    }

    static func text(_ value: some CustomStringConvertible) -> [UInt8] { Array(value.description.utf8) }

    static func renewArguments(node: String, _ request: RenewRequest, lease: Duration) -> [[UInt8]] {
        [
            text(node), text(request.position?.epoch.description ?? ""), text(request.position?.sequence ?? 0),
            text(lease.wholeMilliseconds), text(request.damagedEpoch?.description ?? ""), text(BuildVersion.current),
            text(maxRecordsPerRenewal), text(listedAfterEndMilliseconds),
        ]
    }

    static var nodesArguments: [[UInt8]] { [text(listedAfterEndMilliseconds)] }

    static func openArguments(nonce: Epoch) -> [[UInt8]] {
        [
            text(nonce), text(LivePage.periodSeconds), text(LivePage.chunkBytes), text(horizonPeriods),
            text(retainSeconds),
        ]
    }

    static func revokeArguments(
        epoch: Epoch, request: String, isAwaited: Bool, _ revocations: [Revocation]
    ) -> [[UInt8]] {
        precondition(revocations.count <= RevocationCodec.maxRevocationsPerCommit, "too many revocations in one commit")
        var periods: [UInt32: [UInt8]] = [:]
        for revocation in revocations {
            let period = LivePage.period(ofExpiry: revocation.expiresAtSeconds)
            RevocationCodec.encode(revocation, into: &periods[period, default: []])
        }
        let fixed = [
            text(epoch), text(request), text(isAwaited ? 1 : 0), text(maxLogCommits), text(LivePage.chunkBytes),
            text(LivePage.periodSeconds), text(retainSeconds), RevocationCodec.encode(revocations),
        ]
        return fixed + periods.sorted { $0.key < $1.key }.flatMap { [text($0.key), $0.value] }
    }

    static func pageCommand(_ page: LivePage) -> RedisCommand {
        RedisCommand(
            "GETRANGE", "\(directoryKey):\(page.period):\(page.chunk)", "\(page.offset)",
            "\(page.offset + LivePage.pageBytes - 1)")
    }
}

/// An answer of a script that this version does not understand.
struct FeedAnswerError: Error, CustomStringConvertible {
    let script: RedisScript

    var description: String { "the script \(script.name) answered something else than expected" }
}

/// Reads the parts of a script's answer, in order.
private struct AnswerReader {
    let script: RedisScript
    var parts: ArraySlice<RESPValue>

    init(_ value: RESPValue, of script: RedisScript) throws(FeedAnswerError) {
        guard let elements = value.elements else { throw FeedAnswerError(script: script) }
        self.script = script
        parts = elements[...]
    }

    mutating func next<Value>(_ read: (RESPValue) -> Value?) throws(FeedAnswerError) -> Value {
        guard let part = parts.popFirst(), let value = read(part) else { throw FeedAnswerError(script: script) }
        return value
    }

    mutating func text() throws(FeedAnswerError) -> String { try next(\.text) }

    mutating func integer() throws(FeedAnswerError) -> Int64 { try next(\.integer) }

    mutating func position() throws(FeedAnswerError) -> FeedPosition {
        let epoch = try next { $0.text.flatMap { Epoch($0) } }
        return FeedPosition(epoch: epoch, sequence: try next { $0.integer.flatMap(UInt64.init(exactly:)) })
    }
}

extension RenewReply {
    init(_ value: RESPValue) throws(FeedAnswerError) {
        let script = FeedScript.renew
        var answer = try AnswerReader(value, of: script)
        switch try answer.text() {
        case "recovering": self = .recovering
        case "elsewhere": self = .elsewhere(try answer.position())
        case "gap": self = .gap(head: try answer.position())
        case "entries":
            let head = try answer.position()
            let lease = try answer.integer()
            let records = answer.parts.compactMap(\.bytes)
            guard records.count == answer.parts.count else { throw FeedAnswerError(script: script) }
            self = .entries(
                records: records, head: head.sequence, lease: lease > 0 ? .milliseconds(lease) : nil)
        default: throw FeedAnswerError(script: script)
        }
    }
}

extension LiveDirectory {
    /// - Parameter value: the answer of HGETALL.
    init(_ value: RESPValue) throws(FeedAnswerError) {
        guard let parts = value.elements, parts.count.isMultiple(of: 2) else {
            throw FeedAnswerError(script: FeedScript.renew)
        }
        var epoch: Epoch?
        var bytes: [UInt32: Int] = [:]
        for index in stride(from: 0, to: parts.count, by: 2) {
            let name = parts[index].text ?? ""
            if name == "epoch" {
                epoch = parts[index + 1].text.flatMap { Epoch($0) }
            } else if let period = UInt32(name), let total = parts[index + 1].integer, total >= 0 {
                bytes[period] = Int(total)
            }
        }
        self.init(epoch: epoch, bytes: bytes)
    }
}

/// What the `revoke` script answers.
enum RevokeReply: Equatable {
    case stored(FeedPosition)
    /// Another epoch is open.
    case elsewhere(Epoch)
    case recovering

    init(_ value: RESPValue) throws(FeedAnswerError) {
        var answer = try AnswerReader(value, of: FeedScript.revoke)
        switch try answer.text() {
        case "stored": self = .stored(try answer.position())
        case "elsewhere":
            guard let epoch = Epoch(try answer.text()) else { throw FeedAnswerError(script: FeedScript.revoke) }
            self = .elsewhere(epoch)
        case "recovering": self = .recovering
        default: throw FeedAnswerError(script: FeedScript.revoke)
        }
    }
}

/// What the `open` script answers: the open epoch, and whether this call opened it.
struct OpenReply: Equatable {
    let epoch: Epoch
    let isNew: Bool

    init(_ value: RESPValue) throws(FeedAnswerError) {
        var answer = try AnswerReader(value, of: FeedScript.open)
        guard try answer.text() == "open", let epoch = Epoch(try answer.text()) else {
            throw FeedAnswerError(script: FeedScript.open)
        }
        self.epoch = epoch
        isNew = try answer.integer() == 1
    }
}

/// One line of the lease registry.
struct NodeEntry: Equatable {
    /// `<node id>/<boot id>`: two processes with one node id are two nodes.
    let node: String
    let applied: UInt64
    let leaseLeftMilliseconds: Int64
    let version: String
}

/// What the `nodes` script answers; nil while no epoch is open.
struct NodesReply: Equatable {
    /// The times and spans that an answer may have, until the year 10889.
    private static let milliseconds: Range<Int64> = 0..<(1 << 48)

    let head: FeedPosition
    let nodes: [NodeEntry]

    init?(_ value: RESPValue) throws(FeedAnswerError) {
        var answer = try AnswerReader(value, of: FeedScript.nodes)
        switch try answer.text() {
        case "recovering": return nil
        case "nodes": break
        default: throw FeedAnswerError(script: FeedScript.nodes)
        }
        head = try answer.position()
        let now = try answer.integer()
        var nodes: [NodeEntry] = []
        for line in try answer.text().split(separator: "\n") {
            let fields = line.split(separator: " ")
            // Validators write these lines themselves: a broken one must not stop the issuer.
            guard fields.count == 5, let applied = UInt64(fields[0]), let granted = Int64(fields[1]),
                let lease = Int64(fields[2]), Self.milliseconds.contains(now), Self.milliseconds.contains(granted),
                Self.milliseconds.contains(lease)
            else { throw FeedAnswerError(script: FeedScript.nodes) }
            nodes.append(
                NodeEntry(
                    node: String(fields[4]), applied: applied, leaseLeftMilliseconds: max(0, granted + lease - now),
                    version: String(fields[3])))
        }
        self.nodes = nodes
    }
}
