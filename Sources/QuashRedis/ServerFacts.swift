/// What a Redis says of itself (INFO) that decides whether revocations are safe in it.
package struct ServerFacts: Equatable, Sendable {
    package let version: String
    package let evictionPolicy: String
    package let evictedKeys: Int64
    package let hasAppendOnlyFile: Bool
    package let role: String
    /// Whether its last snapshot failed, for which it refuses writes unless it is told otherwise.
    package let isSnapshotFailed: Bool
    /// Whether it refuses writes when too few replicas follow it.
    package let needsReplicasToWrite: Bool
    /// Whether sentinels may promote another server while this one lives on, cut off from them.
    package let isFoundBySentinels: Bool

    /// How far its civil clock is certainly ahead of this process's, whenever between the question and the answer it
    /// was read: negative when it is behind. Nil when it does not say.
    package let clockLead: Duration?
    /// CLOCK_REALTIME when the answer had arrived, since 1970.
    package let arrivedMicroseconds: Int64

    /// A Redis whose clock is further ahead lets revocations expire before the tokens do.
    package static let maxClockLead: Duration = .seconds(300)

    /// The oldest version whose scripts may say `#!lua flags=allow-oom`, so that a full Redis takes a revocation still.
    package static let minimumVersion = (major: 7, minor: 0)

    /// Reads the answer of INFO: lines `name:value`, of which most do not matter here.
    ///
    /// - Parameter isFoundBySentinels: what INFO does not say.
    /// - Parameter wallMicroseconds: CLOCK_REALTIME when the answer had arrived, since 1970.
    /// - Parameter roundTrip: from the question to the answer.
    /// - Throws: `.protocolViolation` when a fact is missing.
    package init(
        info: String, isFoundBySentinels: Bool = false, wallMicroseconds: Int64, roundTrip: Duration = .zero
    ) throws(RedisError) {
        arrivedMicroseconds = wallMicroseconds
        self.isFoundBySentinels = isFoundBySentinels
        var fields: [Substring: Substring] = [:]
        // A line end is CRLF, which is one Character and so no separator of lines for `split` by "\n".
        for line in info.split(whereSeparator: \.isNewline) {
            guard let colon = line.firstIndex(of: ":") else { continue }
            fields[line[..<colon]] = line[line.index(after: colon)...]
        }
        func field(_ name: Substring) throws(RedisError) -> String {
            guard let value = fields[name] else {
                throw RedisError(.protocolViolation, "the server's INFO does not say \(name), as Redis does")
            }
            return String(value)
        }
        version = try field("redis_version")
        evictionPolicy = try field("maxmemory_policy")
        evictedKeys = Int64(try field("evicted_keys")) ?? 0
        hasAppendOnlyFile = try field("aof_enabled") == "1"
        role = try field("role")
        isSnapshotFailed = fields["rdb_last_bgsave_status"] == "err"
        // There is such a line only while neither min-replicas-to-write nor min-replicas-max-lag is 0.
        let clock = fields["server_time_usec"].flatMap { Int64($0) }
        clockLead = clock.map { clock in
            let atArrival = Duration.microseconds(Double(clock) - Double(wallMicroseconds))
            return atArrival >= .zero ? atArrival : min(.zero, atArrival + roundTrip)
        }
        needsReplicasToWrite = fields["min_slaves_good_slaves"] != nil
    }

    /// Why this Redis must not be used, in sentences that say what to do; empty when nothing speaks against it.
    package var refusals: [String] {
        var refusals: [String] = []
        if evictionPolicy != "noeviction" {
            refusals.append(
                "Redis may evict keys (maxmemory-policy \(evictionPolicy)), and a revocation that is evicted is "
                    + "undone: set maxmemory-policy noeviction")
        }
        let numbers = version.split(separator: ".").prefix(2).map { Int($0) ?? 0 }
        let (major, minor) = (numbers.first ?? 0, numbers.dropFirst().first ?? 0)
        if (major, minor) < Self.minimumVersion {
            refusals.append(
                "Redis \(version) is too old: use \(Self.minimumVersion.major).\(Self.minimumVersion.minor) or newer")
        }
        if let clockLead, clockLead > Self.maxClockLead {
            refusals.append(
                "the clock of Redis is \(clockLead.components.seconds) s ahead of this machine's, so that it would "
                    + "forget revocations whose tokens have not expired: set the clocks right")
        }
        if isFoundBySentinels, !needsReplicasToWrite {
            refusals.append(
                "Redis takes writes without a replica, so that a master which was cut off would go on granting leases "
                    + "beside the one that the sentinels promoted: set min-replicas-to-write 1 and "
                    + "min-replicas-max-lag 10 on the master and on every replica")
        }
        return refusals
    }

    /// What an operator should know, in sentences that say what to do; empty when all is well.
    package var warnings: [String] {
        var warnings: [String] = []
        if !hasAppendOnlyFile {
            warnings.append(
                "Redis keeps no append-only file: a crash of it loses every revocation that came after its "
                    + "last snapshot; run CONFIG SET appendonly yes, and only then write it into its file, because a "
                    + "Redis that is restarted with it for the first time begins without its data")
        }
        if isSnapshotFailed {
            warnings.append(
                "Redis could not write its last snapshot: until it can, it refuses every script, and with that every "
                    + "lease; make room for it, or set save \"\" where an append-only file is kept")
        }
        if evictedKeys > 0 {
            warnings.append(
                "Redis has evicted \(evictedKeys) keys since it started: revocations may have been among them, "
                    + "and those are undone: set maxmemory-policy noeviction, and revoke again what matters")
        }
        if role != "master" {
            warnings.append("this Redis is a replica, which takes no revocation: name the master")
        }
        return warnings
    }
}
