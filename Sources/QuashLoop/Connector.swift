import CUV
import Glibc

/// Finds the addresses of an endpoint and tries one after the other until one takes a connection.
///
/// Each attempt has its own handle. The handle of the attempt that succeeds passes to the `Connection`; the others are
/// closed here. An attempt may use an equal share of the time that is left, so that one address which does not answer
/// leaves time for the next.
@safe
final class Connector: HandleOwner {
    private let endpoint: Endpoint
    private let deadline: LoopInstant
    /// nil once the outcome has been told, or is no longer wanted.
    private var connection: Connection?
    private var addresses: [SocketAddress] = []
    private var lookup: UnsafeMutablePointer<uv_getaddrinfo_t>?
    private var stream: UnsafeMutablePointer<uv_stream_t>?
    private var attemptTimer: Timer?
    private var lastError: LoopError?

    init(for connection: Connection, endpoint: Endpoint, deadline: LoopInstant) {
        self.connection = connection
        self.endpoint = endpoint
        self.deadline = deadline
        super.init(loop: connection.loop)
        attemptTimer = Timer(on: loop) { [unowned self] in
            attemptFailed(LoopError(.timedOut, "cannot connect to \(self.endpoint): no answer in time"))
        }
    }

    func start() {
        switch endpoint {
        case .unix(let path):
            do throws(LoopError) {
                try endpoint.checkPath(path)
                try connectPipe(path)
            } catch {
                fail(error)
            }
        case .tcp(let host, let port):
            if let address = SocketAddress(numericHost: host, port: port) {
                tryEach([address])
            } else {
                resolve(host: host, port: port)
            }
        }
    }

    /// The outcome is no longer wanted.
    func cancel() {
        connection = nil
        attemptTimer?.close()
        attemptTimer = nil
        // SAFETY: the request lives until its callback has run, which clears `lookup`. uv_cancel fails when the lookup
        // has begun; then its callback comes later and finds nobody.
        if let lookup = unsafe lookup {
            unsafe _ = uv_cancel(UnsafeMutableRawPointer(lookup).assumingMemoryBound(to: uv_req_t.self))
        }
        closeAttempt()
    }

    override func loopEnds() {
        // The walk reaches the handle of the attempt; the connection has no handle of its own yet.
        let connection = connection
        connection?.loopEnds()
    }

    // MARK: Name resolution

    private func resolve(host: String, port: UInt16) {
        let request = UnsafeMutablePointer<uv_getaddrinfo_t>.allocate(capacity: 1)
        unsafe request.initialize(to: uv_getaddrinfo_t())
        unsafe request.pointee.data = Unmanaged.passRetained(self).toOpaque()
        unsafe lookup = unsafe request
        var hints = unsafe addrinfo()
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        let status = unsafe uv_getaddrinfo(loop.raw, request, lookupCallback, host, String(port), &hints)
        if status != 0 { unsafe lookupEnded(request, status: status, list: nil) }
    }

    fileprivate func lookupEnded(
        _ request: UnsafeMutablePointer<uv_getaddrinfo_t>, status: Int32, list: UnsafeMutablePointer<addrinfo>?
    ) {
        // SAFETY: the reference that `resolve` retained; the request is done with.
        unsafe Unmanaged<Connector>.fromOpaque(request.pointee.data).release()
        unsafe lookup = nil
        unsafe request.deallocate()
        let found = unsafe SocketAddress.list(list)
        unsafe uv_freeaddrinfo(list)
        guard connection != nil else { return }
        if status != 0 {
            fail(LoopError(status: status, "cannot find the address of \(endpoint)"))
        } else {
            tryEach(found)
        }
    }

    // MARK: Attempts

    /// Tries `list` in its order.
    func tryEach(_ list: [SocketAddress]) {
        addresses = list.reversed()
        tryNextAddress()
    }

    private func tryNextAddress() {
        let left = deadline - loop.now
        let share = left / max(addresses.count, 1)
        guard let address = addresses.popLast() else {
            fail(lastError ?? LoopError(.unresolved, "cannot find the address of \(endpoint): it has none"))
            return
        }
        do throws(LoopError) {
            let handle = unsafe try open(UV_TCP, as: uv_tcp_t.self, "cannot connect to \(endpoint)") {
                unsafe uv_tcp_init($0, $1)
            }
            unsafe stream = UnsafeMutableRawPointer(handle).assumingMemoryBound(to: uv_stream_t.self)
            unsafe uv_tcp_nodelay(handle, 1)
            let request = UnsafeMutablePointer<uv_connect_t>.allocate(capacity: 1)
            unsafe request.initialize(to: uv_connect_t())
            let status = unsafe address.withPointer { address, _ in
                unsafe uv_tcp_connect(request, handle, address, connectCallback)
            }
            guard status == 0 else {
                unsafe request.deallocate()
                throw LoopError(status: status, "cannot connect to \(endpoint)")
            }
            if !addresses.isEmpty { attemptTimer?.start(after: share) }
        } catch {
            attemptFailed(error)
        }
    }

    private func connectPipe(_ path: String) throws(LoopError) {
        let handle = unsafe try open(UV_NAMED_PIPE, as: uv_pipe_t.self, "cannot connect to \(endpoint)") {
            unsafe uv_pipe_init($0, $1, 0)
        }
        unsafe stream = UnsafeMutableRawPointer(handle).assumingMemoryBound(to: uv_stream_t.self)
        let request = UnsafeMutablePointer<uv_connect_t>.allocate(capacity: 1)
        unsafe request.initialize(to: uv_connect_t())
        // It reports every failure through the callback.
        unsafe uv_pipe_connect(request, handle, path, connectCallback)
    }

    fileprivate func attemptEnded(_ ended: UnsafeMutablePointer<uv_stream_t>?, status: Int32) {
        // A cancelled attempt reports itself too, with ECANCELED.
        guard let stream = unsafe stream, unsafe stream == ended, let connection else { return }
        guard status == 0 else {
            attemptFailed(LoopError(status: status, "cannot connect to \(endpoint)"))
            return
        }
        unsafe self.stream = nil
        self.connection = nil
        attemptTimer?.close()
        unsafe pass(stream, to: connection)
        unsafe connection.connected(stream)
    }

    private func attemptFailed(_ error: LoopError) {
        lastError = error
        attemptTimer?.stop()
        closeAttempt()
        tryNextAddress()
    }

    private func closeAttempt() {
        guard let stream = unsafe stream else { return }
        unsafe self.stream = nil
        unsafe close(stream)
    }

    private func fail(_ error: LoopError) {
        let connection = connection
        self.connection = nil
        connection?.close(because: error)
    }
}

private let lookupCallback: uv_getaddrinfo_cb = { request, status, list in
    guard let request = unsafe request else { return }
    // SAFETY: `data` is the reference that `resolve` retained, and it is released in `lookupEnded`.
    let connector = unsafe Unmanaged<Connector>.fromOpaque(request.pointee.data).takeUnretainedValue()
    unsafe connector.lookupEnded(request, status: status, list: list)
}

private let connectCallback: uv_connect_cb = { request, status in
    guard let request = unsafe request, let stream = unsafe request.pointee.handle else { return }
    unsafe request.deallocate()
    let handle = unsafe UnsafeMutableRawPointer(stream).assumingMemoryBound(to: uv_handle_t.self)
    unsafe owner(of: handle, as: Connector.self).attemptEnded(stream, status: status)
}
