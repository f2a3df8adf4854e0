import CUV
import Glibc
package import QuashCrypto

/// A stream of bytes to a peer over TCP or a unix socket, plain or TLS, with a limit on what waits to be written.
///
/// States: connecting → handshaking (TLS) → open → flushing (`closeAfterFlush`) → closed. Any of them can go to closed.
/// Writing tries the socket first and copies only what the kernel does not take.
@safe
package final class Connection: HandleOwner {
    enum State { case connecting, handshaking, open, flushing, closed }

    /// Strong: a delegate is often kept by nothing but its connection, and `connectionClosed`, which always comes, ends
    /// the cycle.
    private var delegate: (any ConnectionDelegate)?
    private let limits: ConnectionLimits
    private(set) var state = State.connecting
    private(set) var connector: Connector?
    private var stream: UnsafeMutablePointer<uv_stream_t>?
    private var tls: TLSSession?
    private var deadline: Timer?
    private var closeReason: LoopError?
    private var listener: Listener?

    private var isReadingPaused = false
    private var isWriteWaited = false
    private var hasPeerEnded = false
    private var hasShutDown = false

    /// Bytes that wait in memory until the peer reads.
    package private(set) var queuedBytes = 0

    // MARK: Making one

    private init(on loop: Loop, limits: ConnectionLimits) {
        self.limits = limits
        super.init(loop: loop)
    }

    /// Begins to connect. The delegate hears `connectionOpened`, or `connectionClosed` with the reason, later.
    ///
    /// A host name is resolved without blocking, and each of its addresses is tried until one takes the connection.
    /// - Parameters:
    ///   - tls: a client's context; nil for a plain connection.
    ///   - serverName: for whom the server's certificate must be; the host of the endpoint when it is nil. A unix
    ///     socket has no host, so there it is needed.
    ///   - timeout: for everything until `connectionOpened`.
    @discardableResult
    package static func connect(
        on loop: Loop, to endpoint: Endpoint, tls: TLSContext? = nil, serverName: String? = nil,
        timeout: Duration = .seconds(5), limits: ConnectionLimits = ConnectionLimits(),
        delegate: any ConnectionDelegate
    ) -> Connection {
        let connection = prepare(
            on: loop, to: endpoint, tls: tls, serverName: serverName, timeout: timeout, limits: limits,
            delegate: delegate)
        connection.connector?.start()
        return connection
    }

    /// Everything of `connect` but the start of its connector; nil there when the connection has failed already.
    static func prepare(
        on loop: Loop, to endpoint: Endpoint, tls: TLSContext? = nil, serverName: String? = nil, timeout: Duration,
        limits: ConnectionLimits = ConnectionLimits(), delegate: any ConnectionDelegate
    ) -> Connection {
        let connection = Connection(on: loop, limits: limits)
        connection.delegate = delegate
        if let tls {
            do throws(CryptoError) {
                let name = serverName ?? endpoint.host ?? ""
                connection.tls = try TLSSession(tls, role: .client(serverName: name))
            } catch {
                connection.close(because: LoopError(.tls, "cannot connect to \(endpoint): \(error)"))
                return connection
            }
        }
        connection.startDeadline(timeout, "cannot connect to \(endpoint): no answer within \(timeout)")
        connection.connector = Connector(for: connection, endpoint: endpoint, deadline: loop.now + timeout)
        return connection
    }

    /// Takes `descriptor`, a connection that was accepted; closes it when that fails.
    static func accept(
        _ descriptor: Int32, of listener: Listener, isTCP: Bool, tls: TLSContext?, limits: ConnectionLimits
    ) throws(LoopError) -> Connection {
        let connection = Connection(on: listener.loop, limits: limits)
        let stream: UnsafeMutablePointer<uv_stream_t>
        do throws(LoopError) {
            let type = isTCP ? UV_TCP : UV_NAMED_PIPE
            unsafe stream = try connection.open(type, as: uv_stream_t.self, "cannot accept a connection") {
                let memory = UnsafeMutableRawPointer($1)
                return isTCP
                    ? unsafe uv_tcp_init($0, memory.assumingMemoryBound(to: uv_tcp_t.self))
                    : unsafe uv_pipe_init($0, memory.assumingMemoryBound(to: uv_pipe_t.self), 0)
            }
        } catch {
            _ = Glibc.close(descriptor)
            throw error
        }
        let memory = UnsafeMutableRawPointer(stream)
        let status =
            isTCP
            ? unsafe uv_tcp_open(memory.assumingMemoryBound(to: uv_tcp_t.self), descriptor)
            : unsafe uv_pipe_open(memory.assumingMemoryBound(to: uv_pipe_t.self), descriptor)
        guard status == 0 else {
            _ = Glibc.close(descriptor)
            connection.state = .closed
            unsafe connection.close(stream)
            throw LoopError(status: status, "cannot accept a connection")
        }
        if isTCP { unsafe uv_tcp_nodelay(memory.assumingMemoryBound(to: uv_tcp_t.self), 1) }
        unsafe connection.stream = unsafe stream
        if let tls {
            do throws(CryptoError) {
                connection.tls = try TLSSession(tls, role: .server)
            } catch {
                // Never served in plain text instead.
                connection.close()
                throw LoopError(.tls, "cannot accept a connection: \(error)")
            }
        }
        connection.listener = listener
        return connection
    }

    /// Gives an accepted connection to its delegate and begins to read.
    func serve(_ delegate: any ConnectionDelegate) {
        self.delegate = delegate
        if tls != nil {
            startDeadline(
                limits.handshakeTimeout, "the peer did not finish the TLS handshake in \(self.limits.handshakeTimeout)")
        }
        established()
    }

    /// The connector's success: the stream is ours now.
    func connected(_ stream: UnsafeMutablePointer<uv_stream_t>) {
        connector = nil
        unsafe self.stream = unsafe stream
        established()
    }

    private func established() {
        if let tls {
            state = .handshaking
            advance(tls)
        } else {
            opened()
        }
        startReading()
    }

    func opened() {
        state = .open
        stopDeadline()
        delegate?.connectionOpened(self)
    }

    // MARK: Reading

    /// Stops reading from the socket, so that the peer feels backpressure. What has been read already is still
    /// delivered.
    package func pauseReading() {
        guard !isReadingPaused else { return }
        isReadingPaused = true
        if state == .open, let stream = unsafe stream { unsafe uv_read_stop(stream) }
    }

    /// Undoes `pauseReading`.
    package func resumeReading() {
        guard isReadingPaused else { return }
        isReadingPaused = false
        startReading()
    }

    private func startReading() {
        guard state != .closed, !hasPeerEnded, !isReadingPaused, let stream = unsafe stream else { return }
        let status = unsafe uv_read_start(stream, allocateCallback, readCallback)
        if status != 0 && status != UV_EALREADY.rawValue {
            close(because: LoopError(status: status, "cannot read from the connection"))
        }
    }

    func read(_ count: Int, _ buffer: UnsafeRawBufferPointer) {
        if count > 0 {
            let bytes = unsafe UnsafeRawBufferPointer(rebasing: buffer[..<count])
            if let tls { unsafe decrypt(bytes, tls) } else { unsafe deliver(bytes) }
        } else if count == Int(UV_EOF.rawValue) {
            if tls != nil, !hasPeerEnded, state != .flushing {
                close(because: LoopError(.truncated, "the connection ended without the end of TLS: data may be lost"))
            } else if !hasPeerEnded || state == .flushing {
                reachedEnd()
            }
        } else if count < 0 {
            close(because: LoopError(status: Int32(count), "the connection broke"))
        }
    }

    func deliver(_ bytes: UnsafeRawBufferPointer) {
        switch state {
        case .open: unsafe delegate?.connection(self, received: bytes)
        case .connecting, .handshaking, .flushing, .closed: break
        }
    }

    func reachedEnd() {
        hasPeerEnded = true
        switch state {
        case .open: delegate?.connectionReachedEnd(self)
        case .flushing: if hasShutDown { close(because: nil) }
        case .connecting, .handshaking, .closed: break
        }
    }

    // MARK: Writing

    /// Writes `bytes`, which are copied if they cannot be written at once.
    ///
    /// Returns true when the kernel took all of it. Returns false when something waits: `connectionDrained` comes when
    /// nothing does any more. When more than `maxQueuedBytes` would wait, the connection closes with `.limit`. Before
    /// `connectionOpened` and once closing has begun, the bytes are dropped and false is returned.
    @discardableResult
    package func write(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard state == .open else { return false }
        guard let tls else { return unsafe send(bytes) }
        return unsafe encrypt(bytes, tls)
    }

    /// As `write(_:)` over raw bytes.
    @discardableResult
    package func write(_ bytes: [UInt8]) -> Bool {
        unsafe bytes.withUnsafeBytes { unsafe write($0) }
    }

    @discardableResult
    func send(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard let stream = unsafe stream else { return false }
        var rest = unsafe bytes
        if queuedBytes == 0 {
            // SAFETY: libuv only reads from the buffer, and uv_try_write is done with it when it returns.
            var buffer = unsafe uv_buf_t(
                base: UnsafeMutableRawPointer(mutating: bytes.baseAddress)?.assumingMemoryBound(to: CChar.self),
                len: bytes.count)
            let written = unsafe bytes.isEmpty ? 0 : Int(uv_try_write(stream, &buffer, 1))
            if written == bytes.count { return true }
            if written >= 0 {
                unsafe rest = unsafe UnsafeRawBufferPointer(rebasing: bytes[written...])
            } else if written != Int(UV_EAGAIN.rawValue) {
                close(because: LoopError(status: Int32(written), "the connection broke"))
                return false
            }
        }
        guard queuedBytes + rest.count <= limits.maxQueuedBytes else {
            close(
                because: LoopError(
                    .limit, "the peer does not read: more than \(limits.maxQueuedBytes) bytes wait for it"))
            return false
        }
        unsafe queue(rest)
        return false
    }

    /// Hands libuv a copy of `bytes`, in one block with its request: [uv_write_t][bytes].
    private func queue(_ bytes: UnsafeRawBufferPointer) {
        guard let stream = unsafe stream, unsafe !bytes.isEmpty else { return }
        isWriteWaited = true
        let header = unsafe MemoryLayout<uv_write_t>.size
        let block = UnsafeMutableRawPointer.allocate(byteCount: header + bytes.count, alignment: 16)
        let copy = unsafe UnsafeMutableRawBufferPointer(start: block + header, count: bytes.count)
        unsafe copy.copyMemory(from: bytes)
        let request = unsafe block.bindMemory(to: uv_write_t.self, capacity: 1)
        unsafe request.pointee.data = UnsafeMutableRawPointer(bitPattern: bytes.count)
        var buffer = unsafe uv_buf_t(
            base: copy.baseAddress?.assumingMemoryBound(to: CChar.self), len: bytes.count)
        let status = unsafe uv_write(request, stream, &buffer, 1, writeCallback)
        guard status == 0 else {
            // The callback of a write that failed to begin is not called (libuv docs, uv_write).
            unsafe block.deallocate()
            close(because: LoopError(status: status, "the connection broke"))
            return
        }
        queuedBytes += bytes.count
    }

    func wrote(_ count: Int, status: Int32) {
        queuedBytes -= count
        guard status == 0 else {
            close(because: LoopError(status: status, "the connection broke"))
            return
        }
        guard queuedBytes == 0, isWriteWaited else { return }
        isWriteWaited = false
        if state == .open { delegate?.connectionDrained(self) }
    }

    // MARK: The peer

    /// Who is at the other end, for people: `127.0.0.1:4711`, `[::1]:4711`, or `unix:uid=0`; empty once it is closed.
    package var peer: String {
        guard let stream = unsafe stream else { return "" }
        var descriptor: uv_os_fd_t = -1
        // SAFETY: a uv_stream_t begins with the fields of a uv_handle_t (libuv docs, uv_stream_t).
        let handle = unsafe UnsafeRawPointer(stream).assumingMemoryBound(to: uv_handle_t.self)
        guard unsafe uv_fileno(handle, &descriptor) == 0 else { return "" }
        return SocketAddress(peerOf: descriptor)?.peerDescription(of: descriptor) ?? ""
    }

    // MARK: Closing

    /// Closes at once; what waits to be written is lost. `connectionClosed` follows later. May be called at any time,
    /// also from the delegate's methods, and more than once: the first reason counts.
    package func close(because reason: LoopError? = nil) {
        guard state != .closed else { return }
        if state == .open, reason == nil, let tls {
            // So that the peer can tell our end from a loss, if its socket takes the few bytes at once.
            tls.close()
            sendOutput(of: tls)
        }
        // That write may have failed and closed the connection.
        guard state != .closed else { return }
        state = .closed
        closeReason = reason
        stopDeadline()
        connector?.cancel()
        connector = nil
        if let stream = unsafe stream {
            unsafe self.stream = nil
            unsafe close(stream)
        } else {
            // A handle that is opened only to be closed: its close callback is the later turn in which to report.
            let timer = unsafe try? open(UV_TIMER, as: uv_timer_t.self, "") { unsafe uv_timer_init($0, $1) }
            if let timer = unsafe timer { unsafe close(timer) }
        }
    }

    /// Writes what waits, ends our side, and closes when the peer has ended its side too, or after `deadline` at the
    /// latest. Nothing more can be written, and what arrives is thrown away: closing a socket with unread bytes would
    /// reset the connection and could destroy the answer on its way (RFC 9112 §9.6).
    package func closeAfterFlush(deadline: Duration = .seconds(2)) {
        guard state == .open, let stream = unsafe stream else {
            if state != .flushing { close() }
            return
        }
        if let tls {
            tls.close()
            sendOutput(of: tls)
            guard state == .open else { return }
        }
        state = .flushing
        self.deadline = Timer(on: loop) { [unowned self] in close(because: nil) }
        self.deadline?.start(after: deadline)
        isReadingPaused = false
        startReading()
        let request = UnsafeMutablePointer<uv_shutdown_t>.allocate(capacity: 1)
        unsafe request.initialize(to: uv_shutdown_t())
        // It waits for the writes that are queued.
        let status = unsafe uv_shutdown(request, stream, shutdownCallback)
        if status != 0 {
            unsafe request.deallocate()
            close(because: nil)
        }
    }

    func didShutDown(status: Int32) {
        guard state == .flushing else { return }
        hasShutDown = true
        if hasPeerEnded || status != 0 { close(because: nil) }
    }

    override func handleClosed() {
        guard let delegate else { return }
        self.delegate = nil
        delegate.connectionClosed(self, because: closeReason)
        let listener = listener
        self.listener = nil
        listener?.connectionEnded()
    }

    override func loopEnds() {
        close(because: LoopError(.loopEnded, "the loop of the connection ended"))
    }

    // MARK: Deadline

    private func startDeadline(_ duration: Duration, _ message: @autoclosure @escaping () -> String) {
        deadline = Timer(on: loop) { [unowned self] in close(because: LoopError(.timedOut, message())) }
        deadline?.start(after: duration)
    }

    private func stopDeadline() {
        deadline?.close()
        deadline = nil
    }
}
