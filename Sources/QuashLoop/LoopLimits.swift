import Glibc

/// Every limit of this module that is not an argument.
package enum LoopLimits {
    /// Bytes that one read takes from a socket, and the size of the one read buffer of each loop.
    package static let readBufferBytes = 64 * 1024
    /// Connections that the kernel holds for a listener which has not accepted them yet (capped by `somaxconn`).
    package static let backlog: Int32 = 1024
    /// Addresses of one host name that are tried.
    package static let maxAddresses = 8
    /// Stack of a loop's thread. Only pages that are used cost memory.
    package static let threadStackBytes = 4 * 1024 * 1024
    /// Bytes of a path of a unix socket: `sun_path` less its final zero (unix(7)).
    package static let maxSocketPathBytes = 107
    /// Connections that a listener accepts before the loop looks at those that it has.
    package static let maxAcceptsPerTurn = 64
    /// The same with TLS, where each is followed by a handshake, which costs half a millisecond or more.
    package static let maxTLSAcceptsPerTurn = 4
    /// After how long a listener tries again that found no descriptor.
    package static let acceptRetry: Duration = .milliseconds(100)
    /// Descriptors that are left to what a process has anyhow: its streams, its files, and connections of its own.
    package static let reservedDescriptors = 64
    /// Descriptors of a loop: epoll, its wake-up, the one that libuv keeps, and listening sockets.
    package static let descriptorsPerLoop = 8

    /// Connections that a process may have open at its listeners: what the limit of open files (RLIMIT_NOFILE) leaves,
    /// at least 16.
    /// - Parameter loops: that the process runs.
    package static func connections(loops: Int = 1) -> Int {
        var limit = rlimit()
        guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 256 }
        return max(16, Int(clamping: limit.rlim_cur) - reservedDescriptors - descriptorsPerLoop * loops)
    }
}

/// What one connection may use.
package struct ConnectionLimits: Sendable {
    /// Bytes that may wait in memory for a peer that does not read; a write that goes over it closes the connection.
    package var maxQueuedBytes: Int
    /// How long a TLS handshake may take, from the connection to the end of the handshake.
    package var handshakeTimeout: Duration

    package init(maxQueuedBytes: Int = 1024 * 1024, handshakeTimeout: Duration = .seconds(5)) {
        self.maxQueuedBytes = maxQueuedBytes
        self.handshakeTimeout = handshakeTimeout
    }
}
