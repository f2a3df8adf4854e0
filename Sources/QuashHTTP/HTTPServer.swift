package import QuashCrypto
package import QuashLoop

/// What answers the requests of a server. Called on the server's loop.
package protocol HTTPResponder: AnyObject {
    /// How many bytes of content this request may have; 0 for none. `request` has its head only. A request with more is
    /// answered 413 and the connection closes.
    func bodyLimitBytes(for request: borrowing HTTPRequest) -> Int

    /// Answers `request` through `exchange`: within this call, which is the quickest way, or later on the same loop.
    /// Every exchange has to be answered, once.
    func respond(to request: borrowing HTTPRequest, _ exchange: HTTPExchange)
}

/// An HTTP/1.1 server on one loop, at one of the descriptors of a `BoundAddress`.
package final class HTTPServer {
    let responder: any HTTPResponder
    let limits: HTTPLimits
    let loop: Loop
    /// For the responses of all connections of this loop.
    var date = HTTPDate()

    private var listener: Listener?
    private var connections: [ObjectIdentifier: ServerConnection] = [:]
    private var drainTimer: Timer?
    private var drained: (() -> Void)?

    /// Begins to serve. Throws when the loop cannot listen.
    /// - Parameter tls: a server's context; nil for plain connections.
    package init(
        on loop: Loop, at address: BoundAddress, tls: TLSContext? = nil, limits: HTTPLimits = HTTPLimits(),
        responder: any HTTPResponder
    ) throws(LoopError) {
        self.loop = loop
        self.limits = limits
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
