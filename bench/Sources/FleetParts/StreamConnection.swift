import Glibc

/// What went wrong between this program and another, in words.
package struct FleetFailure: Error, CustomStringConvertible {
    package let description: String
    package init(_ description: String) { self.description = description }

    /// A system call that set `errno`.
    package static func call(_ name: String) -> FleetFailure {
        let code = errno
        return FleetFailure("\(name): \(unsafe String(cString: strerror(code)))")
    }
}

/// A blocking stream over a unix socket, with what was received and not consumed yet. Every wait is bounded.
package final class StreamConnection {
    package let descriptor: Int32
    /// What was received lies in `buffer[start..<end]`.
    package private(set) var buffer = [UInt8](repeating: 0, count: 64 * 1024)
    package private(set) var start = 0
    package private(set) var end = 0

    package init(path: String, timeoutSeconds: Int = 90) throws {
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw FleetFailure.call("socket") }
        do {
            try Self.connect(descriptor, path)
            var limit = timeval(tv_sec: timeoutSeconds, tv_usec: 0)
            let size = socklen_t(MemoryLayout<timeval>.size)
            // SAFETY: setsockopt(2) reads as many bytes as the structure has.
            let isSet = unsafe setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, size) == 0
            guard isSet else { throw FleetFailure.call("setsockopt") }
        } catch {
            close(descriptor)
            throw error
        }
    }

    deinit { close(descriptor) }

    private static func connect(_ descriptor: Int32, _ path: String) throws {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let name = Array(path.utf8)
        guard name.count < 108 else { throw FleetFailure("the path \(path) is too long for a socket") }
        // SAFETY: the name fits with its final zero, which was checked.
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: name) }
        let size = socklen_t(MemoryLayout<sockaddr_un>.size)
        // SAFETY: connect(2) reads an address of any family behind a pointer of the general type, and its size.
        let result = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe Glibc.connect(descriptor, $0, size)
            }
        }
        guard result == 0 else { throw FleetFailure.call("connect \(path)") }
    }

    package func send(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            // SAFETY: send(2) reads at most as many bytes as are left behind the pointer.
            let count = unsafe bytes.withUnsafeBytes { all in
                unsafe Glibc.send(
                    descriptor, all.baseAddress! + sent, all.count - sent, Int32(MSG_NOSIGNAL))
            }
            if count > 0 {
                sent += count
            } else if errno != EINTR {
                throw FleetFailure.call("send")
            }
        }
    }

    /// Waits for more bytes, once.
    package func fill() throws {
        makeRoom()
        while true {
            // SAFETY: recv(2) writes at most as many bytes as there is room behind the pointer.
            let count = unsafe buffer.withUnsafeMutableBytes { all in
                unsafe recv(descriptor, all.baseAddress! + end, all.count - end, 0)
            }
            if count > 0 {
                end += count
                return
            }
            guard count < 0 else { throw FleetFailure("the peer closed the connection") }
            guard errno == EINTR else { throw FleetFailure.call("recv") }
        }
    }

    /// What was received and not consumed.
    package func withReceived<Value>(_ body: (Span<UInt8>) throws -> Value) rethrows -> Value {
        // The same storage: nothing is copied, for it is let go of before anything is received again.
        let all = buffer
        return try body(all.span.extracting(start..<end))
    }

    package func consume(_ count: Int) {
        precondition(count <= end - start, "more is consumed than was received")
        start += count
        if start == end { (start, end) = (0, 0) }
    }

    private func makeRoom() {
        guard end == buffer.count || (start > 0 && end > buffer.count / 2) else { return }
        if start > 0 {
            buffer.replaceSubrange(0..<(end - start), with: Array(buffer[start..<end]))
            (start, end) = (0, end - start)
        }
        if end == buffer.count { buffer += [UInt8](repeating: 0, count: buffer.count) }
    }
}
