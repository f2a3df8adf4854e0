import CUV
import Glibc
import Synchronization

/// An address on which this process listens, with one listening descriptor for each loop that will serve it.
///
/// It is made once, before the loops start; each `Listener` then takes one of the descriptors. So every failure to bind
/// shows itself at the start, on one thread, in one error.
///
/// TCP: the kernel spreads connections over the descriptors (SO_REUSEPORT). That option alone would let a second
/// process of the same user bind the same port without an error and take a share of the connections. So the first
/// descriptor binds and listens without it, which the kernel grants to one process only, and gets it afterwards, for
/// the others to join.
///
/// Unix sockets: the descriptors are duplicates of one. A path that is left over from a process that died is replaced;
/// one on which somebody answers is an error. The file has mode 0660 and is removed when the last listener closes.
package final class BoundAddress: @unchecked Sendable {
    /// The address as it was bound, with the port that the system chose.
    package let endpoint: Endpoint
    /// The budget from which each connection takes a place. Connections without a place wait, unaccepted.
    let connections: ConnectionBudget

    private let lock = Lock()
    // Both guarded by the lock: the descriptors that no listener has taken yet, and the count of those in use.
    private var waiting: [Int32]
    private var inUse = 0

    /// - Parameters:
    ///   - listeners: how many loops will serve the address. Each must take its descriptor: connections that the kernel
    ///     gives to one that nobody took are never answered.
    ///   - connections: for all listeners together, and for those of every other address that is given the same one.
    package init(
        _ endpoint: Endpoint, listeners: Int = 1,
        connections: ConnectionBudget = ConnectionBudget(limit: LoopLimits.connections())
    ) throws(LoopError) {
        precondition(listeners > 0, "an address needs a listener")
        self.connections = connections
        switch endpoint {
        case .tcp(let host, let port):
            (waiting, self.endpoint) = try listenTCP(host: host, port: port, count: listeners)
        case .unix(let path):
            try endpoint.checkPath(path)
            waiting = try listenUnix(path: path, count: listeners)
            self.endpoint = endpoint
        }
    }

    deinit {
        // Every listener retains its address: none is left.
        for descriptor in waiting { _ = Glibc.close(descriptor) }
        if !waiting.isEmpty { removePath() }
    }

    func takeDescriptor() -> Int32 {
        lock.withLock {
            guard let descriptor = waiting.popLast() else {
                preconditionFailure("\(endpoint) was given to more listeners than it was made for")
            }
            inUse += 1
            return descriptor
        }
    }

    /// A listener has closed its descriptor.
    func descriptorClosed() {
        let isLast = lock.withLock {
            inUse -= 1
            return inUse == 0 && waiting.isEmpty
        }
        if isLast { removePath() }
    }

    private func removePath() {
        if case .unix(let path) = endpoint { unsafe _ = unlink(path) }
    }
}

// MARK: Sockets

private func failure(_ endpoint: Endpoint) -> LoopError {
    LoopError(status: uv_translate_sys_error(errno), "cannot listen on \(endpoint)")
}

private func makeSocket(_ family: Int32, _ endpoint: Endpoint) throws(LoopError) -> Int32 {
    let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
    let descriptor = socket(family, type, 0)
    guard descriptor >= 0 else { throw failure(endpoint) }
    return descriptor
}

private func setOption(_ descriptor: Int32, _ level: Int32, _ option: Int32) -> Bool {
    var on: Int32 = 1
    return unsafe setsockopt(descriptor, level, option, &on, socklen_t(MemoryLayout<Int32>.size)) == 0
}

private func listenTCP(
    host: String, port: UInt16, count: Int
) throws(LoopError) -> (descriptors: [Int32], endpoint: Endpoint) {
    let wanted = Endpoint.tcp(host: host, port: port)
    let address = try addressForListening(wanted, host: host, port: port)
    var descriptors: [Int32] = []
    do throws(LoopError) {
        let first = try bindTCP(address, wanted, joining: false)
        descriptors.append(first)
        guard let bound = SocketAddress(boundTo: first) else { throw failure(wanted) }
        let endpoint = Endpoint.tcp(host: host, port: bound.port)
        if count > 1, !setOption(first, SOL_SOCKET, SO_REUSEPORT) { throw failure(endpoint) }
        for _ in 1..<count { descriptors.append(try bindTCP(bound, endpoint, joining: true)) }
        return (descriptors, endpoint)
    } catch {
        for descriptor in descriptors { _ = Glibc.close(descriptor) }
        throw error
    }
}

private func bindTCP(_ address: SocketAddress, _ endpoint: Endpoint, joining: Bool) throws(LoopError) -> Int32 {
    let descriptor = try makeSocket(address.family, endpoint)
    // SO_REUSEADDR lets a restart bind while old connections are in TIME_WAIT; it never shares a listening port.
    guard setOption(descriptor, SOL_SOCKET, SO_REUSEADDR),
        !joining || setOption(descriptor, SOL_SOCKET, SO_REUSEPORT),
        unsafe address.withPointer({ unsafe bind(descriptor, $0, $1) }) == 0,
        listen(descriptor, LoopLimits.backlog) == 0
    else {
        let error = failure(endpoint)
        _ = Glibc.close(descriptor)
        throw error
    }
    return descriptor
}

/// This may block on a name, once, at the start, before any loop runs.
private func addressForListening(_ endpoint: Endpoint, host: String, port: UInt16) throws(LoopError) -> SocketAddress {
    if let address = SocketAddress(numericHost: host, port: port) { return address }
    var hints = unsafe addrinfo()
    unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    unsafe hints.ai_flags = AI_PASSIVE
    var list: UnsafeMutablePointer<addrinfo>?
    let status = unsafe getaddrinfo(host, String(port), &hints, &list)
    defer { if unsafe list != nil { unsafe freeaddrinfo(list) } }
    guard status == 0, let address = unsafe SocketAddress.list(list).first else {
        throw LoopError(.unresolved, "cannot listen on \(endpoint): this machine knows no address of that name")
    }
    return address
}

private func listenUnix(path: String, count: Int) throws(LoopError) -> [Int32] {
    let endpoint = Endpoint.unix(path: path)
    let address = SocketAddress(path: path)
    let first = try makeSocket(AF_UNIX, endpoint)
    var descriptors = [first]
    var isBound = false
    do throws(LoopError) {
        var status = unsafe address.withPointer { unsafe bind(first, $0, $1) }
        if status != 0, errno == EADDRINUSE {
            try removeStaleSocket(path: path, address: address, endpoint)
            status = unsafe address.withPointer { unsafe bind(first, $0, $1) }
        }
        guard status == 0 else { throw failure(endpoint) }
        isBound = true
        // Nobody can connect before listen(2), so there is no moment with a wider mode.
        guard unsafe chmod(path, 0o660) == 0, listen(first, LoopLimits.backlog) == 0 else { throw failure(endpoint) }
        for _ in 1..<count {
            let copy = fcntl(first, F_DUPFD_CLOEXEC, 0)
            guard copy >= 0 else { throw failure(endpoint) }
            descriptors.append(copy)
        }
        return descriptors
    } catch {
        for descriptor in descriptors { _ = Glibc.close(descriptor) }
        if isBound { unsafe _ = unlink(path) }
        throw error
    }
}

/// Removes the socket at `path` when nobody listens on it; throws when somebody does, or when it is no socket.
private func removeStaleSocket(path: String, address: SocketAddress, _ endpoint: Endpoint) throws(LoopError) {
    var status = stat()
    guard unsafe lstat(path, &status) == 0 else { throw failure(endpoint) }
    guard status.st_mode & S_IFMT == S_IFSOCK else {
        throw LoopError(
            .addressInUse, "cannot listen on \(endpoint): there is a file that is not a socket", name: "EADDRINUSE")
    }
    let probe = try makeSocket(AF_UNIX, endpoint)
    let answer = unsafe address.withPointer { unsafe connect(probe, $0, $1) }
    let error = errno
    _ = Glibc.close(probe)
    guard answer != 0, error == ECONNREFUSED else {
        throw LoopError(status: UV_EADDRINUSE.rawValue, "cannot listen on \(endpoint)")
    }
    guard unsafe unlink(path) == 0 else { throw failure(endpoint) }
}
