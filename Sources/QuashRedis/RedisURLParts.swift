import QuashLoop

/// Why a URL cannot be used, without the URL.
struct RedisURLFlaw: Error {
    let reason: String

    init(_ reason: String) {
        self.reason = reason
    }
}

/// What follows the scheme of a `RedisURL` and its colon, taken apart.
struct RedisURLParts {
    let location: RedisLocation
    let user: String?
    let password: String?
    let database: Int

    /// `//[[user]:password@]host[:port][/database]`
    init(server text: Substring) throws(RedisURLFlaw) {
        let (authority, path) = try Self.split(text, databaseForm: "goes behind the port, as /0")
        (user, password) = try Self.credentials(in: authority)
        let address = Self.address(in: authority)
        guard !address.isEmpty else { throw RedisURLFlaw("it has no host") }
        location = .server(try Self.endpoint(address, defaultPort: 6_379))
        database = try path.isEmpty ? 0 : Self.database(path)
    }

    /// `//[[user]:password@]host[:port][,host[:port]...]/master-name[/database]`
    init(sentinels text: Substring) throws(RedisURLFlaw) {
        let (authority, path) = try Self.split(text, databaseForm: "goes behind the master's name, as /mymaster/0")
        (user, password) = try Self.credentials(in: authority)
        let addresses = Self.address(in: authority)
        guard !addresses.isEmpty else { throw RedisURLFlaw("it has no host") }
        var sentinels: [Endpoint] = []
        for address in addresses.split(separator: ",", omittingEmptySubsequences: false) {
            guard !address.isEmpty else { throw RedisURLFlaw("it has a comma that no sentinel follows or precedes") }
            let sentinel = try Self.endpoint(address, defaultPort: 26_379)
            guard !sentinels.contains(sentinel) else { throw RedisURLFlaw("it names the sentinel \(sentinel) twice") }
            sentinels.append(sentinel)
        }
        guard sentinels.count <= RedisLimits.maxSentinels else {
            throw RedisURLFlaw("it names more than \(RedisLimits.maxSentinels) sentinels")
        }
        let name = path.prefix { $0 != "/" }
        guard !name.isEmpty else {
            throw RedisURLFlaw("it names no master: its name follows the sentinels, as /mymaster")
        }
        guard name.utf8.count <= RedisLimits.maxMasterNameBytes, name.utf8.allSatisfy(Self.isOfMasterName) else {
            throw RedisURLFlaw(
                "the name of its master is not 1 to \(RedisLimits.maxMasterNameBytes) letters, digits, dots, dashes "
                    + "and underscores")
        }
        location = .master(name: String(name), sentinels: sentinels)
        let digits = path[name.endIndex...].dropFirst()
        database = try digits.isEmpty ? 0 : Self.database(digits)
    }

    /// `///path[?db=database]`, `/path…`, or `//[user]:password@/path…`
    init(socket text: Substring) throws(RedisURLFlaw) {
        let parts = text.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        var path = parts[0]
        if path.hasPrefix("//") {
            let authority = path.dropFirst(2).prefix { $0 != "/" }
            (user, password) = try Self.credentials(in: authority)
            guard authority.isEmpty || authority.hasSuffix("@") else {
                throw RedisURLFlaw("a unix socket has no host: write unix:///path")
            }
            path = path[authority.endIndex...]
        } else {
            (user, password) = (nil, nil)
        }
        guard path.hasPrefix("/") else { throw RedisURLFlaw("the path of a unix socket begins with a slash") }
        let decoded = try Self.decoded(path)
        guard decoded.utf8.count <= LoopLimits.maxSocketPathBytes else {
            throw RedisURLFlaw("the path of a unix socket has at most \(LoopLimits.maxSocketPathBytes) bytes")
        }
        location = .server(.unix(path: decoded))
        guard parts.count == 2 else {
            database = 0
            return
        }
        guard parts[1].hasPrefix("db="), !parts[1].contains("&") else {
            throw RedisURLFlaw("its query is not ?db=number")
        }
        database = try Self.database(parts[1].dropFirst(3))
    }

    /// What stands before the first slash, and what follows it.
    private static func split(
        _ text: Substring, databaseForm: String
    ) throws(RedisURLFlaw) -> (authority: Substring, path: Substring) {
        guard text.hasPrefix("//") else { throw RedisURLFlaw("“//” is missing after the scheme") }
        guard !text.contains(where: { $0 == "?" || $0 == "#" }) else {
            throw RedisURLFlaw("it has a query or a fragment; the database \(databaseForm)")
        }
        let authority = text.dropFirst(2).prefix { $0 != "/" }
        return (authority, text[authority.endIndex...].dropFirst())
    }

    private static func address(in authority: Substring) -> Substring {
        authority.lastIndex(of: "@").map { authority[authority.index(after: $0)...] } ?? authority
    }

    private static func endpoint(_ address: Substring, defaultPort: UInt16) throws(RedisURLFlaw) -> Endpoint {
        let hasPort = address.hasPrefix("[") ? !address.hasSuffix("]") : address.contains(":")
        let endpoint: Endpoint
        do throws(LoopError) {
            endpoint = try Endpoint(hasPort ? String(address) : "\(address):\(defaultPort)")
        } catch {
            throw RedisURLFlaw("its host or port is not one: write host:port or [address]:port")
        }
        guard case .tcp(_, let port) = endpoint else {
            throw RedisURLFlaw("its host or port is not one: write host:port or [address]:port")
        }
        guard port > 0 else { throw RedisURLFlaw("its port is 0") }
        return endpoint
    }

    /// What sentinel.conf allows in the name of a master.
    private static func isOfMasterName(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F: true
        default: false
        }
    }

    /// User and password of `[user][:password]@…`. Both empty is nobody.
    private static func credentials(in authority: Substring) throws(RedisURLFlaw) -> (user: String?, password: String?)
    {
        guard let at = authority.lastIndex(of: "@") else { return (nil, nil) }
        let info = authority[..<at]
        let name = info.prefix { $0 != ":" }
        let user = try name.isEmpty ? nil : decoded(name)
        guard name.endIndex < info.endIndex else { return (user, nil) }
        let password = try decoded(info[name.endIndex...].dropFirst())
        return (user, password.isEmpty ? nil : password)
    }

    private static func database(_ digits: Substring) throws(RedisURLFlaw) -> Int {
        guard digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int(digits),
            number <= RedisLimits.maxDatabase
        else { throw RedisURLFlaw("its database is not a number from 0 to \(RedisLimits.maxDatabase)") }
        return number
    }

    private static func decoded(_ text: Substring) throws(RedisURLFlaw) -> String {
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
            else { throw RedisURLFlaw("a percent sign is not followed by two hexadecimal digits of a character") }
            bytes.append(value)
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw RedisURLFlaw("it does not decode to UTF-8")
        }
        return text
    }
}
