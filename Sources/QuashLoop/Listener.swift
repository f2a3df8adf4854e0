import CUV
package import QuashCrypto

/// Accepts connections at a `BoundAddress` on one loop.
///
/// At its share of the address's connections it stops accepting: libuv holds one connection that has arrived and asks
/// for no more, so the others wait in the kernel's backlog. It goes on when a connection closes.
@safe
package final class Listener: HandleOwner {
    private let address: BoundAddress
    private let tls: TLSContext?
    private let limits: ConnectionLimits
    private let type: uv_handle_type
    private var stream: UnsafeMutablePointer<uv_stream_t>?
    private var makeDelegate: ((Connection) -> any ConnectionDelegate)?
    private var isOneWaiting = false

    /// Connections that are open.
    package private(set) var connectionCount = 0

    /// Where it listens, with the port that the system chose.
    package var endpoint: Endpoint { address.endpoint }

    /// - Parameters:
    ///   - tls: a server's context; nil for plain connections.
    ///   - makeDelegate: called for each connection, before anything else happens to it. Held until `close()`.
    package init(
        on loop: Loop, at address: BoundAddress, tls: TLSContext? = nil,
        limits: ConnectionLimits = ConnectionLimits(),
        makeDelegate: @escaping (Connection) -> any ConnectionDelegate
    ) throws(LoopError) {
        self.address = address
        self.tls = tls
        self.limits = limits
        self.makeDelegate = makeDelegate
        if case .tcp = address.endpoint { type = UV_TCP } else { type = UV_NAMED_PIPE }
        super.init(loop: loop)
        let descriptor = address.takeDescriptor()
        let action = "cannot listen on \(address.endpoint)"
        unsafe stream = try open(type, as: uv_stream_t.self, action) {
            let memory = UnsafeMutableRawPointer($1)
            if type == UV_TCP {
                let tcp = unsafe memory.assumingMemoryBound(to: uv_tcp_t.self)
                let status = unsafe uv_tcp_init($0, tcp)
                return unsafe status == 0 ? uv_tcp_open(tcp, descriptor) : status
            }
            let pipe = unsafe memory.assumingMemoryBound(to: uv_pipe_t.self)
            let status = unsafe uv_pipe_init($0, pipe, 0)
            return unsafe status == 0 ? uv_pipe_open(pipe, descriptor) : status
        }
        let status = unsafe uv_listen(stream, LoopLimits.backlog, connectionCallback)
        guard status == 0 else {
            close()
            throw LoopError(status: status, action)
        }
    }

    /// Stops listening. Connections that are open stay; those that the kernel holds unaccepted are reset. May be called
    /// more than once.
    package func close() {
        guard let stream = unsafe stream else { return }
        unsafe self.stream = nil
        makeDelegate = nil
        isOneWaiting = false
        unsafe close(stream)
        // uv_close has closed the descriptor already.
        address.descriptorClosed()
    }

    fileprivate func connectionArrived(status: Int32) {
        // A connection that broke before it was accepted; the kernel goes on with the next.
        guard status == 0 else { return }
        if connectionCount < address.maxConnectionsPerListener {
            accept()
        } else {
            // Not to call uv_accept is how libuv is told to stop accepting.
            isOneWaiting = true
        }
    }

    private func accept() {
        guard let stream = unsafe stream, let makeDelegate else { return }
        guard
            let connection = unsafe try? Connection.accept(from: stream, of: self, type: type, tls: tls, limits: limits)
        else { return }
        connectionCount += 1
        connection.serve(makeDelegate(connection))
    }

    /// One of the accepted connections is gone.
    func connectionEnded() {
        connectionCount -= 1
        if isOneWaiting {
            isOneWaiting = false
            accept()
        }
    }

    override func loopEnds() { close() }
}

private let connectionCallback: uv_connection_cb = { stream, status in
    guard let stream = unsafe stream else { return }
    let handle = unsafe UnsafeMutableRawPointer(stream).assumingMemoryBound(to: uv_handle_t.self)
    unsafe owner(of: handle, as: Listener.self).connectionArrived(status: status)
}
