import CUV
import Glibc
package import QuashCrypto

/// Accepts connections at a `BoundAddress` on one loop.
///
/// It calls accept4(2) itself, and lets libuv only say when there is something to accept: at the limit of descriptors
/// libuv's own listener either drops connections unseen or, where another loop took the descriptor that it keeps for
/// that, calls accept(2) without end.
///
/// Without a place in the address's budget it stops accepting, and what has arrived waits in the kernel's backlog until
/// the budget wakes it. Without a descriptor it tries again after a while, or when one of its connections closes.
@safe
package final class Listener: HandleOwner {
    private let address: BoundAddress
    private let tls: TLSContext?
    private let limits: ConnectionLimits
    private let descriptor: Int32
    private var poll: UnsafeMutablePointer<uv_poll_t>?
    private var makeDelegate: ((Connection) -> any ConnectionDelegate)?
    private var wake: LoopWake?
    private var retry: Timer?
    private var isPaused = false

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
        descriptor = address.takeDescriptor()
        super.init(loop: loop)
        let action = "cannot listen on \(address.endpoint)"
        do throws(LoopError) {
            wake = try LoopWake(on: loop) { [unowned self] in resume() }
            unsafe poll = try open(UV_POLL, as: uv_poll_t.self, action) {
                unsafe uv_poll_init($0, $1, descriptor)
            }
            try watch()
        } catch {
            if unsafe poll == nil { closeDescriptor() }
            close()
            throw error
        }
        retry = Timer(on: loop) { [unowned self] in resume() }
    }

    /// Stops listening. Connections that are open stay; those that the kernel holds unaccepted are reset. May be called
    /// more than once.
    package func close() {
        makeDelegate = nil
        retry?.close()
        if let wake {
            address.connections.leave(wake)
            wake.close()
        }
        wake = nil
        guard let poll = unsafe poll else { return }
        unsafe self.poll = nil
        // Polling stops immediately, so the descriptor may be closed (libuv docs, uv_poll_t).
        unsafe close(poll)
        closeDescriptor()
    }

    private func closeDescriptor() {
        _ = Glibc.close(descriptor)
        address.descriptorClosed()
    }

    // MARK: Accepting

    private func watch() throws(LoopError) {
        guard let poll = unsafe poll else { return }
        let status = unsafe uv_poll_start(poll, Int32(UV_READABLE.rawValue), pollCallback)
        guard status == 0 else { throw LoopError(status: status, "cannot listen on \(address.endpoint)") }
    }

    fileprivate func arrived() {
        if let shortage = accept().shortage { pause(shortage) }
    }

    /// Accepts what waits, a few at a time, so that the loop looks at the connections that it has; it is called again
    /// while more waits.
    private func accept() -> (count: Int, shortage: ConnectionBudget.Shortage?) {
        let most = tls == nil ? LoopLimits.maxAcceptsPerTurn : LoopLimits.maxTLSAcceptsPerTurn
        for count in 0..<most {
            guard let wake, makeDelegate != nil else { return (count, nil) }
            guard address.connections.take(for: wake) else { return (count, .connections) }
            let accepted = quash_accept(descriptor)
            let error = errno
            if accepted >= 0 {
                serve(accepted)
                continue
            }
            address.connections.giveBack()
            switch error {
            case EINTR, ECONNABORTED: continue
            case EMFILE, ENFILE, ENOBUFS, ENOMEM: return (count, .descriptors)
            // EAGAIN: nothing waits, or another loop was faster. The errors of the network that accept(2) lists concern
            // one connection; the next turn goes on with the others.
            default: return (count, nil)
            }
        }
        return (most, nil)
    }

    private func serve(_ accepted: Int32) {
        let isTCP = if case .tcp = address.endpoint { true } else { false }
        guard let makeDelegate,
            let connection = try? Connection.accept(accepted, of: self, isTCP: isTCP, tls: tls, limits: limits)
        else { return address.connections.giveBack() }
        connectionCount += 1
        connection.serve(makeDelegate(connection))
    }

    private func pause(_ shortage: ConnectionBudget.Shortage) {
        if let poll = unsafe poll { unsafe _ = uv_poll_stop(poll) }
        isPaused = true
        if shortage == .descriptors { retry?.start(after: LoopLimits.acceptRetry) }
        address.connections.notePause(shortage)
    }

    /// There may be a place, or a descriptor.
    private func resume() {
        guard isPaused else { return }
        let (count, shortage) = accept()
        if let shortage {
            if count > 0 { return pause(shortage) }
            if shortage == .descriptors { retry?.start(after: LoopLimits.acceptRetry) }
            return
        }
        isPaused = false
        retry?.stop()
        // Fails only where epoll_ctl(2) finds no memory: then it is tried again.
        do throws(LoopError) { try watch() } catch { pause(.descriptors) }
    }

    /// One of the accepted connections is gone.
    func connectionEnded() {
        connectionCount -= 1
        address.connections.giveBack()
        if isPaused { resume() }
    }

    override func loopEnds() { close() }
}

/// A listener whose poll fails, which epoll reports for a socket that is shut down, finds out with accept4(2).
private let pollCallback: uv_poll_cb = { poll, _, _ in
    guard let poll = unsafe poll else { return }
    let handle = unsafe UnsafeMutableRawPointer(poll).assumingMemoryBound(to: uv_handle_t.self)
    unsafe owner(of: handle, as: Listener.self).arrived()
}
