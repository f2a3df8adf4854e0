package import QuashCrypto
package import QuashLoop

/// What answers the requests of a server. Called on the server's loop.
package protocol HTTPResponder: AnyObject {
    /// How many bytes of content this request may have; 0 for none. `request` has its head only. A request with more is
    /// answered 413 and the connection closes.
    func bodyLimitBytes(for request: borrowing HTTPRequest) -> Int

    /// Judges a request with content by its head, before any of the content is kept. `request` has its head only.
    ///
    /// - Parameter peer: the client, as ``HTTPExchange/peer`` describes it.
    /// - Returns: nil to have it read and given to `respond`; otherwise its answer, after which the connection closes.
    func refusal(of request: borrowing HTTPRequest, from peer: () -> String) -> PreparedResponse?

    /// Answers `request` through `exchange`: within this call, which is the quickest way, or later on the same loop.
    /// Every exchange has to be answered, once.
    func respond(to request: borrowing HTTPRequest, _ exchange: HTTPExchange)
}

extension HTTPResponder {
    package func refusal(of request: borrowing HTTPRequest, from peer: () -> String) -> PreparedResponse? { nil }
}

/// An HTTP/1.1 server on one loop, at one of the descriptors of a `BoundAddress`.
package final class HTTPServer {
    let responder: any HTTPResponder
    let limits: HTTPLimits
    let loop: Loop
    let buffers: BufferBudget
    /// For the responses of all connections of this loop.
    var date = HTTPDate()

    private var listener: Listener?
    private var connections: [ObjectIdentifier: ServerConnection] = [:]
    private var drainTimer: Timer?
    private var drained: (() -> Void)?

    /// The turn of the loop in which `requestsInTurn` were taken.
    private var turn: UInt64 = 0
    private var requestsInTurn = 0
    /// Connections whose requests wait for a later turn, in the order in which they came.
    private var postponed: [ServerConnection] = []
    private var turnTimer: Timer?
    /// Between two turns for those, so that the loop serves all its connections: libuv would fire a timer without a
    /// delay that restarts itself before it polls a socket.
    private static let turnInterval: Duration = .milliseconds(1)

    /// Begins to serve. Throws when the loop cannot listen.
    /// - Parameters:
    ///   - tls: a server's context; nil for plain connections.
    ///   - buffers: for what its connections keep of unfinished requests.
    package init(
        on loop: Loop, at address: BoundAddress, tls: TLSContext? = nil, limits: HTTPLimits = HTTPLimits(),
        buffers: BufferBudget = BufferBudget(), responder: any HTTPResponder
    ) throws(LoopError) {
        self.loop = loop
        self.limits = limits
        self.buffers = buffers
        self.responder = responder
        let connectionLimits = ConnectionLimits(maxQueuedBytes: limits.maxQueuedBytes)
        // The listener lives as long as its loop or until `close`; the connections hold the server.
        listener = try Listener(on: loop, at: address, tls: tls, limits: connectionLimits) { [self] connection in
            let served = ServerConnection(connection, server: self)
            connections[ObjectIdentifier(served)] = served
            return served
        }
    }

    /// Where it listens; nil once it does not any more.
    package var endpoint: Endpoint? { listener?.endpoint }

    /// Connections that are open.
    package var connectionCount: Int { connections.count }

    /// Stops accepting, answers what is in flight with "Connection: close", closes idle connections, and calls `done`
    /// when the last connection is gone. What is not answered within `deadline` is cut.
    package func drain(deadline: Duration, done: @escaping () -> Void) {
        stopListening()
        drained = done
        let timer = Timer(on: loop) { [unowned self] in close() }
        drainTimer = timer
        timer.start(after: deadline)
        for connection in Array(connections.values) { connection.drain() }
        endDrainIfEmpty()
    }

    /// Stops accepting and cuts every connection.
    package func close() {
        stopListening()
        for connection in Array(connections.values) { connection.close() }
    }

    private func stopListening() {
        listener?.close()
        listener = nil
    }

    // MARK: Turns

    /// Whether one more request may be answered in this turn of the loop. One that arrives in pieces counts with each
    /// of them.
    func takesRequest() -> Bool {
        guard let most = limits.maxRequestsPerTurn else { return true }
        let turn = loop.turn
        if turn != self.turn { (self.turn, requestsInTurn) = (turn, 0) }
        guard requestsInTurn < most else { return false }
        requestsInTurn += 1
        return true
    }

    /// The requests of `connection` wait for a later turn; `resume` is called then.
    func postpone(_ connection: ServerConnection) {
        let timer = turnTimer ?? Timer(on: loop) { [unowned self] in resumePostponed() }
        turnTimer = timer
        if postponed.isEmpty { timer.start(after: Self.turnInterval) }
        postponed.append(connection)
    }

    /// Goes on with those that wait, each once and as far as this turn's share reaches, before any new ones.
    private func resumePostponed() {
        requestsInTurn = 0
        var count = 0
        let waiting = postponed
        while count < waiting.count, requestsInTurn < limits.maxRequestsPerTurn ?? .max {
            waiting[count].resume()
            count += 1
        }
        postponed.removeFirst(count)
        if !postponed.isEmpty { turnTimer?.start(after: Self.turnInterval) }
    }

    func connectionClosed(_ connection: ServerConnection) {
        connections[ObjectIdentifier(connection)] = nil
        endDrainIfEmpty()
    }

    private func endDrainIfEmpty() {
        guard connections.isEmpty, let done = drained else { return }
        drained = nil
        drainTimer?.close()
        drainTimer = nil
        done()
    }
}

@available(*, unavailable)
extension HTTPServer: Sendable {}
