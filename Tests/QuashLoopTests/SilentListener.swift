import Glibc
import QuashLoop
import Testing

/// A port on loopback that answers no SYN: its backlog is full, and the kernel drops what comes then.
final class SilentListener {
    let port: UInt16
    private var descriptors: [Int32] = []

    init() throws {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var descriptors = [listener]
        let status = unsafe withUnsafeMutablePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                guard unsafe bind(listener, address, length) == 0, listen(listener, 0) == 0,
                    unsafe getsockname(listener, address, &length) == 0
                else { return -1 }
                // Two would fill a backlog of zero.
                for _ in 0..<4 {
                    let filler = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue), 0)
                    unsafe _ = connect(filler, address, length)
                    descriptors.append(filler)
                }
                return 0
            }
        }
        self.descriptors = descriptors
        port = UInt16(bigEndian: address.sin_port)
        try #require(status == 0)
    }

    deinit {
        for descriptor in descriptors { close(descriptor) }
    }
}

extension Endpoint {
    /// Zero for a unix socket.
    var port: UInt16 {
        if case .tcp(_, let port) = self { port } else { 0 }
    }
}
