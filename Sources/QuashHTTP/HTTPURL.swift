package import QuashLoop

/// Where a client's request goes: `http://host[:port][/path][?query]`, the same with https, or a path on a unix socket.
package struct HTTPURL: Hashable, Sendable, CustomStringConvertible {
    package let isSecure: Bool
    package let endpoint: Endpoint
    /// The value of the Host field.
    package let authority: String
    /// The request target: path and query.
    package let target: String

    /// Reads an absolute URL. Throws a sentence that says what is wrong. User information and fragments are refused:
    /// the one leaks into logs, the other is not for servers.
    package init(_ text: String) throws(HTTPError) {
        func invalid(_ why: String) -> HTTPError { HTTPError(.invalidURL, "cannot use the URL: \(why)") }
        var rest = text[...]
        if text.hasPrefix("http://") {
            isSecure = false
            rest = rest.dropFirst("http://".count)
        } else if text.hasPrefix("https://") {
            isSecure = true
            rest = rest.dropFirst("https://".count)
        } else {
            throw invalid("it begins with neither http:// nor https://")
        }
        let authority = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        let target = rest.dropFirst(authority.count)
        guard !authority.contains("@") else { throw invalid("it has user information; use a header field instead") }
        guard target.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != 0x23 }) else {
            throw invalid("it has a fragment or characters that have to be percent-encoded")
        }
        let bytes = Array(authority.utf8)
        guard unsafe bytes.withUnsafeBytes({ unsafe RequestTarget.isAuthority(0..<$0.count, in: $0) }) else {
            throw invalid("it has no host, or one that is malformed")
        }
        // An IPv6 address ends with its bracket; after the last colon of anything else is the port.
        let hasPort = authority.last != "]" && authority.contains(":")
        do throws(LoopError) {
            endpoint = try Endpoint(hasPort ? String(authority) : "\(authority):\(isSecure ? 443 : 80)")
        } catch {
            throw invalid(error.description)
        }
        self.authority = String(authority)
        self.target = target.hasPrefix("/") ? String(target) : "/" + target
    }

    /// A target on an endpoint of any kind, without TLS: for the command line, which knows the endpoint.
    /// - Parameter target: begins with a slash and needs no encoding; anything else is a bug.
    package init(endpoint: Endpoint, target: String, isSecure: Bool = false) {
        precondition(
            target.hasPrefix("/") && target.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }, "a malformed request target")
        self.isSecure = isSecure
        self.endpoint = endpoint
        self.target = target
        authority = endpoint.host == nil ? "localhost" : endpoint.description
    }

    package var description: String { "\(isSecure ? "https" : "http")://\(authority)\(target)" }
}
