/// What the `begin` script answers: the epoch that is there now.
public struct BeginReply: Equatable, Sendable {
    /// The life of the data that commits go to.
    public let epoch: Epoch
    /// Leases are granted in it: every issuer's outbox has been replayed.
    public let isOpen: Bool
    /// The longest lease that is granted in it.
    public let lease: Duration
    /// How long a Redis that is replaced may go on granting leases in it.
    public let fence: Duration
    /// It was begun by this call.
    public let isNew: Bool
    /// Why the last epoch ended, if this one was begun because the data of that was damaged.
    public let damage: EpochDamage?

    /// The epoch that was found, or begun.
    public init(
        epoch: Epoch, isOpen: Bool, lease: Duration, fence: Duration, isNew: Bool, damage: EpochDamage? = nil
    ) {
        self.damage = damage
        self.epoch = epoch
        self.isOpen = isOpen
        self.lease = lease
        self.fence = fence
        self.isNew = isNew
    }
}

/// What the `revoke` script answers.
public enum RevokeReply: Equatable, Sendable {
    /// Where the commit stands; and, when it is awaited, who held or may hold a lease at that moment.
    case stored(FeedPosition, Registry)
    /// Another epoch is there.
    case elsewhere(Epoch)
    case recovering
    /// Another start of this issuer is registered: this one may not commit.
    case displaced
}

/// What the `restored` script answers.
public enum RestoredReply: Equatable, Sendable {
    /// Every issuer has replayed its outbox: leases are granted.
    case open
    /// These issuers have not, by name.
    case waiting([String])
    /// Another epoch is there.
    case elsewhere(Epoch)
    case recovering
}

/// The lease registry at one instant: who may hold a lease.
public struct Registry: Equatable, Sendable {
    /// What the names of issuers begin with, who follow the feed as validators do: no node id has a colon.
    public static let issuerPrefix = "issuer:"
    /// What stands in the place of a node's name, before its line, where that cannot be read.
    public static let unreadablePrefix = "unreadable: "

    /// One line of it.
    public struct Entry: Equatable, Sendable {
        /// `<node id>/<boot id>`: two processes with one node id are two nodes.
        public let node: String
        /// Everything up to here was applied by the node when it asked for its lease.
        public let applied: UInt64
        /// When Redis granted the lease, in milliseconds by its own clock: tells grants apart, and never more.
        public let grantedMilliseconds: Int64
        /// How long the lease lasts.
        public let lease: Duration
        /// Of the program that the node runs.
        public let version: String

        /// The part of ``node`` that the settings name, for an issuer with what its name begins with.
        public var id: Substring { node.prefix { $0 != "/" } }
        /// Whether it is an issuer's.
        public var isIssuer: Bool { node.hasPrefix(Registry.issuerPrefix) }
        /// Whether it is a line that a script wrote.
        public var isReadable: Bool { !node.hasPrefix(Registry.unreadablePrefix) }

        /// A line, as the script `renew` wrote it.
        public init(node: String, applied: UInt64, grantedMilliseconds: Int64, lease: Duration, version: String) {
            self.node = node
            self.applied = applied
            self.grantedMilliseconds = grantedMilliseconds
            self.lease = lease
            self.version = version
        }
    }

    /// In no order.
    public let entries: [Entry]

    /// What the script found.
    public init(entries: [Entry]) {
        self.entries = entries
    }
}

/// What a node publishes when somebody waits for it: everything up to `position` is applied.
///
/// As bytes: `<epoch> <applied> <node>` in ASCII.
public struct Acknowledgement: Equatable, Sendable {
    /// The node, as the registry names it.
    public let node: String
    /// Everything up to here is applied.
    public let position: FeedPosition

    /// What `node` has said.
    public init(node: String, position: FeedPosition) {
        self.node = node
        self.position = position
    }

    /// - Returns: nil when `bytes` is no acknowledgement.
    public init?(_ bytes: some RandomAccessCollection<UInt8>) {
        guard bytes.count <= 512 else { return nil }
        let parts = bytes.split(separator: 0x20, maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3, !parts[2].isEmpty, let epoch = Epoch(String(decoding: parts[0], as: UTF8.self)),
            let applied = UInt64(String(decoding: parts[1], as: UTF8.self))
        else { return nil }
        self.init(
            node: String(decoding: parts[2], as: UTF8.self), position: FeedPosition(epoch: epoch, sequence: applied))
    }
}

/// What the `register` script answers.
public enum RegisterReply: Equatable, Sendable {
    /// The name is bound to this outbox, and commits of this start are taken. The feed has this layout.
    case registered(FeedLayout)
    /// The feed has this layout, which is newer than the newest that the issuer reads.
    case newer(FeedLayout)
    /// The name is bound to this other outbox.
    case taken(Nonce)
    /// Another start is registered with this outbox, of which this one knows nothing.
    case copied
    /// Redis knows of this many commits, more than the outbox holds.
    case behind(count: UInt64)
}

/// An issuer as the registry of issuers has it.
public struct RegisteredIssuer: Equatable, Sendable {
    /// Its name.
    public let name: String
    /// The outbox that the name is bound to.
    public let outbox: Nonce
    /// The start whose commits are taken.
    public let start: Nonce

    /// One line of the registry of issuers.
    public init(name: String, outbox: Nonce, start: Nonce) {
        self.name = name
        self.outbox = outbox
        self.start = start
    }
}
