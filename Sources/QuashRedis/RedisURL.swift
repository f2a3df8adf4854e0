package import QuashLoop

/// Where a Redis is and how to sign in there, as `QUASH_REDIS_URL` says it.
///
///     redis://[[user]:password@]host[:port][/database]
///     rediss://…                                           the same over TLS
///     unix:///path[?db=database]                           a unix socket; unix:/path means the same
///     unix://[user]:password@/path[?db=database]
///
/// User, password and path are percent-decoded (RFC 3986 §2.1). The port is 6379 and the database 0 when not given.
package struct RedisURL: Equatable, Sendable, CustomStringConvertible {
    package let endpoint: Endpoint
    package let usesTLS: Bool
    /// The ACL user; nil signs in as `default`, or not at all without a password.
    package let user: String?
    package let password: String?
    package let database: Int

    /// - Throws: `.configuration`, one line that names the URL without its password and says what is wrong with it.
    package init(_ text: String) throws(RedisError) {
        do throws(Flaw) {
            guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
                throw Flaw("it has a character that must be percent-encoded")
            }
            guard let colon = text.firstIndex(of: ":") else { throw Flaw("it has no scheme") }
            let scheme = text[..<colon].lowercased()
            let rest = text[text.index(after: colon)...]
            switch scheme {
            case "redis", "rediss":
                guard rest.hasPrefix("//") else { throw Flaw("“//” is missing after the scheme") }
                usesTLS = scheme == "rediss"
                let parts = try AddressParts(rest.dropFirst(2))
                (endpoint, user, password, database) = (parts.endpoint, parts.user, parts.password, parts.database)
            case "unix":
                usesTLS = false
                let parts = try AddressParts(socket: rest)
                (endpoint, user, password, database) = (parts.endpoint, parts.user, parts.password, parts.database)
            case "redis-sentinel", "rediss-sentinel":
                throw Flaw("Sentinel is not supported yet; name the Redis itself")
            default:
                throw Flaw("its scheme is none of redis, rediss and unix")
            }
        } catch {
            throw RedisError(.configuration, "cannot use the Redis URL \(Self.masked(text)): \(error.reason)")
        }
    }

    /// The URL with `***` in place of the password.
    package var description: String {
        let name = user.map(Self.encoded) ?? ""
        let credentials = password == nil && user == nil ? "" : password == nil ? "\(name)@" : "\(name):***@"
        switch endpoint {
        case .tcp: return "\(usesTLS ? "rediss" : "redis")://\(credentials)\(endpoint)/\(database)"
        case .unix(let path):
            return "unix://\(credentials)\(Self.encoded(path))\(database == 0 ? "" : "?db=\(database)")"
        }
    }

    /// A URL that may be malformed, without anything in it that may be a password.
    ///
    /// What stands before the last `@` may be one, from its first colon; so may a port that is not a number, where a
    /// host was forgotten, and a query that is not understood.
    static func masked(_ text: String) -> String {
        guard let marker = text.firstRange(of: ":") else { return "***" }
        var head = String(text[..<marker.upperBound])
        var rest = text[marker.upperBound...]
        if rest.hasPrefix("//") {
            head += "//"
            rest = rest.dropFirst(2)
        } else if !rest.hasPrefix("/"), !rest.allSatisfy(\.isNumber) {
            return head + "***"
        }
        if let at = rest.lastIndex(of: "@") {
            let name = rest[..<at].prefix { $0 != ":" }
            head += name.endIndex == at ? "\(name)@" : "\(name):***@"
            rest = rest[rest.index(after: at)...]
        } else if !rest.hasPrefix("["), let colon = rest.firstIndex(of: ":"),
            !rest[colon...].dropFirst().prefix(while: { $0 != "/" }).allSatisfy(\.isNumber)
        {
            return head + rest[...colon] + "***"
        }
        let shown = rest.prefix { $0 != "?" && $0 != "#" }
        return head + shown + (shown.endIndex == rest.endIndex ? "" : "?***")
    }

    private static func encoded(_ text: String) -> String {
        text.utf8.reduce(into: "") { result, byte in
            let character = Unicode.Scalar(byte)
            let isPlain = byte < 0x80 && (character.properties.isAlphabetic || character.properties.numericType != nil)
            if isPlain || "-._~/".unicodeScalars.contains(character) {
                result.unicodeScalars.append(character)
            } else {
                result += "%" + (byte < 0x10 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }
    }
}

/// Why a URL cannot be used, without the URL.
private struct Flaw: Error {
    let reason: String

    init(_ reason: String) {
        self.reason = reason
    }
}

/// What follows the scheme, taken apart.
private struct AddressParts {
    let endpoint: Endpoint
    let user: String?
    let password: String?
    let database: Int

    /// `[[user]:password@]host[:port][/database]`
    init(_ text: Substring) throws(Flaw) {
        guard !text.contains(where: { $0 == "?" || $0 == "#" }) else {
            throw Flaw("it has a query or a fragment; the database goes behind the port, as /0")
        }
        let authority = text.prefix { $0 != "/" }
        let path = text[authority.endIndex...].dropFirst()
        (user, password) = try Self.credentials(in: authority)
        let address = authority.lastIndex(of: "@").map { authority[authority.index(after: $0)...] } ?? authority
        guard !address.isEmpty else { throw Flaw("it has no host") }
        let hasPort = address.hasPrefix("[") ? !address.hasSuffix("]") : address.contains(":")
        do throws(LoopError) {
            endpoint = try Endpoint(hasPort ? String(address) : "\(address):6379")
        } catch {
            throw Flaw("its host or port is not one: write host:port or [address]:port")
        }
        guard case .tcp(_, 1...) = endpoint else { throw Flaw("its port is 0") }
        database = try path.isEmpty ? 0 : Self.database(path)
    }

    /// `///path[?db=database]`, `/path…`, or `//[user]:password@/path…`
    init(socket text: Substring) throws(Flaw) {
        let parts = text.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        var path = parts[0]
        if path.hasPrefix("//") {
            let authority = path.dropFirst(2).prefix { $0 != "/" }
            (user, password) = try Self.credentials(in: authority)
            guard authority.isEmpty || authority.hasSuffix("@") else {
                throw Flaw("a unix socket has no host: write unix:///path")
            }
            path = path[authority.endIndex...]
        } else {
            (user, password) = (nil, nil)
        }
        guard path.hasPrefix("/") else { throw Flaw("the path of a unix socket begins with a slash") }
        let decoded = try Self.decoded(path)
        guard decoded.utf8.count <= LoopLimits.maxSocketPathBytes else {
            throw Flaw("the path of a unix socket has at most \(LoopLimits.maxSocketPathBytes) bytes")
        }
        endpoint = .unix(path: decoded)
        guard parts.count == 2 else {
            database = 0
            return
        }
        guard parts[1].hasPrefix("db="), !parts[1].contains("&") else { throw Flaw("its query is not ?db=number") }
        database = try Self.database(parts[1].dropFirst(3))
    }

    /// User and password of `[user][:password]@…`. Both empty is nobody.
    private static func credentials(in authority: Substring) throws(Flaw) -> (user: String?, password: String?) {
        guard let at = authority.lastIndex(of: "@") else { return (nil, nil) }
        let info = authority[..<at]
        let name = info.prefix { $0 != ":" }
        let user = try name.isEmpty ? nil : decoded(name)
        guard name.endIndex < info.endIndex else { return (user, nil) }
        let password = try decoded(info[name.endIndex...].dropFirst())
        return (user, password.isEmpty ? nil : password)
    }

    private static func database(_ digits: Substring) throws(Flaw) -> Int {
        guard digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int(digits),
            number <= RedisLimits.maxDatabase
        else { throw Flaw("its database is not a number from 0 to \(RedisLimits.maxDatabase)") }
        return number
    }

    private static func decoded(_ text: Substring) throws(Flaw) -> String {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            let digits = rest.prefix(2)
            rest = rest.dropFirst(2)
            guard digits.count == 2, digits.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }),
                let value = UInt8(String(Substring(digits)), radix: 16), value != 0
            else { throw Flaw("a percent sign is not followed by two hexadecimal digits of a character") }
            bytes.append(value)
        }
        guard let text = String(validating: bytes, as: UTF8.self) else { throw Flaw("it does not decode to UTF-8") }
        return text
    }
}
