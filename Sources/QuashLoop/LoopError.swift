import CUV

/// Why something on a loop failed, in words that a person can act on.
package struct LoopError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The kinds of failure that callers tell apart.
    package enum Code: Sendable {
        /// The peer ended its side of the connection in the regular way.
        case endOfStream
        /// A deadline passed.
        case timedOut
        /// The peer, or something between, broke the connection.
        case reset
        /// Nobody listens there.
        case refused
        /// A host name has no address.
        case unresolved
        /// TLS failed: a handshake, a certificate, or a record.
        case tls
        /// A TLS connection ended without close_notify: what arrived may be only a part (RFC 8446 §6.1).
        case truncated
        /// A limit of ours was reached, such as the bytes queued for a slow peer.
        case limit
        /// Another socket has the address.
        case addressInUse
        /// The text of an endpoint cannot be used.
        case invalidEndpoint
        /// The loop ended while the operation was under way.
        case loopEnded
        /// Any other failure of the operating system; `name` tells which.
        case system
    }

    package let code: Code
    /// libuv's name of the error, such as `ECONNREFUSED`; nil when the error is not one of libuv.
    package let name: String?
    /// The whole sentence, without a final stop. It never holds what was sent or received.
    package let description: String

    package init(_ code: Code, _ description: String, name: String? = nil) {
        self.code = code
        self.name = name
        self.description = description
    }

    /// The error that libuv reported with the negative number `status` while doing `action` ("cannot listen on …").
    init(status: Int32, _ action: String) {
        var hint = ""
        switch status {
        case UV_ETIMEDOUT.rawValue: code = .timedOut
        case UV_ECONNRESET.rawValue, UV_EPIPE.rawValue, UV_ECONNABORTED.rawValue: code = .reset
        case UV_ECONNREFUSED.rawValue: code = .refused
        case UV_EADDRINUSE.rawValue:
            code = .addressInUse
            hint = "; stop the process that holds it or choose another address"
        case UV_EACCES.rawValue:
            code = .system
            hint = "; use a port above 1023, or a folder in which this user may write"
        case UV_EADDRNOTAVAIL.rawValue:
            code = .system
            hint = "; this machine does not have that address"
        case UV_EMFILE.rawValue, UV_ENFILE.rawValue:
            code = .limit
            hint = "; raise the limit of open files"
        // The errors of getaddrinfo(3) have the block from EAI_OVERFLOW up to EAI_ADDRFAMILY to themselves.
        case UV_EAI_OVERFLOW.rawValue...UV_EAI_ADDRFAMILY.rawValue, UV_EAI_PROTOCOL.rawValue,
            UV_EAI_BADHINTS.rawValue:
            code = .unresolved
        default: code = .system
        }
        name = unsafe text(of: status, by: uv_err_name_r)
        description = "\(action): \(unsafe text(of: status, by: uv_strerror_r))\(hint)"
    }
}

/// Runs one of libuv's two functions that describe an error. Those without `_r` leak memory for an unknown number.
private func text(
    of status: Int32, by describe: (Int32, UnsafeMutablePointer<CChar>, Int) -> UnsafeMutablePointer<CChar>?
) -> String {
    unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 128) { buffer in
        // SAFETY: libuv writes at most `capacity` bytes, terminated by a zero (docs: "the buffer is null-terminated").
        guard let start = buffer.baseAddress, let text = unsafe describe(status, start, buffer.count) else {
            return "error \(status)"
        }
        return unsafe String(cString: text)
    }
}
