import Quash

/// The scripts of `Sources/QuashServer/Scripts`, each line for line.
extension ModelRedis {
    // MARK: register.lua

    mutating func register(_ identity: IssuerIdentity, count: UInt64, replacing replaced: Nonce?) -> RegisterReply {
        for (outbox, line) in issuers where outbox != identity.outbox && line.name == identity.name {
            if outbox != replaced { return .taken(outbox) }
        }
        if let line = issuers[identity.outbox] {
            let isKnown = line.start == identity.start || identity.earlierStarts.contains(line.start)
            if replaced != identity.outbox, !isKnown { return .copied }
            if line.count > count { return .behind(count: line.count) }
        }
        if let replaced, replaced != identity.outbox { issuers[replaced] = nil }
        issuers[identity.outbox] = IssuerLine(start: identity.start, count: count, name: identity.name)
        return .registered(.first)
    }

    // MARK: begin.lua

    /// - Returns: nil when the last epoch ended because its data was damaged, and this one may not follow that.
    mutating func begin(
        nonce: Epoch, over: Epoch? = nil, leaseMilliseconds: Int64, followsDamage: Bool = true,
        unreadable: [UInt32] = [], _ limits: Limits
    ) -> BeginReply? {
        expire()
        if let current, current.nonce != over {
            return BeginReply(
                epoch: current.nonce, isOpen: current.isOpen, lease: .milliseconds(current.leaseMilliseconds),
                fence: .zero, isNew: false)
        }
        let cause = nodesEpoch == nil ? damage : nil
        if cause != nil, !followsDamage { return nil }
        let written = directory
        let names = Set(chunks.keys).union(spoiledChunks)
        for key in [Key.log, .nodes, .directory, .restored] { delete(key) }
        let start = Double(milliseconds) / 1000 - Double(limits.retainSeconds)
        let first = Int64((start / Double(limits.periodSeconds)).rounded(.down))
        for period in Set(names.map(\.period)).union(written.keys).sorted()
        where Int64(period) >= first && Int64(period) <= first + Int64(limits.horizonPeriods) {
            directory[period] = compact(period, written[period] ?? 0, unreadable.contains(period), limits)
        }
        for key in [Key.sequence, .epoch] { delete(key) }
        sequence = 0
        directoryEpoch = nonce
        nodesEpoch = nonce
        serving = Serving(nonce: nonce, runID: runID, isOpen: false, leaseMilliseconds: leaseMilliseconds)
        return BeginReply(
            epoch: nonce, isOpen: false, lease: .milliseconds(leaseMilliseconds), fence: .zero, isNew: true,
            damage: cause)
    }

    /// - Returns: the bytes that are there, or nil when none are.
    private mutating func compact(
        _ period: UInt32, _ written: Int, _ isUnreadable: Bool, _ limits: Limits
    ) -> Int? {
        var last = written / limits.chunkBytes
        if last >= Self.mostChunks { last = 0 }
        var total = 0
        var number = 0
        repeat {
            let name = ChunkName(period: period, number: number)
            let bytes = chunkLength(name)
            if bytes == nil || isUnreadable {
                delete(name)
                if bytes != 0 { last = max(last, number + 1) }
            } else if let bytes, bytes > 0 {
                let target = total / limits.chunkBytes
                if target < number { move(name, to: ChunkName(period: period, number: target)) }
                total += bytes
                last = max(last, number + 1)
            }
            number += 1
        } while number <= last
        return total > 0 ? total : nil
    }

    /// What no directory reaches.
    private static let mostChunks = 65_536

    /// The function `end_epoch` of check.lua.
    private mutating func endEpoch(_ how: EpochDamage) {
        nodesEpoch = nil
        damage = how
    }

    // MARK: revoke.lua

    mutating func revoke(
        _ commit: FeedWriter.Commit, to epoch: Epoch, by issuer: IssuerIdentity, count: UInt64, _ limits: Limits
    ) -> (reply: RevokeReply, message: FeedMessage?) {
        expire()
        guard let current else { return (.recovering, nil) }
        guard epoch == current.nonce else { return (.elsewhere(current.nonce), nil) }
        guard let line = issuers[issuer.outbox], line.start == issuer.start else { return (.displaced, nil) }
        if let request = requests[commit.requestID], request.position.epoch == current.nonce,
            request.position.sequence <= sequence ?? 0
        {
            return (.stored(request.position, registry), nil)
        }
        var parts: [UInt32: [UInt8]] = [:]
        for revocation in commit.revocations {
            let period = revocation.expiresAtSeconds / UInt32(limits.periodSeconds)
            RevocationCodec.encode(revocation, into: &parts[period, default: []])
        }
        if let damage = damage(of: parts.keys.sorted(), limits) {
            endEpoch(damage)
            return (.recovering, nil)
        }
        let record = RevocationCodec.encode(commit.revocations)
        let next = (sequence ?? 0) + 1
        if current.isOpen, spoiledKeys.contains(.log) || log.last.map({ $0.sequence >= next }) ?? false {
            endEpoch(.unreadable)
            return (.recovering, nil)
        }
        sequence = next
        if current.isOpen {
            log.append(LogItem(sequence: next, record: record))
            if log.count > limits.logCommits { log.removeFirst(log.count - limits.logCommits) }
        }
        for (period, bytes) in parts.sorted(by: { $0.key < $1.key }) { keep(bytes, in: period, limits) }
        let position = FeedPosition(epoch: current.nonce, sequence: next)
        issuers[issuer.outbox]?.count = max(line.count, count)
        if !commit.requestID.isEmpty { remember(commit.requestID, at: position, for: limits.retainSeconds) }
        guard current.isOpen else { return (.stored(position, Registry(entries: [])), nil) }
        let awaiting = commit.isAwaited ? nodes.count : 0
        let message = FeedMessage(
            position: position, awaitingNodes: awaiting, committedMicroseconds: time, record: record)
        return (.stored(position, awaiting > 0 ? registry : Registry(entries: [])), message)
    }

    /// Less is there than was written, though it has not expired; or what is there is no part of a live set.
    private func damage(of periods: [UInt32], _ limits: Limits) -> EpochDamage? {
        var chunks = Self.mostChunks
        for period in periods {
            let total = directory[period] ?? 0
            let last = total / limits.chunkBytes
            guard !spoiledPeriods.contains(period), last < chunks else { return .unreadable }
            chunks -= last + 1
            var bytes = 0
            for number in 0...last {
                guard let length = chunkLength(ChunkName(period: period, number: number)) else { return .unreadable }
                bytes += length
            }
            let expiry = (Int64(period) + 1) * limits.periodSeconds + limits.retainSeconds
            if bytes < total, Double(expiry) > Double(milliseconds) / 1000 { return .lost }
        }
        return nil
    }

    private mutating func keep(_ bytes: [UInt8], in period: UInt32, _ limits: Limits) {
        let total = (directory[period] ?? 0) + bytes.count
        let chunk = ChunkName(period: period, number: (total - bytes.count) / limits.chunkBytes)
        directory[period] = total
        append(
            bytes, to: chunk,
            expiringAtSeconds: (Int64(period) + 1) * limits.periodSeconds + limits.retainSeconds)
        guard total == bytes.count else { return }
        let now = Double(milliseconds) / 1000
        for old in directory.keys
        where Double((Int64(old) + 1) * limits.periodSeconds + limits.retainSeconds) < now {
            directory[old] = nil
        }
    }

    // MARK: renew.lua

    mutating func renew(
        _ node: String, _ request: RenewRequest, leaseMilliseconds: Int64, version: String, _ limits: Limits
    ) -> (reply: RenewReply, acknowledgement: Acknowledgement?) {
        guard let current, current.isOpen else { return (.recovering, nil) }
        if request.damagedEpoch == current.nonce {
            endEpoch(request.damage)
            return (.recovering, nil)
        }
        let head = sequence ?? 0
        let headPosition = FeedPosition(epoch: current.nonce, sequence: head)
        let stated = request.position?.sequence ?? 0
        guard request.position?.epoch == current.nonce, stated <= head else { return (.elsewhere(headPosition), nil) }
        var applied = stated
        var records: [[UInt8]] = []
        if applied < head {
            if spoiledKeys.contains(.log) {
                endEpoch(.unreadable)
                return (.recovering, nil)
            }
            let items = log.lazy.filter { $0.sequence > stated }.prefix(limits.recordsPerRenewal)
            for item in items {
                applied += 1
                guard item.sequence == applied else { return (.gap(head: headPosition), nil) }
                records.append(item.record)
            }
            if records.isEmpty { return (.gap(head: headPosition), nil) }
        }
        var lease: Duration?
        if applied == head {
            let length = min(leaseMilliseconds, current.leaseMilliseconds)
            let granted = max(milliseconds, (nodes[node]?.grantedMilliseconds ?? 0) + 1)
            nodes[node] = Grant(
                applied: stated, grantedMilliseconds: granted, leaseMilliseconds: length, version: version)
            lease = length > 0 ? .milliseconds(length) : nil
        }
        let position = FeedPosition(epoch: current.nonce, sequence: stated)
        return (
            .entries(records: records, head: head, lease: lease),
            request.acknowledges ? Acknowledgement(node: node, position: position) : nil
        )
    }

    // MARK: restored.lua

    mutating func restored(
        _ epoch: Epoch, issuer: String, needed: [String], excused: [String], bound: String
    ) -> RestoredReply {
        guard let current else { return .recovering }
        guard epoch == current.nonce else { return .elsewhere(current.nonce) }
        if current.isOpen { return .open }
        if spoiledKeys.contains(.restored) { delete(.restored) }
        restored[issuer] = needed.joined(separator: ",")
        if !bound.isEmpty { restored[bound] = "" }
        for name in excused { restored["!" + name] = "" }
        var missing: Set<String> = []
        for names in restored.values {
            for name in names.split(separator: ",").map(String.init) {
                let issuer = String(name.prefix { $0 != "#" })
                if restored[name] == nil, restored["!" + issuer] == nil { missing.insert(issuer) }
            }
        }
        guard missing.isEmpty else { return .waiting(missing.sorted()) }
        serving?.isOpen = true
        delete(.restored)
        return .open
    }

    // MARK: leave.lua, nodes.lua, forget.lua

    mutating func leave(_ node: String) { nodes[node] = nil }

    /// Nil while no epoch is open.
    var registryOfOpenEpoch: (head: FeedPosition, registry: Registry, issuers: [RegisteredIssuer])? {
        guard let current, current.isOpen else { return nil }
        let lines = issuers.sorted { $0.key.description < $1.key.description }
        return (
            FeedPosition(epoch: current.nonce, sequence: sequence ?? 0), registry,
            lines.map { RegisteredIssuer(name: $0.value.name, outbox: $0.key, start: $0.value.start) }
        )
    }

    mutating func forget(_ entries: [Registry.Entry]) -> Int {
        var count = 0
        for entry in entries {
            let line = Grant(
                applied: entry.applied, grantedMilliseconds: entry.grantedMilliseconds,
                leaseMilliseconds: entry.lease.wholeMilliseconds, version: entry.version)
            guard nodes[entry.node] == line else { continue }
            nodes[entry.node] = nil
            count += 1
        }
        return count
    }
}
