/// Data that is damaged ends its epoch, as data that is gone does: the outboxes have all that it held.
extension FeedWriter {
    /// Whether nothing could be committed when it was last tried a few times.
    public var isFailing: Bool { failures.isReached }

    /// Where commits go, when everything that is durable here was committed to it as far as is known.
    public var settledEpoch: Epoch? { isSettled ? epoch : nil }

    mutating func failed(_ isRefused: Bool, _ now: BootInstant) -> [Action]? {
        guard failures.failed(isRefused: isRefused), let epoch else { return nil }
        return end(epoch, because: .refused, now: now)
    }

    /// The data of `epoch` is damaged. If that is where commits go, it ends with the next that begins, in which the
    /// outboxes restore what was there. The `unreadable` periods hold bytes that are no revocations.
    public mutating func end(
        _ epoch: Epoch, because how: EpochDamage, unreadable: [UInt32] = [], now: BootInstant
    ) -> [Action] {
        guard epoch == self.epoch else { return [] }
        ending = (epoch, how, unreadable)
        return start(now)
    }

    /// The last epoch ended because its data was damaged, and it is too soon to begin another. If another issuer does,
    /// it waits for this one: so that is asked again soon.
    public mutating func mayNotBegin(now: BootInstant) -> [Action] {
        endRun() + retry(at: min(max(pace.earliest ?? now, now), now + Self.retryInterval))
    }
}
