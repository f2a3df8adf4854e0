/// The version of what Redis and the outboxes hold.
///
/// A node states with each renewal the newest that it reads. A newer one begins when every node that holds a lease
/// reads it, and is written in Redis then; issuers write nothing of it before, and a node that does not read it is told
/// so and refuses every token.
public struct FeedLayout: RawRepresentable, Comparable, Hashable, Sendable {
    /// 1 or more.
    public let rawValue: Int

    /// The layout of this number.
    public init(rawValue: Int) { self.rawValue = rawValue }

    /// Revocations alone.
    public static let first = FeedLayout(rawValue: 1)
    /// Entries may carry the end of their session, and a seal.
    public static let second = FeedLayout(rawValue: 2)
    /// The newest that this program reads and writes.
    public static let newest = second

    public static func < (left: FeedLayout, right: FeedLayout) -> Bool { left.rawValue < right.rawValue }
}
