import CUV
import Glibc

/// An address as the kernel takes it.
@safe
struct SocketAddress {
    private var storage = sockaddr_storage()
    private let lengthBytes: socklen_t

    /// A numeric IPv4 or IPv6 address; nil for a name.
    init?(numericHost host: String, port: UInt16) {
        var v4 = sockaddr_in()
        var v6 = sockaddr_in6()
        if unsafe uv_ip4_addr(host, Int32(port), &v4) == 0 {
            lengthBytes = socklen_t(MemoryLayout<sockaddr_in>.size)
            unsafe withUnsafeMutableBytes(of: &storage) { target in
                unsafe withUnsafeBytes(of: v4) { unsafe target.copyMemory(from: $0) }
            }
        } else if unsafe uv_ip6_addr(host, Int32(port), &v6) == 0 {
            lengthBytes = socklen_t(MemoryLayout<sockaddr_in6>.size)
            unsafe withUnsafeMutableBytes(of: &storage) { target in
                unsafe withUnsafeBytes(of: v6) { unsafe target.copyMemory(from: $0) }
            }
        } else {
            return nil
        }
    }

    /// A unix socket's path, which the caller has checked to fit.
    init(path: String) {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { target in
            precondition(path.utf8.count < target.count, "a path that is too long was not refused")
            unsafe target.copyBytes(from: path.utf8)
        }
        lengthBytes = socklen_t(MemoryLayout<sockaddr_un>.size)
        unsafe withUnsafeMutableBytes(of: &storage) { target in
            unsafe withUnsafeBytes(of: address) { unsafe target.copyMemory(from: $0) }
        }
    }

    /// The address to which a socket is bound; nil when the descriptor is not a bound socket.
    init?(boundTo descriptor: Int32) {
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let status = unsafe withUnsafeMutablePointer(to: &storage) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe getsockname(descriptor, $0, &length)
            }
        }
        guard status == 0 else { return nil }
        lengthBytes = length
    }

    /// The address of a connected socket's other end; nil when the descriptor is not a connected socket.
    init?(peerOf descriptor: Int32) {
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let status = unsafe withUnsafeMutablePointer(to: &storage) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe getpeername(descriptor, $0, &length)
            }
        }
        guard status == 0 else { return nil }
        lengthBytes = length
    }

    /// The address of a peer for people; of a unix socket, whose clients have none, the user (unix(7), SO_PEERCRED).
    func peerDescription(of descriptor: Int32) -> String {
        switch family {
        case AF_INET: return "\(host):\(port)"
        case AF_INET6: return "[\(host)]:\(port)"
        default:
            // `struct ucred`, which is not in Glibc's module.
            var peer: (pid: pid_t, uid: uid_t, gid: gid_t) = (0, 0, 0)
            var length = socklen_t(MemoryLayout.size(ofValue: peer))
            // SAFETY: getsockopt(2) writes at most `length` bytes, which are three words of four bytes.
            let status = unsafe getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &peer, &length)
            return status == 0 ? "unix:uid=\(peer.uid)" : "unix"
        }
    }

    /// One of the addresses that getaddrinfo(3) returned; nil when it is neither IPv4 nor IPv6.
    init?(_ information: addrinfo) {
        guard unsafe information.ai_family == AF_INET || information.ai_family == AF_INET6,
            let address = unsafe information.ai_addr,
            unsafe Int(information.ai_addrlen) <= MemoryLayout<sockaddr_storage>.size
        else { return nil }
        lengthBytes = unsafe information.ai_addrlen
        let size = unsafe Int(information.ai_addrlen)
        // SAFETY: getaddrinfo(3) states that `ai_addr` points at `ai_addrlen` bytes.
        unsafe withUnsafeMutableBytes(of: &storage) { target in
            unsafe target.copyMemory(from: UnsafeRawBufferPointer(start: address, count: size))
        }
    }

    /// All addresses of a list that getaddrinfo(3) returned, in its order, at most `LoopLimits.maxAddresses`.
    static func list(_ first: UnsafeMutablePointer<addrinfo>?) -> [SocketAddress] {
        var addresses: [SocketAddress] = []
        var next = unsafe first
        while let entry = unsafe next, addresses.count < LoopLimits.maxAddresses {
            if let address = unsafe SocketAddress(entry.pointee) { addresses.append(address) }
            unsafe next = unsafe entry.pointee.ai_next
        }
        return addresses
    }

    var family: Int32 { Int32(storage.ss_family) }

    /// The port in host order; 0 for a unix socket.
    var port: UInt16 {
        switch family {
        case AF_INET:
            unsafe withUnsafeBytes(of: storage) {
                UInt16(bigEndian: unsafe $0.load(as: sockaddr_in.self).sin_port)
            }
        case AF_INET6:
            unsafe withUnsafeBytes(of: storage) {
                UInt16(bigEndian: unsafe $0.load(as: sockaddr_in6.self).sin6_port)
            }
        default: 0
        }
    }

    /// The numeric address without its port; empty for a unix socket.
    var host: String {
        unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { buffer in
            guard let text = buffer.baseAddress,
                unsafe withPointer({ address, _ in unsafe uv_ip_name(address, text, buffer.count) }) == 0
            else { return "" }
            return unsafe String(cString: text)
        }
    }

    func withPointer<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        unsafe withUnsafePointer(to: storage) { pointer in
            // SAFETY: sockaddr_storage is made to hold any address and to be read through sockaddr (socket.h(7posix)).
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe body($0, lengthBytes)
            }
        }
    }
}
