import Glibc

/// A blocking socket that sends and receives bytes as they are. Every call ends within 20 seconds.
package final class RawClient {
    package let descriptor: Int32

    /// Connects to a port of the loopback interface; throws ``Refused``.
    package init(port: UInt16) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        try connect(&address)
        limitBlocking(on: descriptor, seconds: 20)
    }

    /// Connects to a unix socket; throws ``Refused``.
    package init(path: String) throws {
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: path.utf8) }
        try connect(&address)
        limitBlocking(on: descriptor, seconds: 20)
    }

    deinit { close(descriptor) }

    /// Nobody listens there, or too many do.
    package struct Refused: Error {}

    private func connect<Address>(_ address: inout Address) throws {
        let status = unsafe withUnsafePointer(to: address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<Address>.size))
            }
        }
        if status != 0 {
            throw Refused()
        }
    }

    /// Sends `text`. False when the server has closed and does not take it.
    @discardableResult
    package func send(_ text: String) -> Bool { send(Array(text.utf8)) }

    /// The same with any bytes.
    @discardableResult
    package func send(_ bytes: [UInt8]) -> Bool {
        var sent = 0
        while sent < bytes.count {
            let count = unsafe bytes.withUnsafeBytes {
                unsafe Glibc.send(descriptor, $0.baseAddress! + sent, $0.count - sent, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return false }
            sent += count
        }
        return true
    }

    /// Ends this side; the other may still send.
    package func endSending() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// Makes the end of this client a reset, which nobody can take for one that still reads.
    package func resetWhenClosed() {
        var linger = Glibc.linger(l_onoff: 1, l_linger: 0)
        let size = socklen_t(MemoryLayout<Glibc.linger>.size)
        unsafe _ = setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, size)
    }

    /// What one read gives; nil at the end, after an error, and after 20 seconds.
    package func read() -> [UInt8]? {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let count = unsafe Glibc.read(descriptor, &buffer, buffer.count)
        return count > 0 ? Array(buffer[..<count]) : nil
    }

    /// Everything up to the end of the connection.
    package func readToEnd() -> String {
        var bytes: [UInt8] = []
        while let more = read() { bytes += more }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// At least up to where `isEnough` says so of everything that came.
    package func read(until isEnough: (String) -> Bool) -> String {
        var bytes: [UInt8] = []
        while !isEnough(String(decoding: bytes, as: UTF8.self)), let more = read() { bytes += more }
        return String(decoding: bytes, as: UTF8.self)
    }
}
