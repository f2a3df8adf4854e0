extension FeedWriter {
    /// What shall be committed as one record.
    public struct Commit: Equatable, Sendable {
        /// 1 to ``RevocationCodec/maxRevocationsPerCommit``.
        public let revocations: [Revocation]
        /// The ends of the sessions among them, which issuers keep for longer.
        public let ends: [SessionEnd]
        /// A retry with the same one stores nothing twice; empty for none.
        public let requestID: String
        /// Every validator shall tell at once that it has applied it.
        public let isAwaited: Bool

        /// What shall be committed, and how.
        public init(
            revocations: [Revocation], ends: [SessionEnd] = [], requestID: String = "", isAwaited: Bool = false
        ) {
            (self.revocations, self.ends) = (revocations, ends)
            self.requestID = requestID
            self.isAwaited = isAwaited
        }
    }

    /// What became of a commit.
    public enum Outcome: Equatable, Sendable {
        case stored(FeedPosition, Registry)
        /// It could not be made durable, and was not sent.
        case notDurable
        /// It is durable here, and will be committed; that it is in the feed is not known.
        case unavailable
    }

    /// What operators want to know.
    public enum Event: Equatable, Sendable {
        /// The outbox held this many revocations that the live set lacked.
        case restoring(Int)
        /// The epoch is open.
        case opened(Epoch)
        /// These issuers have not replayed their outboxes: until they have, no validator is granted a lease.
        case waiting([String])
        /// Redis serves an epoch that this issuer has left: an old master came back.
        case superseded(Epoch)
        /// Redis serves another epoch so soon after the last was entered that it may be an old master: this issuer
        /// waits until that would be fenced.
        case tooSoon(Epoch)
        /// This issuer began an epoch because the data of the last was damaged.
        case damaged(EpochDamage)
    }
}
