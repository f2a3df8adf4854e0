import Quash
import QuashJSON
import QuashRedis

@testable import QuashServer

/// A body of an administrator either names what is revoked or is refused: every revocation that comes of it can be
/// written to the feed and read again.
func fuzzAdminRequest(_ bytes: [UInt8]) throws(BrokenProperty) {
    let now = ClockReading.now().wall
    guard
        let request = try? RevocationRequest(
            bytes, now: now, bound: now, tolerance: .seconds(5), horizon: 1_800_000_000)
    else { return }
    let record = RevocationCodec.encode(request.revocations)
    try require((try? RevocationCodec.decode(record)) == request.revocations, "stored, another revocation")
    try require(!request.revocations.isEmpty, "a body that revokes nothing was taken")
    try require(request.revocations.allSatisfy { $0.key.kind == request.kind }, "another kind than was named")
}

/// What Redis answers is taken apart without a trap, by every reader of answers there is, whatever was asked.
func fuzzRedisAnswer(_ bytes: [UInt8]) throws(BrokenProperty) {
    guard let value = try? JSONValue(parsing: bytes.span).redisValue else { return }
    _ = try? RevokeReply(value)
    _ = try? BeginReply(value)
    _ = try? RestoredReply(value)
    if let reply = try? NodesReply(value) { fuzzFleet(reply) }
    let texts = (value.elements ?? []).map { $0.text ?? "" }
    let fields = zip(texts, texts.dropFirst()).map { (name: $0, value: $1) }
    if let record = SessionRecord(fields: fields) {
        try require(SessionRecord(fields: record.fields) == record, "stored again, another session")
        _ = "\(record.created) \(record.rotated)"
    }
    try fuzzFeedMachine(value)
}

/// Judges a fleet that says anything of itself.
private func fuzzFleet(_ reply: NodesReply) {
    let now = ClockReading(boot: BootInstant(nanoseconds: 1_000_000_000), wallNanoseconds: 1_800_000_000_000_000_000)
    var fleet = Fleet(lease: .seconds(5), fence: .zero)
    fleet.entered(reply.head.epoch, lease: .seconds(5), fence: .zero, now: now.boot)
    var confirmation = fleet.confirmation(of: reply.head, among: reply.registry, now: now)
    _ = fleet.progress(of: &confirmation, now: now.boot + .seconds(6))
    _ = fleet.receipt(of: reply.head, now: now.boot)
    _ = FleetListing(fleet, head: reply.head.sequence, now: now.boot).nodes.map { JSONValue.object($0).serialized() }
    _ = fleet.duplicates(now: now.boot) + fleet.forgettable(now: now.boot).map(\.node)
}

/// Follows a feed that answers every renewal with `value` and every page with nothing.
private func fuzzFeedMachine(_ value: RESPValue) throws(BrokenProperty) {
    let now = ClockReading(boot: BootInstant(nanoseconds: 1_000_000_000), wallNanoseconds: 1_800_000_000_000_000_000)
    let settings = Feed.Settings(lease: .seconds(5), renewInterval: .seconds(1))
    var feed = Feed(settings: settings, seed: 1)
    var actions = feed.connected(now: now)
    for _ in 0..<20 {
        var next: [Feed.Action] = []
        for action in actions {
            switch action {
            case .renew:
                guard let reply = try? RenewReply(value) else { return }
                next += feed.renewed(reply, now: now)
            case .readDirectory:
                guard let directory = try? LiveDirectory(value) else { return }
                next += feed.received(directory, now: now)
            case .read:
                next += feed.received(page: [], now: now)
            case .extend(let grant):
                try require(grant.end <= now.boot + settings.lease, "a longer lease than was asked for")
            case .apply, .dropLease, .wake, .report:
                break
            }
        }
        actions = next
    }
}

extension JSONValue {
    /// The same as Redis would say it: easier to come by for a fuzzer, and to read for people, than the counts of RESP.
    fileprivate var redisValue: RESPValue {
        switch self {
        case .null: .null
        case .bool(let bool): .simple(Array((bool ? "OK" : "QUEUED").utf8))
        case .number(let number): number.integer.map { .integer($0) } ?? .error("ERR \(number.text)")
        case .string(let string): .bulk(Array(string.utf8))
        case .array(let elements): .array(elements.map(\.redisValue))
        case .object(let object):
            .array(object.members.flatMap { [.bulk(Array($0.name.utf8)), $0.value.redisValue] })
        }
    }
}
