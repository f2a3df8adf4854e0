import QuashRedis
import TestSupport

@testable import Quash
@testable import QuashServer

/// Calls the scripts of the feed as the roles do.
struct ScriptCaller {
    let redis: RedisServer
    let caller: RedisCaller

    init(_ options: RedisServer.Options = RedisServer.Options()) throws {
        try self.init(of: try RedisServer.start(options))
    }

    init(of redis: RedisServer) throws {
        self.redis = redis
        caller = try RedisCaller(redis)
    }

    static let first = Epoch("00000000000000aa")!
    static let second = Epoch("00000000000000bb")!

    static func outbox(_ number: Int) -> Nonce { Nonce("000000000000000\(number)")! }
    static func start(_ number: Int) -> Nonce { Nonce("000000000000001\(number)")! }
    /// Who calls the scripts.
    static let issuer = IssuerIdentity(name: "issuer", outbox: outbox(1), start: start(1))

    /// As an issuer does before all else.
    @discardableResult
    func register(
        _ identity: IssuerIdentity = issuer, count: UInt64 = 0, replacing replaced: Nonce? = nil
    ) throws -> RegisterReply {
        let arguments = FeedScript.registerArguments(identity, count: count, replacing: replaced)
        return try RegisterReply(caller.eval(FeedScript.register, arguments))
    }

    @discardableResult
    func begin(_ nonce: Epoch = first) throws -> BeginReply {
        try register()
        return try BeginReply(
            caller.eval(FeedScript.begin, FeedScript.beginArguments(nonce: nonce, lease: .seconds(5))))
    }

    func restored(
        _ issuer: String, of issuers: [String], epoch: Epoch = first, without excused: [String] = [],
        bound: String = ""
    ) throws -> RestoredReply {
        let arguments = [
            "\(epoch)", issuer, issuers.joined(separator: ","), excused.joined(separator: ","), bound,
        ].map { FeedScript.text($0) }
        return try RestoredReply(caller.eval(FeedScript.restored, arguments))
    }

    /// Begins an epoch and opens it, as an issuer does that is the only one and has nothing to restore.
    ///
    /// - Returns: the epoch that is open then, and whether this call began it.
    @discardableResult
    func open(_ nonce: Epoch = first) throws -> (epoch: Epoch, isNew: Bool) {
        let begun = try begin(nonce)
        guard try restored("issuer", of: ["issuer"], epoch: begun.epoch) == .open else {
            throw TestSupportError("the epoch does not open")
        }
        return (begun.epoch, begun.isNew)
    }

    static func revokeArguments(_ commit: FeedWriter.Commit, to epoch: Epoch) -> [[UInt8]] {
        FeedScript.revokeArguments(commit, to: epoch, by: issuer, count: 1)
    }

    func revoke(
        _ revocations: [Revocation], epoch: Epoch = first, request: String = "", isAwaited: Bool = false
    ) throws -> RevokeReply {
        let commit = FeedWriter.Commit(revocations: revocations, requestID: request, isAwaited: isAwaited)
        return try RevokeReply(caller.eval(FeedScript.revoke, Self.revokeArguments(commit, to: epoch)))
    }

    /// - Parameter most: records in one answer.
    func renew(
        _ node: String = "node/1", at position: FeedPosition?, damagedEpoch: Epoch? = nil, damage: EpochDamage = .lost,
        acknowledges: Bool = false, lease: Duration = .seconds(5), most: Int? = nil
    ) throws -> RenewReply {
        let request = RenewRequest(
            position: position, damagedEpoch: damagedEpoch, damage: damage, acknowledges: acknowledges)
        var arguments = FeedScript.renewArguments(node: node, request, lease: lease)
        if let most { arguments[6] = FeedScript.text(most) }
        return try RenewReply(caller.eval(FeedScript.renew, arguments))
    }

    func nodes() throws -> NodesReply? {
        try NodesReply(caller.eval(FeedScript.nodes, []))
    }

    func keys(_ pattern: String) throws -> [String] {
        try caller.call("KEYS", pattern).elements?.compactMap(\.text) ?? []
    }

    /// The live set as it stands: bytes by period out of the directory, and the chunks that are there, joined.
    func liveSet(period: UInt32) throws -> (directoryBytes: Int, bytes: [UInt8]) {
        let total = try caller.call("HGET", FeedScript.directoryKey, "\(period)").integer ?? 0
        let names = try keys("\(FeedScript.directoryKey):\(period):*")
        let chunks = names.compactMap { Int($0.split(separator: ":").last ?? "") }.sorted()
        var bytes: [UInt8] = []
        for chunk in chunks {
            bytes += try caller.call("GET", "\(FeedScript.directoryKey):\(period):\(chunk)").bytes ?? []
        }
        return (Int(total), bytes)
    }
}

/// Seconds since 1970 in one period of the live set, an hour or more from now.
func expiryInOnePeriod() -> UInt32 {
    let period = LivePage.period(ofExpiry: UInt32(ClockReading.now().wall.seconds) + 7200)
    return period * UInt32(LivePage.periodSeconds)
}

extension RevokeReply {
    /// Stored, and nobody waits.
    static func stored(_ position: FeedPosition) -> RevokeReply { .stored(position, Registry(entries: [])) }
}

extension Revocation {
    /// A revocation of one token; equal numbers give equal ones.
    static func token(_ number: Int, expiresAtSeconds: UInt32) -> Revocation {
        Revocation(key: .token("token-\(number)"), expiresAtSeconds: expiresAtSeconds)
    }
}
