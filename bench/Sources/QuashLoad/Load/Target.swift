import Glibc

/// Where a server listens, on this machine.
enum Target: Equatable {
    case tcp(port: UInt16)
    case unix(path: String)

    /// A connected stream socket that does not block; the caller closes it.
    func connect() throws -> Int32 {
        let family = if case .unix = self { AF_UNIX } else { AF_INET }
        let descriptor = socket(family, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw Failure.lastCall("socket") }
        guard connect(descriptor) == 0 else {
            defer { close(descriptor) }
            throw Failure.lastCall("connect to \(self)")
        }
        var on: Int32 = 1
        if case .tcp = self {
            // SAFETY: setsockopt(2) reads one Int32 at the pointer, which is one.
            unsafe setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
        }
        guard fcntl(descriptor, F_SETFL, O_NONBLOCK) == 0 else {
            defer { close(descriptor) }
            throw Failure.lastCall("fcntl")
        }
        return descriptor
    }

    private func connect(_ descriptor: Int32) -> Int32 {
        switch self {
        case .tcp(let port):
            var address = Self.loopback(port)
            // SAFETY: every sockaddr_in may be read as a sockaddr, by connect(2), which takes its size.
            return unsafe withUnsafePointer(to: &address) { pointer in
                unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    unsafe Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
        case .unix(let path):
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            let bytes = Array(path.utf8)
            // One stays zero and ends the name.
            guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else {
                errno = ENAMETOOLONG
                return -1
            }
            // SAFETY: the copy is shorter than the member, as was just made sure of.
            unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: bytes) }
            // SAFETY: as above.
            return unsafe withUnsafePointer(to: &address) { pointer in
                unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    unsafe Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
                }
            }
        }
    }

    private static func loopback(_ port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return address
    }

    /// A port that nobody listens at now.
    static func freePort() throws -> UInt16 {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw Failure.lastCall("socket") }
        defer { close(descriptor) }
        var address = loopback(0)
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        // SAFETY: every sockaddr_in may be read and written as a sockaddr by bind(2) and getsockname(2), which take its
        // size.
        let result = unsafe withUnsafeMutablePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                unsafe bind(descriptor, address, size) == 0 ? getsockname(descriptor, address, &size) : -1
            }
        }
        guard result == 0 else { throw Failure.lastCall("bind") }
        return UInt16(bigEndian: address.sin_port)
    }
}
