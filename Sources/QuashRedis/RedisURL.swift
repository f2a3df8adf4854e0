import QuashLoop

/// Where a Redis is and how to sign in there, as `QUASH_REDIS_URL` says it.
///
///     redis://[[user]:password@]host[:port][/database]
///     redis-sentinel://[[user]:password@]host[:port][,host[:port]...]/master-name[/database]
///     rediss://…, rediss-sentinel://…                      the same over TLS
///     unix:///path[?db=database]                           a unix socket; unix:/path means the same
///     unix://[user]:password@/path[?db=database]
///
/// User, password and path are percent-decoded (RFC 3986 §2.1). The port is 6379, that of a sentinel 26379, and the
/// database 0 when not given. User and password are those of the Redis: a sentinel is asked without any.
package struct RedisURL: Equatable, Sendable, CustomStringConvertible {
    package let location: RedisLocation
    /// Of the sentinels' connections too.
    package let usesTLS: Bool
    /// The ACL user; nil signs in as `default`, or not at all without a password.
    package let user: String?
    package let password: String?
    package let database: Int

    /// - Throws: `.configuration`, one line that names the URL without its password and says what is wrong with it.
    package init(_ text: String) throws(RedisError) {
        do throws(RedisURLFlaw) {
            guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
                throw RedisURLFlaw("it has a character that must be percent-encoded")
            }
            guard let colon = text.firstIndex(of: ":") else { throw RedisURLFlaw("it has no scheme") }
            let scheme = text[..<colon].lowercased()
            let rest = text[text.index(after: colon)...]
            let parts: RedisURLParts
            switch scheme {
            case "redis", "rediss": parts = try RedisURLParts(server: rest)
            case "redis-sentinel", "rediss-sentinel": parts = try RedisURLParts(sentinels: rest)
            case "unix": parts = try RedisURLParts(socket: rest)
            default:
                throw RedisURLFlaw("its scheme is none of redis, rediss, redis-sentinel, rediss-sentinel and unix")
            }
            usesTLS = scheme.hasPrefix("rediss")
            (location, user, password, database) = (parts.location, parts.user, parts.password, parts.database)
        } catch {
            throw RedisError(.configuration, "cannot use the Redis URL \(Self.masked(text)): \(error.reason)")
        }
    }

    /// How a URL with the scheme of `text` is written; for whoever wrote one that cannot be used.
    package static func form(of text: String) -> String {
        let scheme = text.prefix { $0 != ":" }.lowercased()
        return scheme.hasSuffix("-sentinel")
            ? "\(scheme)://[[user]:password@]host[:port][,host[:port]...]/master-name[/database]"
            : "redis://[[user]:password@]host[:port][/database]"
    }

    /// The URL with `***` in place of the password.
    package var description: String {
        let name = user.map(Self.encoded) ?? ""
        let credentials = password == nil && user == nil ? "" : password == nil ? "\(name)@" : "\(name):***@"
        let scheme = usesTLS ? "rediss" : "redis"
        switch location {
        case .server(.unix(let path)):
            return "unix://\(credentials)\(Self.encoded(path))\(database == 0 ? "" : "?db=\(database)")"
        case .server(let endpoint):
            return "\(scheme)://\(credentials)\(endpoint)/\(database)"
        case .master(let name, let sentinels):
            let hosts = sentinels.map(\.description).joined(separator: ",")
            return "\(scheme)-sentinel://\(credentials)\(hosts)/\(name)/\(database)"
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
