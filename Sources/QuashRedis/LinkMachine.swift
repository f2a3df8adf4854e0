import QuashLoop

/// The life of a link: a connection that is made again whenever it is lost. Pure; `RedisLink` drives it.
///
///     idle ── start ──> connecting ── opened ──> greeting ── last reply ──> up
///                         ^   └── lost ──┐          └── lost ──┐          lost │
///                         └── wait over ─┴── waiting <─────────┴───────────────┘        close: any ──> closed
struct LinkMachine {
    private enum State: Equatable {
        case idle
        case connecting(deadline: LoopInstant)
        case greeting(Handshake, deadline: LoopInstant)
        case up(since: LoopInstant)
        case waiting(until: LoopInstant)
        case closed
    }

    /// What to do about a reply.
    enum ReceivedAction: Equatable {
        /// The handshake goes on.
        case nothing
        /// The handshake is over; the link is up.
        case becameUp
        /// The reply is for the one who uses the link.
        case deliver
        /// The connection is of no use and has to be dropped; then call `lost`.
        case drop(RedisError)
    }

    /// What to do when `deadline` has come.
    enum DeadlineAction: Equatable {
        case nothing
        case connect
        /// The connection took too long and has to be dropped; then call `lost`.
        case drop(RedisError)
    }

    private let options: RedisOptions
    private var state = State.idle
    private var backoff: Backoff
    /// Counts the connections that came up, so that what belongs to an old one can be told apart. The first is 1.
    private(set) var generation: UInt64 = 0

    init(_ options: RedisOptions) {
        self.options = options
        backoff = Backoff(first: options.backoff.lowerBound, ceiling: options.backoff.upperBound)
    }

    /// Whether commands can be sent.
    var isUp: Bool {
        if case .up = state { true } else { false }
    }

    /// When `deadlineReached` wants to be called; nil for never.
    var deadline: LoopInstant? {
        switch state {
        case .connecting(let deadline), .greeting(_, let deadline), .waiting(let deadline): deadline
        case .idle, .up, .closed: nil
        }
    }

    /// Begins; then connect.
    mutating func start(now: LoopInstant) {
        precondition(state == .idle, "a link was started twice")
        connect(now)
    }

    /// The connection is open. Returns what to send.
    mutating func opened() -> [RedisCommand] {
        guard case .connecting(let deadline) = state else {
            preconditionFailure("a connection opened that nobody waited for, in the state \(state)")
        }
        let handshake = Handshake(options)
        state = .greeting(handshake, deadline: deadline)
        return handshake.commands
    }

    mutating func received(_ reply: RESPValue, now: LoopInstant) -> ReceivedAction {
        switch state {
        case .up: return .deliver
        case .greeting(var handshake, let deadline):
            do throws(RedisError) {
                guard try handshake.received(reply) else {
                    state = .greeting(handshake, deadline: deadline)
                    return .nothing
                }
            } catch {
                return .drop(error)
            }
            state = .up(since: now)
            generation += 1
            return .becameUp
        case .idle, .connecting, .waiting, .closed:
            preconditionFailure("a reply came without a connection, in the state \(state)")
        }
    }

    /// The connection is gone, or was dropped. The next attempt follows at `deadline`.
    ///
    /// The waits begin anew only after a connection that was up for as long as the longest of them: a server that lets
    /// everyone in and then hangs up is not asked twenty times a second.
    ///
    /// - Parameter random: any 64 bits, evenly spread.
    mutating func lost(now: LoopInstant, random: UInt64) {
        switch state {
        case .up(let since):
            if now - since >= backoff.ceiling { backoff.reset() }
        case .connecting, .greeting: break
        case .closed: return
        case .idle, .waiting: preconditionFailure("a connection was lost that was not there, in the state \(state)")
        }
        state = .waiting(until: now + backoff.next(random: random))
    }

    mutating func deadlineReached(now: LoopInstant) -> DeadlineAction {
        guard let deadline, deadline <= now else { return .nothing }
        if case .waiting = state {
            connect(now)
            return .connect
        }
        return .drop(
            RedisError(.timedOut, "Redis at \(options.endpoint) did not answer within \(options.connectTimeout)"))
    }

    /// Ends the link for good.
    mutating func close() {
        state = .closed
    }

    private mutating func connect(_ now: LoopInstant) {
        state = .connecting(deadline: now + options.connectTimeout)
    }
}
