import QuashLoop

/// The life of a link: a connection that is made again whenever it is lost. Pure; `RedisLink` drives it.
///
///     idle ── start ──> connecting ── opened ──> greeting ── last reply ──> up
///                         ^   └── lost ──┐          └── lost ──┐          lost │
///                         └── wait over ─┴── waiting <─────────┴───────────────┘        close: any ──> closed
///
/// Where sentinels tell who the master is, every attempt begins with them, until one names it:
///
///     connecting to a sentinel ── opened ──> asking ── answer ──> connecting to the master, and on as above
///       ^     └── lost ──┐                     └── lost ──┐
///       └── next one ────┴────────────────────────────────┴── after the last one: waiting
struct LinkMachine {
    private enum State: Equatable {
        case idle
        case connecting(Discovery.Peer, deadline: LoopInstant)
        case asking(sentinel: Endpoint, deadline: LoopInstant)
        case greeting(Handshake, server: Endpoint, deadline: LoopInstant)
        case up(server: Endpoint, since: LoopInstant)
        case waiting(until: LoopInstant)
        case closed
    }

    /// What to do about a reply.
    enum ReceivedAction: Equatable {
        /// The handshake goes on.
        case nothing
        /// A sentinel has answered: its connection is done with, and this one follows.
        case connect(Endpoint)
        /// The handshake is over; the link is up.
        case becameUp
        /// The reply is for the one who uses the link.
        case deliver
        /// So is this one, and after it the connection has to be dropped; then call `lost`.
        case deliverAndDrop(RedisError)
        /// The connection is of no use and has to be dropped; then call `lost`.
        case drop(RedisError)
    }

    /// What to do about a connection that is gone.
    enum LostAction: Equatable {
        case nothing
        /// The next sentinel is asked.
        case connect(Endpoint)
        /// Tell the one who uses the link; the next attempt follows at `deadline`.
        case tell(RedisError)
    }

    /// What to do when `deadline` has come.
    enum DeadlineAction: Equatable {
        case nothing
        case connect(Endpoint)
        /// The connection took too long and has to be dropped; then call `lost`.
        case drop(RedisError)
    }

    private let options: RedisOptions
    private var state = State.idle
    private var discovery: Discovery
    private var backoff: Backoff
    /// Counts the connections that came up, so that what belongs to an old one can be told apart. The first is 1.
    private(set) var generation: UInt64 = 0

    init(_ options: RedisOptions) {
        self.options = options
        discovery = Discovery(options.location)
        backoff = Backoff(first: options.backoff.lowerBound, ceiling: options.backoff.upperBound)
    }

    /// Whether commands can be sent.
    var isUp: Bool {
        if case .up = state { true } else { false }
    }

    /// The server that the link is up with.
    var server: Endpoint? {
        if case .up(let server, _) = state { server } else { nil }
    }

    /// Whom the connection is to, or what there is none to, for a sentence.
    var peer: String {
        switch state {
        case .connecting(.sentinel(let endpoint), _), .asking(let endpoint, _): "the sentinel at \(endpoint)"
        case .connecting(.server(let endpoint), _), .greeting(_, let endpoint, _), .up(let endpoint, _):
            "Redis at \(endpoint)"
        case .idle, .waiting, .closed:
            switch options.location {
            case .server(let endpoint): "Redis at \(endpoint)"
            case .master(let name, _): "the Redis master \(name)"
            }
        }
    }

    /// When `deadlineReached` wants to be called; nil for never.
    var deadline: LoopInstant? {
        switch state {
        case .connecting(_, let deadline), .asking(_, let deadline), .greeting(_, _, let deadline),
            .waiting(let deadline):
            deadline
        case .idle, .up, .closed: nil
        }
    }

    /// Begins. Returns whom to connect to.
    mutating func start(now: LoopInstant) -> Endpoint {
        precondition(state == .idle, "a link was started twice")
        return connect(to: discovery.begin(), now)
    }

    /// The connection is open. Returns what to send.
    mutating func opened() -> [RedisCommand] {
        guard case .connecting(let peer, let deadline) = state else {
            preconditionFailure("a connection opened that nobody waited for, in the state \(state)")
        }
        switch peer {
        case .sentinel(let endpoint):
            state = .asking(sentinel: endpoint, deadline: deadline)
            return [discovery.question]
        case .server(let endpoint):
            let handshake = Handshake(options, expectedMaster: options.location.isFoundBySentinels ? endpoint : nil)
            state = .greeting(handshake, server: endpoint, deadline: deadline)
            return handshake.commands
        }
    }

    mutating func received(_ reply: RESPValue, now: LoopInstant) -> ReceivedAction {
        do throws(RedisError) {
            switch state {
            case .up(let server, _):
                guard options.location.isFoundBySentinels, let error = Self.unfitness(reply, of: server) else {
                    return .deliver
                }
                discovery.misled()
                return .deliverAndDrop(error)
            case .asking:
                return .connect(connect(to: try discovery.received(reply), now))
            case .greeting(var handshake, let server, let deadline):
                guard try handshake.received(reply) else {
                    state = .greeting(handshake, server: server, deadline: deadline)
                    return .nothing
                }
                state = .up(server: server, since: now)
                generation += 1
                return .becameUp
            case .idle, .connecting, .waiting, .closed:
                preconditionFailure("a reply came without a connection, in the state \(state)")
            }
        } catch {
            return .drop(error)
        }
    }

    /// The connection is gone, or was dropped.
    ///
    /// The waits begin anew only after a connection that was up for as long as the longest of them: a server that lets
    /// everyone in and then hangs up is not asked twenty times a second.
    ///
    /// - Parameters:
    ///   - error: why.
    ///   - random: any 64 bits, evenly spread.
    mutating func lost(_ error: RedisError, now: LoopInstant, random: UInt64) -> LostAction {
        var told = error
        switch state {
        case .up(_, let since):
            if now - since >= backoff.ceiling { backoff.reset() }
        case .connecting(.sentinel, _), .asking:
            if let next = discovery.failed(error) { return .connect(connect(to: next, now)) }
            told = discovery.failure
        case .connecting(.server, _), .greeting: discovery.misled()
        case .closed: return .nothing
        case .idle, .waiting: preconditionFailure("a connection was lost that was not there, in the state \(state)")
        }
        state = .waiting(until: now + backoff.next(random: random))
        return .tell(told)
    }

    mutating func deadlineReached(now: LoopInstant) -> DeadlineAction {
        guard let deadline, deadline <= now else { return .nothing }
        if case .waiting = state { return .connect(connect(to: discovery.begin(), now)) }
        return .drop(RedisError(.timedOut, "\(peer) did not answer within \(options.connectTimeout)"))
    }

    /// Ends the link for good.
    mutating func close() {
        state = .closed
    }

    private mutating func connect(to peer: Discovery.Peer, _ now: LoopInstant) -> Endpoint {
        state = .connecting(peer, deadline: now + options.connectTimeout)
        return peer.endpoint
    }

    /// That the server takes no writes: it was demoted, or is cut off from its replicas, and perhaps from the sentinels
    /// too, so that these cannot end its connections although they have promoted another one.
    private static func unfitness(_ reply: RESPValue, of server: Endpoint) -> RedisError? {
        guard case .error(let text) = reply else { return nil }
        let error = RedisError(reply: text, to: "a command at \(server), so the sentinels are asked again")
        switch error.serverPrefix {
        case "READONLY", "MASTERDOWN", "NOREPLICAS": return error
        default: return nil
        }
    }
}
