import QuashLoop

/// Stands between one process and Redis, on a unix socket each way: it can stand still in either direction, delay, and
/// cut. To the process it is the network; it needs no privileges, as network namespaces would.
///
/// Standing still means to stop reading, so that the sender's buffers fill as on a link that lost its far end. A
/// connection that is made meanwhile is taken and hears nothing, as from a peer whose packets are dropped.
final class Relay: Sendable {
    /// What is the matter with the link.
    struct Trouble: Equatable, Sendable {
        /// Nothing goes to Redis.
        var isSilentUpwards = false
        /// Nothing comes from Redis.
        var isSilentDownwards = false
        /// Connections are closed, and new ones too.
        var isCut = false
        /// Each way.
        var delay = Duration.zero
    }

    let path: String
    private let thread: LoopThread
    private let state: OnLoop<RelayState>

    /// - Parameter thread: may serve several relays.
    init(at path: String, to target: String, on thread: LoopThread) throws {
        self.path = path
        self.thread = thread
        let state = OnLoop(RelayState(target: .unix(path: target)))
        self.state = state
        let address = try BoundAddress(.unix(path: path))
        try thread.call { loop in
            state.value.listener = try Listener(on: loop, at: address, limits: RelayState.limits) { connection in
                state.value.accepted(connection, on: loop)
            }
        }
    }

    /// From now on; returns when it is so.
    func set(_ trouble: Trouble) throws {
        try thread.call { [state] _ in state.value.set(trouble) }
    }
}

/// What belongs to the relay's loop.
private final class RelayState {
    static let limits = ConnectionLimits(maxQueuedBytes: 64 * 1024 * 1024)

    let target: Endpoint
    var listener: Listener?
    private var pairs: [RelayPair] = []
    private(set) var trouble = Relay.Trouble()

    init(target: Endpoint) { self.target = target }

    func accepted(_ connection: Connection, on loop: Loop) -> any ConnectionDelegate {
        let pair = RelayPair(connection, on: loop, relay: self)
        pairs.append(pair)
        return pair.client
    }

    func set(_ trouble: Relay.Trouble) {
        self.trouble = trouble
        for pair in pairs { pair.apply(trouble) }
    }

    func ended(_ pair: RelayPair) { pairs.removeAll { $0 === pair } }
}

/// One connection of the process, and the one to Redis that belongs to it.
private final class RelayPair {
    let client: RelaySide
    let server: RelaySide
    private weak var relay: RelayState?

    init(_ connection: Connection, on loop: Loop, relay: RelayState) {
        self.relay = relay
        client = RelaySide(on: loop)
        server = RelaySide(on: loop)
        client.pair = self
        server.pair = self
        client.connection = connection
        server.connection = Connection.connect(
            on: loop, to: relay.target, limits: RelayState.limits, delegate: server)
    }

    func opened(_ side: RelaySide) {
        guard let relay else { return }
        side.isOpen = true
        side.flush()
        apply(relay.trouble)
    }

    func apply(_ trouble: Relay.Trouble) {
        if trouble.isCut {
            client.connection?.close()
            server.connection?.close()
            return
        }
        client.reads(!trouble.isSilentUpwards)
        server.reads(!trouble.isSilentDownwards)
    }

    func received(_ side: RelaySide, _ bytes: [UInt8]) {
        (side === client ? server : client).take(bytes, after: relay?.trouble.delay ?? .zero)
    }

    func closed(_ side: RelaySide) {
        (side === client ? server : client).connection?.close()
        side.end()
        if client.connection == nil, server.connection == nil {
            relay?.ended(self)
            client.pair = nil
            server.pair = nil
        }
    }
}

private final class RelaySide: ConnectionDelegate {
    var pair: RelayPair?
    var connection: Connection?
    var isOpen = false
    private let loop: Loop
    private var waiting: [(due: LoopInstant, bytes: [UInt8])] = []
    private var timer: Timer?

    init(on loop: Loop) { self.loop = loop }

    func reads(_ does: Bool) {
        guard isOpen else { return }
        if does { connection?.resumeReading() } else { connection?.pauseReading() }
    }

    /// Writes `bytes` to this side, later.
    func take(_ bytes: [UInt8], after delay: Duration) {
        if isOpen, waiting.isEmpty, delay == .zero {
            connection?.write(bytes)
        } else {
            waiting.append((loop.now + delay, bytes))
            if isOpen { flush() }
        }
    }

    func flush() {
        while let first = waiting.first, first.due <= loop.now { connection?.write(waiting.removeFirst().bytes) }
        guard let first = waiting.first else { return }
        let timer = timer ?? Timer(on: loop) { [weak self] in self?.flush() }
        self.timer = timer
        timer.start(after: first.due - loop.now)
    }

    func end() {
        connection = nil
        timer?.close()
        timer = nil
    }

    func connectionOpened(_ connection: Connection) { pair?.opened(self) }

    func connection(_ connection: Connection, received bytes: UnsafeRawBufferPointer) {
        pair?.received(self, unsafe Array(bytes))
    }

    func connectionDrained(_ connection: Connection) {}

    func connectionClosed(_ connection: Connection, because reason: LoopError?) { pair?.closed(self) }
}
