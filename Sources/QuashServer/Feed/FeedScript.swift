import Quash
import QuashRedis

/// The scripts of the feed, and how their arguments and answers are written. The scripts themselves are in `Scripts/`.
enum FeedScript {
    static let register = script("register", PackageResources.register_lua)
    static let layout = script("layout", PackageResources.layout_lua)
    static let begin = script("begin", PackageResources.begin_lua)
    static let restored = script("restored", PackageResources.restored_lua)
    static let revoke = script("revoke", PackageResources.revoke_lua)
    static let renew = script("renew", PackageResources.renew_lua)
    static let leave = script("leave", PackageResources.leave_lua)
    static let nodes = script("nodes", PackageResources.nodes_lua)
    static let forget = script("forget", PackageResources.forget_lua)

    static let channel = "{quash}:feed"
    /// Where nodes say that they have applied what somebody waits for.
    static let acknowledgementsChannel = "{quash}:acks"
    /// What an issuer publishes on the feed's channel, beside commits, when its keys may have changed. It carries no
    /// key: whoever hears it asks where it got its keys from. A node of an older version takes it for another
    /// program's message, and renews.
    static let keysChanged = Array("keys".utf8)
    static let directoryKey = "{quash}:live"

    /// What every script takes as its one key: the registry, which validators may write. It also routes in a cluster.
    static let keys: [[UInt8]] = [Array("{quash}:nodes".utf8)]

    /// Commits kept for replay; who was away for longer reads the live set.
    static let maxLogCommits = 100_000
    /// Commits answered to one renewal: with 100 revocations each, 1.3 MB.
    static let maxRecordsPerRenewal = 340
    /// Seconds that Redis keeps what has expired, for clocks that disagree.
    static let retainSeconds = 600
    /// The furthest expiry, in periods of the live set from now: 31 days.
    static let horizonPeriods = 31 * 86_400 / Int(LivePage.periodSeconds)

    /// With `allow-oom`, because a Redis that is full must still take a revocation. None says that it only reads: a
    /// master that may not write must not confirm either.
    private static func script(_ name: String, _ source: [UInt8]) -> RedisScript {
        let body = String(decoding: PackageResources.check_lua + source, as: UTF8.self)
        return RedisScript(name: name, source: "#!lua flags=allow-oom\n" + body)
    }

    static func text(_ value: some CustomStringConvertible) -> [UInt8] { Array(value.description.utf8) }

    static func renewArguments(
        node: String, _ request: RenewRequest, lease: Duration,
        figures: NodeFigures = NodeFigures(version: BuildVersion.current)
    ) -> [[UInt8]] {
        [
            text(node), text(request.position?.epoch.description ?? ""), text(request.position?.sequence ?? 0),
            text(lease.wholeMilliseconds), text(request.damagedEpoch?.description ?? ""), text(figures.text),
            text(maxRecordsPerRenewal), text(request.acknowledges ? 1 : 0), text(request.damage.rawValue),
            text(FeedLayout.newest.rawValue),
        ]
    }

    static func beginArguments(
        nonce: Epoch, lease: Duration, fence: Duration = .zero, over: Epoch? = nil, followsDamage: Bool = true,
        unreadable: [UInt32] = []
    ) -> [[UInt8]] {
        [
            text(nonce), text(LivePage.periodSeconds), text(LivePage.chunkBytes), text(horizonPeriods),
            text(retainSeconds), text(lease.wholeMilliseconds), text(fence.components.seconds),
            text(over?.description ?? ""), text(followsDamage ? 1 : 0),
            text(unreadable.map(String.init).joined(separator: ",")),
        ]
    }

    static func registerArguments(
        _ identity: IssuerIdentity, count: UInt64, replacing: Nonce?, layout: FeedLayout = .first
    ) -> [[UInt8]] {
        let starts = (identity.earlierStarts + [identity.start]).map(\.description)
        return [
            text(identity.name), text(identity.outbox), text(identity.start),
            text(" \(starts.joined(separator: " ")) "), text(count), text(replacing?.description ?? ""),
            text(FeedLayout.newest.rawValue), text(layout.rawValue),
        ]
    }

    static func restoredArguments(
        _ epoch: Epoch, _ registration: IssuerRegistration, issuers: [String], excused: [String]
    ) -> [[UInt8]] {
        let identity = registration.identity
        let bound = IssuerRegistration.bound(identity.name, to: identity.outbox)
        return [
            text(epoch), text(registration.restoredName), text(registration.needed(issuers).joined(separator: ",")),
            text(excused.joined(separator: ",")), text(registration.hasLostRecords ? "" : bound),
        ]
    }

    static func forgetArguments(_ entries: [Registry.Entry]) -> [[UInt8]] {
        entries.flatMap { entry in
            let line = "\(entry.applied) \(entry.grantedMilliseconds) \(entry.lease.wholeMilliseconds) \(entry.version)"
            return [text(entry.node), text(line)]
        }
    }

    /// - Parameter count: how many commits of the issuer its outbox holds, with this one.
    static func revokeArguments(
        _ commit: FeedWriter.Commit, to epoch: Epoch, by issuer: IssuerIdentity, count: UInt64,
        _ encoder: FeedEncoder = FeedEncoder(layout: .first, seal: nil)
    ) -> [[UInt8]] {
        precondition(
            commit.revocations.count <= RevocationCodec.maxRevocationsPerCommit, "too many revocations in one commit")
        let ends = Dictionary(commit.ends.map { ($0.session, $0) }, uniquingKeysWith: { $1 })
        var record: [UInt8] = []
        var periods: [UInt32: [UInt8]] = [:]
        for revocation in commit.revocations {
            let start = record.count
            encoder.encode(revocation, end: ends[revocation.key], into: &record)
            periods[LivePage.period(ofExpiry: revocation.expiresAtSeconds), default: []] += record[start...]
        }
        let fixed = [
            text(epoch), text(commit.requestID), text(commit.isAwaited ? 1 : 0), text(maxLogCommits),
            text(LivePage.chunkBytes), text(LivePage.periodSeconds), text(retainSeconds),
            text("\(issuer.outbox) \(issuer.start) \(count)"), record,
        ]
        return fixed + periods.sorted { $0.key < $1.key }.flatMap { [text($0.key), $0.value] }
    }

    static func pageCommand(_ page: LivePage) -> RedisCommand {
        RedisCommand(
            "GETRANGE", "\(directoryKey):\(page.period):\(page.chunk)", "\(page.offset)",
            "\(page.offset + LivePage.pageBytes - 1)")
    }
}
