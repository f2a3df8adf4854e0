import Glibc
import QuashServer

/// Tells systemd how the service is (sd_notify(3)): one datagram to the socket that NOTIFY_SOCKET names, if it does.
enum ServiceNotification {
    static func send(_ state: String) {
        guard let path = ProcessEnvironment.current["NOTIFY_SOCKET"] else { return }
        var bytes = Array(path.utf8)
        var address = sockaddr_un()
        guard let first = bytes.first, first == UInt8(ascii: "/") || first == UInt8(ascii: "@"),
            bytes.count < MemoryLayout.size(ofValue: address.sun_path)
        else { return }
        // An abstract socket's name begins with a zero byte, which the variable spells as @ (unix(7)).
        if first == UInt8(ascii: "@") { bytes[0] = 0 }
        let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        address.sun_family = sa_family_t(AF_UNIX)
        // SAFETY: the path is shorter than the field, as was checked; sendto(2) reads the address as long as it is
        // told.
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: bytes) }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + bytes.count)
        let message = Array(state.utf8)
        unsafe withUnsafePointer(to: &address) { pointer in
            _ = unsafe sendto(
                descriptor, message, message.count, Int32(MSG_NOSIGNAL),
                UnsafeRawPointer(pointer).assumingMemoryBound(to: sockaddr.self), length)
        }
    }
}
