/// Who an issuer is: not its name, which is configured and may be configured twice, but the outbox that it writes to.
///
/// An outbox has a random identifier of its own. A copy of it has the same, so each start makes a nonce too, and the
/// outbox remembers the latest starts: the one that the registry of issuers knows must be among them, else another
/// process has started with a copy since.
public struct IssuerIdentity: Equatable, Sendable {
    /// The name, as the settings have it.
    public let name: String
    /// The outbox.
    public let outbox: Nonce
    /// This start.
    public let start: Nonce
    /// Starts before it, the latest last.
    public let earlierStarts: [Nonce]

    /// An issuer that has just started.
    public init(name: String, outbox: Nonce, start: Nonce, earlierStarts: [Nonce] = []) {
        self.name = name
        self.outbox = outbox
        self.start = start
        self.earlierStarts = earlierStarts
    }
}
