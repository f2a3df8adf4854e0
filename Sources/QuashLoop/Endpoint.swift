/// Where something listens: an address and port, or the path of a unix socket.
package enum Endpoint: Hashable, Sendable, CustomStringConvertible {
    /// A host name, an IPv4 address, or an IPv6 address without brackets. Port 0 asks the system to choose one.
    case tcp(host: String, port: UInt16)
    /// A path of at most `LoopLimits.maxSocketPathBytes` bytes.
    case unix(path: String)

    /// Reads `host:port`, `[::1]:port` or `unix:/path`. Throws a sentence that names the text and says what is wrong.
    package init(_ text: String) throws(LoopError) {
        if text.hasPrefix("unix:") {
            let path = String(text.dropFirst("unix:".count))
            self = .unix(path: path)
            try checkPath(path)
            return
        }
        guard let colon = text.lastIndex(of: ":") else {
            throw Self.invalid(text, "a port is missing: write host:port, [address]:port or unix:/path")
        }
        var host = text[..<colon]
        if host.hasPrefix("[") && host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            throw Self.invalid(text, "an IPv6 address stands in brackets: [::1]:8080")
        }
        guard !host.isEmpty, host.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw Self.invalid(text, "the host is empty or has characters that no host has")
        }
        let digits = text[text.index(after: colon)...]
        // UInt16(_:) takes a sign, which no port has.
        guard let first = digits.utf8.first, first >= 0x30, let port = UInt16(digits) else {
            throw Self.invalid(text, "the port is not a number from 0 to 65535")
        }
        self = .tcp(host: String(host), port: port)
    }

    /// The host without its port; nil for a unix socket.
    package var host: String? {
        if case .tcp(let host, _) = self { host } else { nil }
    }

    /// As `init(_:)` reads it.
    package var description: String {
        switch self {
        case .tcp(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        case .unix(let path): "unix:\(path)"
        }
    }

    /// Throws for what libuv would silently cut to another path.
    func checkPath(_ path: String) throws(LoopError) {
        guard !path.isEmpty, !path.utf8.contains(0) else {
            throw Self.invalid("\(self)", "the path of a unix socket is missing")
        }
        guard path.utf8.count <= LoopLimits.maxSocketPathBytes else {
            throw Self.invalid(
                "\(self)",
                "the path of a unix socket has at most \(LoopLimits.maxSocketPathBytes) bytes, this one has "
                    + "\(path.utf8.count)")
        }
    }

    private static func invalid(_ text: String, _ why: String) -> LoopError {
        LoopError(.invalidEndpoint, "cannot use the address \"\(text)\": \(why)")
    }
}
