import Quash
import QuashRedis

/// An answer of a script that this version does not understand.
struct FeedAnswerError: Error, CustomStringConvertible {
    let script: RedisScript

    var description: String { "the script \(script.name) answered something else than expected" }
}

extension Error {
    /// Whether the data of the feed may be why Redis refused a step, or answered what makes no sense. What Redis
    /// is not ready for (`LOADING`, `BUSY`, `OOM`, `READONLY`) passes, and a right that is missing (`NOPERM`) says
    /// nothing of the data.
    var isRefusal: Bool {
        if self is FeedAnswerError { return true }
        return ["ERR", "WRONGTYPE"].contains((self as? RedisError)?.serverPrefix)
    }
}

extension Result<RESPValue, RedisError> {
    /// The answer about a page of the live set: null where a key of another type stands in its place.
    var page: Self {
        if case .failure(let error) = self, error.serverPrefix == "WRONGTYPE" { .success(.null) } else { self }
    }
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

    mutating func layout() throws(FeedAnswerError) -> FeedLayout {
        FeedLayout(rawValue: try next { $0.integer.flatMap(Int.init(exactly:)) })
    }

    mutating func epoch() throws(FeedAnswerError) -> Epoch { try next { $0.text.flatMap { Epoch($0) } } }

    mutating func position() throws(FeedAnswerError) -> FeedPosition {
        FeedPosition(epoch: try epoch(), sequence: try next { $0.integer.flatMap(UInt64.init(exactly:)) })
    }
}

extension RenewReply {
    init(_ value: RESPValue) throws(FeedAnswerError) {
        let script = FeedScript.renew
        var answer = try AnswerReader(value, of: script)
        switch try answer.text() {
        case "recovering": self = .recovering
        case "layout": self = .newer(try answer.layout())
        case "elsewhere": self = .elsewhere(try answer.position())
        case "gap": self = .gap(head: try answer.position())
        case "entries":
            let head = try answer.position()
            let lease = try answer.integer()
            let records = answer.parts.compactMap(\.bytes)
            guard records.count == answer.parts.count, lease < Registry.leases.upperBound else {
                throw FeedAnswerError(script: script)
            }
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
        var isReadable = true
        for index in stride(from: 0, to: parts.count, by: 2) {
            let name = parts[index].text ?? ""
            if name == "epoch" {
                epoch = parts[index + 1].text.flatMap { Epoch($0) }
            } else if let period = UInt32(name), "\(period)" == name, let total = parts[index + 1].integer, total >= 0 {
                bytes[period] = Int(total)
            } else {
                isReadable = false
            }
        }
        self.init(epoch: epoch, bytes: bytes, isReadable: isReadable)
    }
}

/// What the `begin` script answers.
enum BeginAnswer: Equatable {
    case epoch(BeginReply)
    /// The last epoch ended because its data was damaged, and none is begun before the caller has waited.
    case damaged(EpochDamage)

    init(_ value: RESPValue) throws(FeedAnswerError) {
        var answer = try AnswerReader(value, of: FeedScript.begin)
        if try answer.text() == "damaged" {
            self = .damaged(EpochDamage(rawValue: try answer.text()) ?? .unreadable)
        } else {
            self = .epoch(try BeginReply(value))
        }
    }
}

extension RegisterReply {
    init(_ value: RESPValue) throws(FeedAnswerError) {
        var answer = try AnswerReader(value, of: FeedScript.register)
        switch try answer.text() {
        case "registered": self = .registered(try answer.layout())
        case "newer": self = .newer(try answer.layout())
        case "taken": self = .taken(try answer.next { $0.text.flatMap { Nonce($0) } })
        case "copied": self = .copied
        case "behind": self = .behind(count: try answer.next { $0.text.flatMap { UInt64($0) } })
        default: throw FeedAnswerError(script: FeedScript.register)
        }
    }
}

/// What the `layout` script answers: the layout of the feed; nil while no epoch is open.
struct LayoutReply {
    let layout: FeedLayout?

    init(_ value: RESPValue) throws(FeedAnswerError) {
        var answer = try AnswerReader(value, of: FeedScript.layout)
        layout = try answer.text() == "layout" ? try answer.layout() : nil
    }
}

extension RegisteredIssuer {
    /// - Parameter line: `<outbox> <start> <count> <name>`.
    fileprivate init?(line: Substring) {
        let fields = line.split(separator: " ", maxSplits: 3)
        guard fields.count == 4, let outbox = Nonce(fields[0]), let start = Nonce(fields[1]) else { return nil }
        self.init(name: String(fields[3]), outbox: outbox, start: start)
    }
}

extension BeginReply {
    init(_ value: RESPValue) throws(FeedAnswerError) {
        var answer = try AnswerReader(value, of: FeedScript.begin)
        let state = try answer.text()
        let epoch = try answer.epoch()
        let isNew = try answer.integer() == 1
        let lease = try answer.integer()
        let fence = try answer.integer()
        let damage = try answer.text()
        guard state == "open" || state == "restoring", Registry.leases.contains(lease),
            (0...3600).contains(fence)
        else {
            throw FeedAnswerError(script: FeedScript.begin)
        }
        self.init(
            epoch: epoch, isOpen: state == "open", lease: .milliseconds(lease), fence: .seconds(fence), isNew: isNew,
            damage: damage.isEmpty ? nil : EpochDamage(rawValue: damage) ?? .unreadable)
    }
}

extension RestoredReply {
    init(_ value: RESPValue) throws(FeedAnswerError) {
        var answer = try AnswerReader(value, of: FeedScript.restored)
        switch try answer.text() {
        case "open": self = .open
        case "waiting": self = .waiting(try answer.text().split(separator: ",").map(String.init))
        case "elsewhere": self = .elsewhere(try answer.epoch())
        case "recovering": self = .recovering
        default: throw FeedAnswerError(script: FeedScript.restored)
        }
    }
}

extension RevokeReply {
    init(_ value: RESPValue) throws(FeedAnswerError) {
        var answer = try AnswerReader(value, of: FeedScript.revoke)
        switch try answer.text() {
        case "stored": self = .stored(try answer.position(), Registry(try answer.text()))
        case "elsewhere": self = .elsewhere(try answer.epoch())
        case "recovering": self = .recovering
        case "displaced": self = .displaced
        default: throw FeedAnswerError(script: FeedScript.revoke)
        }
    }
}

extension Registry {
    /// The times that an answer may have, until the year 10889.
    fileprivate static let times: Range<Int64> = 0..<(1 << 48)
    /// The leases, up to 49 days: far from what cannot be reckoned with.
    fileprivate static let leases: Range<Int64> = 0..<(1 << 32)

    fileprivate init(_ text: String) {
        self.init(entries: text.split(separator: "\n").map { Entry(line: $0) })
    }
}

extension Registry.Entry {
    /// Validators write these lines themselves, and a broken one must stop nobody. It may be that of a node which
    /// holds a lease, so it stands for one that has applied nothing and was granted the longest lease that there is.
    fileprivate init(line: Substring) {
        let fields = line.split(separator: " ")
        guard fields.count == 5, let applied = UInt64(fields[0]), let granted = Int64(fields[1]),
            let lease = Int64(fields[2]), Registry.times.contains(granted), Registry.leases.contains(lease)
        else {
            self.init(
                node: Registry.unreadablePrefix + line, applied: 0, grantedMilliseconds: 0,
                lease: .milliseconds(Registry.leases.upperBound), version: "-")
            return
        }
        self.init(
            node: String(fields[4]), applied: applied, grantedMilliseconds: granted, lease: .milliseconds(lease),
            version: String(fields[3]))
    }
}

/// What the `nodes` script answers; nil while no epoch is open.
struct NodesReply: Equatable {
    let head: FeedPosition
    let registry: Registry
    /// Lines that are none are left out.
    let issuers: [RegisteredIssuer]

    init?(_ value: RESPValue) throws(FeedAnswerError) {
        var answer = try AnswerReader(value, of: FeedScript.nodes)
        switch try answer.text() {
        case "recovering": return nil
        case "nodes": break
        default: throw FeedAnswerError(script: FeedScript.nodes)
        }
        head = try answer.position()
        registry = Registry(try answer.text())
        issuers = try answer.text().split(separator: "\n").compactMap { RegisteredIssuer(line: $0) }
    }
}
