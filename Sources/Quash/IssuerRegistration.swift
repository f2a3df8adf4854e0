/// Keeps the names of issuers apart from who they are, as a pure state machine: events and time in, actions out.
///
/// The recovery of the feed waits for every issuer by name. That two issuers have one name, or that one starts with an
/// empty, an old or a copied outbox, must not make it believe that everything is there. So an issuer registers in
/// Redis before it commits anything, by name, outbox and start (``IssuerIdentity``), and every issuer's outbox
/// remembers which outbox each name is bound to:
/// - a name that is bound to another outbox is **taken**: an operator may replace the binding, and nothing else does;
/// - an outbox that another start is registered with, which this one does not know, was **copied**;
/// - an outbox that is shorter than Redis or its own file says has **lost records**. The issuer works, but what it held
///   does not count as restored until an epoch is open and everything of that was mirrored.
///
/// ## States
/// disconnected → registering → registered, or refused and tried again now and then.
public struct IssuerRegistration: Sendable {
    /// Why this issuer may not commit.
    public enum Problem: Equatable, Sendable, CustomStringConvertible {
        /// Its name is bound to this other outbox.
        case taken(Nonce)
        /// Another process has started with a copy of its outbox.
        case copied(Nonce)
        /// The feed has this layout, which this program does not write.
        case newer(FeedLayout)

        /// The outbox that an operator may give up; nil when that would not help.
        public var outbox: Nonce? {
            switch self {
            case .taken(let outbox), .copied(let outbox): outbox
            case .newer: nil
            }
        }

        public var description: String {
            switch self {
            case .taken(let outbox):
                "this name belongs to the issuer with the outbox \(outbox): give this one another node-id, or, if that "
                    + "outbox is lost for good, run quash recover --replace \(outbox)"
            case .copied(let outbox):
                "another process has started with a copy of this outbox: stop one of the two; to go on with this one, "
                    + "run quash recover --replace \(outbox)"
            case .newer(let layout):
                "the feed has layout \(layout.rawValue), and this version of quash writes "
                    + "\(FeedLayout.newest.rawValue): upgrade this issuer"
            }
        }
    }

    /// What the driver has to do.
    public enum Action: Equatable, Sendable {
        /// Run the script, then call ``IssuerRegistration/answered(_:now:)`` or ``IssuerRegistration/failed(now:)``.
        case register(replacing: Nonce?)
        /// Commits may be made on this connection.
        case registered
        /// No commit may be made any more.
        case refused(Problem)
        /// Make durable that records were lost, of which this many were counted in all; then call
        /// ``IssuerRegistration/lossNoted(isDurable:now:)``.
        case noteLoss(count: UInt64)
        /// Make durable that nothing is missing any more.
        case noteRestored
        /// Make durable which issuer has this outbox; nil for none.
        case bind(Nonce, name: String?)
        /// Begin this layout if every node reads it, then call ``IssuerRegistration/began(_:)``.
        case begin(FeedLayout)
        /// Call ``IssuerRegistration/deadlineReached(now:)`` then; replaces an earlier wish.
        case wake(at: BootInstant)
    }

    static let retryInterval: Duration = .seconds(1)

    /// Who registers.
    public let identity: IssuerIdentity
    /// Why it may not; nil while nothing speaks against it.
    public private(set) var problem: Problem?
    /// Records of the outbox were lost, and have not been made up for.
    public private(set) var hasLostRecords: Bool
    /// How this issuer writes: the layout of the feed, as far as is known.
    public private(set) var layout: FeedLayout
    private var bindings: [Nonce: String]
    private var isConnected = false
    private var isRegistered = false
    private var isRegistering = false
    /// What an operator has given up, until that is registered.
    private var replaced: Nonce?
    private let settling: Duration
    private var caughtUpSince: BootInstant?

    /// An issuer that has started. Its outbox remembers the names of issuers by their outboxes, as `bindings`; with a
    /// `layout` above the first the feed has at least this one once it is registered; `settling` is how long after an
    /// epoch has opened every node that works stands in the registry.
    public init(
        identity: IssuerIdentity, bindings: [Nonce: String], hasLostRecords: Bool, layout: FeedLayout = .first,
        settling: Duration
    ) {
        self.identity = identity
        self.layout = layout
        self.settling = settling
        self.bindings = bindings
        self.hasLostRecords = hasLostRecords
    }

    // MARK: Events

    /// Commands can be sent to Redis (again).
    public mutating func connected(now: BootInstant) -> [Action] {
        isConnected = true
        isRegistering = false
        return register(now)
    }

    /// The connection is gone.
    public mutating func disconnected() {
        isConnected = false
        isRegistered = false
        isRegistering = false
        caughtUpSince = nil
    }

    /// The script was answered.
    public mutating func answered(_ reply: RegisterReply, now: BootInstant) -> [Action] {
        guard isRegistering else { return [] }
        isRegistering = false
        switch reply {
        case .registered(let layout):
            isRegistered = true
            problem = nil
            self.layout = max(self.layout, layout)
            defer { replaced = nil }
            guard let replaced, bindings[replaced] != nil else { return [.registered] }
            bindings[replaced] = nil
            return [.bind(replaced, name: nil), .registered]
        case .taken(let outbox):
            let isNew = bindings[outbox] != identity.name
            bindings[outbox] = identity.name
            // So that it does not take the name when Redis has lost who has it.
            return (isNew ? [.bind(outbox, name: identity.name)] : []) + refused(.taken(outbox), now)
        case .copied: return refused(.copied(identity.outbox), now)
        case .newer(let layout): return refused(.newer(layout), now)
        case .behind(let count):
            hasLostRecords = true
            isRegistering = true
            return [.noteLoss(count: count)]
        }
    }

    /// That records were lost is durable, or not.
    public mutating func lossNoted(isDurable: Bool, now: BootInstant) -> [Action] {
        guard isRegistering else { return [] }
        isRegistering = false
        return isDurable ? register(now) : [.wake(at: now + Self.retryInterval)]
    }

    /// The script failed.
    public mutating func failed(now: BootInstant) -> [Action] {
        guard isRegistering else { return [] }
        isRegistering = false
        return [.wake(at: now + Self.retryInterval)]
    }

    /// The instant of the last ``Action/wake(at:)`` has come.
    public mutating func deadlineReached(now: BootInstant) -> [Action] { register(now) }

    /// A commit was refused because another start is registered.
    public mutating func displaced(now: BootInstant) -> [Action] {
        isRegistered = false
        return register(now)
    }

    /// An operator gives up the outbox that the name of this issuer is bound to, or the other copies of its own.
    public mutating func replace(_ outbox: Nonce, now: BootInstant) -> [Action] {
        guard problem != nil else { return [] }
        replaced = outbox
        return register(now)
    }

    /// Who is registered while an epoch is open: everything that could be restored is in it, so this is what counts for
    /// the next. `isCaughtUp` says that everything of that epoch is in the outbox.
    public mutating func observed(_ registered: [RegisteredIssuer], isCaughtUp: Bool, now: BootInstant) -> [Action] {
        guard isRegistered else { return [] }
        // Gone, because Redis lost its data, or another's.
        let own = registered.first { $0.outbox == identity.outbox }
        guard own?.start == identity.start else { return displaced(now: now) }
        return restored(isCaughtUp) + bind(registered) + begin(isCaughtUp, now)
    }

    private mutating func restored(_ isCaughtUp: Bool) -> [Action] {
        guard isCaughtUp, hasLostRecords else { return [] }
        hasLostRecords = false
        return [.noteRestored]
    }

    private mutating func bind(_ registered: [RegisteredIssuer]) -> [Action] {
        let others = registered.filter { $0.outbox != identity.outbox }
        let names = Dictionary(others.map { ($0.outbox, $0.name) }, uniquingKeysWith: { $1 })
        // One that is not there now is forgotten only for another of the same name: an operator has replaced it.
        let gone = bindings.filter { names[$0.key] == nil && names.values.contains($0.value) }.keys
        let new = names.filter { bindings[$0.key] != $0.value }.sorted { $0.key.description < $1.key.description }
        for outbox in gone { bindings[outbox] = nil }
        bindings.merge(names) { $1 }
        return gone.sorted { $0.description < $1.description }.map { .bind($0, name: nil) }
            + new.map { .bind($0.key, name: $0.value) }
    }

    /// A node that held a lease in the epoch before has had the time to renew it in this one, and stands in the
    /// registry that the script looks at.
    private mutating func begin(_ isCaughtUp: Bool, _ now: BootInstant) -> [Action] {
        caughtUpSince = isCaughtUp ? caughtUpSince ?? now : nil
        guard let caughtUpSince, now >= caughtUpSince + settling, layout < .newest else { return [] }
        return [.begin(.newest)]
    }

    /// The feed has this layout now.
    public mutating func began(_ layout: FeedLayout) { self.layout = max(self.layout, layout) }

    // MARK: Recovery

    /// Under what name this issuer says that it has replayed its outbox: not its own while records of that are lost, so
    /// that the recovery goes on waiting for it, or for an operator who excuses it.
    public var restoredName: String { hasLostRecords ? "?\(identity.name)" : identity.name }

    /// What the recovery waits for: each of these issuers, and of each the outbox that its name is bound to.
    public func needed(_ issuers: [String]) -> [String] {
        let bound = bindings.filter { issuers.contains($0.value) && $0.value != identity.name }
        return issuers + bound.map { Self.bound($0.value, to: $0.key) }.sorted()
    }

    /// An issuer's name and its outbox, as the recovery waits for both.
    public static func bound(_ name: String, to outbox: Nonce) -> String { "\(name)#\(outbox)" }

    // MARK: Steps

    private mutating func register(_ now: BootInstant) -> [Action] {
        guard isConnected, !isRegistered, !isRegistering else { return [] }
        let holder = bindings.first { $0.value == identity.name }?.key
        if let holder, holder != replaced { return refused(.taken(holder), now) }
        isRegistering = true
        return [.register(replacing: replaced)]
    }

    private mutating func refused(_ problem: Problem, _ now: BootInstant) -> [Action] {
        let isNew = self.problem != problem
        self.problem = problem
        return (isNew ? [.refused(problem)] : []) + [.wake(at: now + Self.retryInterval)]
    }
}
