import Glibc
import QuashCrypto
import QuashHTTP
import QuashJWT
import QuashLoop
import QuashRedis

/// How the text of a setting is read and shown.
package struct SettingSyntax<Value: Sendable>: Sendable {
    /// What a value looks like, for people.
    let words: String
    var isList = false
    var isSecret = false
    let parse: @Sendable ([String]) throws(SettingFlaw) -> Value
    /// As `parse` reads it, but for what is secret.
    let describe: @Sendable (Value) -> String

    /// Of one text.
    init(
        _ words: String, parse: @escaping @Sendable (String) throws(SettingFlaw) -> Value,
        describe: @escaping @Sendable (Value) -> String
    ) {
        self.words = words
        self.parse = { texts throws(SettingFlaw) in
            guard texts.count == 1, let text = texts.first else {
                throw SettingFlaw("are \(texts.count) values", "give one value")
            }
            return try parse(text)
        }
        self.describe = describe
    }

    /// Of a list: the entries of a YAML list, a flag that is repeated, or one text with commas.
    init<Element: Sendable>(
        listOf words: String, parse: @escaping @Sendable (String) throws(SettingFlaw) -> Element,
        describe: @escaping @Sendable (Element) -> String
    ) where Value == [Element] {
        self.words = "\(words); several with commas"
        isList = true
        self.parse = { texts throws(SettingFlaw) in
            let entries = texts.flatMap { text in
                text.split(separator: ",", omittingEmptySubsequences: false).map { String(trimmed($0)) }
            }
            guard entries.count <= ConfigurationLimits.maxListEntries else {
                throw SettingFlaw("has \(entries.count) entries", "give at most \(ConfigurationLimits.maxListEntries)")
            }
            guard !entries.contains("") else {
                throw SettingFlaw("has an empty entry", "take out the comma that nothing follows")
            }
            var values: [Element] = []
            for entry in entries { values.append(try parse(entry)) }
            guard Set(entries).count == entries.count else {
                throw SettingFlaw("has an entry twice", "name each once")
            }
            return values
        }
        self.describe = { $0.map(describe).joined(separator: ",") }
    }
}

private func trimmed(_ text: Substring) -> Substring {
    let start = text.drop { $0 == " " }
    return start.lastIndex { $0 != " " }.map { start[...$0] } ?? ""
}

extension SettingSyntax where Value == Duration {
    static func duration(_ range: ClosedRange<Duration>) -> Self {
        let bounds = "\(range.lowerBound.shortText) to \(range.upperBound.shortText)"
        return Self("duration, \(bounds)") { text throws(SettingFlaw) in
            guard let duration = Duration(shortText: text) else {
                throw SettingFlaw(
                    "is not a duration", "write a whole number and one of ms, s, m, h and d, such as 15m")
            }
            guard range.contains(duration) else {
                throw SettingFlaw("is out of range", "give \(bounds)")
            }
            return duration
        } describe: {
            $0.shortText
        }
    }
}

extension SettingSyntax where Value == Int {
    static func integer(_ range: ClosedRange<Int>) -> Self {
        Self("integer, \(range.lowerBound) to \(range.upperBound)") { text throws(SettingFlaw) in
            guard !text.isEmpty, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
                throw SettingFlaw(
                    "is not a whole number", "write digits alone, \(range.lowerBound) to \(range.upperBound)")
            }
            guard let number = Int(text), range.contains(number) else {
                throw SettingFlaw("is out of range", "give \(range.lowerBound) to \(range.upperBound)")
            }
            return number
        } describe: {
            String($0)
        }
    }
}

extension SettingSyntax where Value: RawRepresentable & CaseIterable, Value.RawValue == String {
    /// One of the cases of an enumeration, by its raw value.
    static var choice: Self {
        let names = Value.allCases.map(\.rawValue)
        return Self(names.joined(separator: ", ")) { text throws(SettingFlaw) in
            guard let value = Value(rawValue: text) else {
                let near = nearest(to: text, among: names).map { "did you mean \($0)? " } ?? ""
                throw SettingFlaw("is none of its values", "\(near)write one of \(names.joined(separator: ", "))")
            }
            return value
        } describe: {
            $0.rawValue
        }
    }
}

extension SettingSyntax where Value == [Endpoint] {
    static var endpoints: Self {
        Self(listOf: "`host:port` or `unix:/path`") { text throws(SettingFlaw) in
            do throws(LoopError) {
                return try Endpoint(text)
            } catch {
                throw SettingFlaw(
                    "is not an address", "write host:port, [address]:port with a port up to 65535, or unix:/path")
            }
        } describe: {
            $0.description
        }
    }
}

extension SettingSyntax where Value == [String] {
    /// Texts of visible ASCII characters.
    static var names: Self {
        Self(listOf: "text") { text throws(SettingFlaw) in
            guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
                throw SettingFlaw("has a blank or a character outside ASCII", "write visible ASCII characters")
            }
            return text
        } describe: {
            $0
        }
    }
}

extension SettingSyntax where Value == RedisURL {
    static var redisURL: Self {
        Self("`redis://`, `rediss://`, `redis-sentinel://` or `unix://` URL") { text throws(SettingFlaw) in
            do throws(RedisError) {
                return try RedisURL(text)
            } catch {
                // The error names the URL, with its password masked.
                throw SettingFlaw("is refused: \(error)", "write \(RedisURL.form(of: text))")
            }
        } describe: {
            $0.description
        }
        .secret
    }

    private var secret: Self {
        var copy = self
        copy.isSecret = true
        return copy
    }
}

extension SettingSyntax where Value == HTTPURL {
    static var url: Self {
        Self("`https://` or `http://` URL") { text throws(SettingFlaw) in
            do throws(HTTPError) {
                return try HTTPURL(text)
            } catch {
                throw SettingFlaw("is refused: \(error)", "write https://host[:port]/path")
            }
        } describe: {
            $0.description
        }
    }
}

extension SettingSyntax where Value == String {
    /// A URL that is a name: kept as it was written, because whoever reads `iss` compares it character by character
    /// (RFC 8414 §3.3), where a slash more makes another issuer.
    static var issuerName: Self {
        Self(SettingSyntax<HTTPURL>.url.words) { text throws(SettingFlaw) in
            // RFC 8414 §2. A fragment is refused as no part of any URL that is asked for.
            guard try SettingSyntax<HTTPURL>.url.parse([text]).target.contains("?") == false else {
                throw SettingFlaw(
                    "has a query, which the name of an issuer cannot have", "write https://host[:port]/path")
            }
            return text
        } describe: {
            $0
        }
    }

    /// 1 to 64 letters, digits, dots, dashes and underscores: what can stand in a Redis field, a metric and a log.
    static var identifier: Self {
        Self("1 to 64 of `A-Z a-z 0-9 . _ -`") { text throws(SettingFlaw) in
            let isPlain = text.utf8.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F: true
                default: false
                }
            }
            guard isPlain, (1...64).contains(text.utf8.count) else {
                throw SettingFlaw("is not a plain name", "write 1 to 64 letters, digits, dots, dashes and underscores")
            }
            return text
        } describe: {
            $0
        }
    }

    /// The path of a file that is there and that this process may read.
    static var file: Self {
        Self("path of a file") { text throws(SettingFlaw) in
            var status = stat()
            // SAFETY: stat(2) reads a NUL-terminated path, which a Swift string becomes, and fills the structure.
            guard unsafe stat(text, &status) == 0 else {
                throw SettingFlaw("cannot be found (\(errorText(errno)))", "create the file or correct the path")
            }
            guard status.st_mode & S_IFMT == S_IFREG else {
                throw SettingFlaw("is not a file", "give the path of a file")
            }
            guard unsafe access(text, R_OK) == 0 else {
                throw SettingFlaw("cannot be read (\(errorText(errno)))", "let user \(geteuid()) read it")
            }
            return text
        } describe: {
            $0
        }
    }

    /// The path of a file of this process's own, which it makes when it is not there.
    static var ownFile: Self {
        Self("path of a file") { text throws(SettingFlaw) in
            let folder = text.lastIndex(of: "/").map { String(text[...$0]) } ?? "."
            var status = stat()
            // SAFETY: stat(2) and access(2) read a NUL-terminated path, which a Swift string becomes.
            guard unsafe stat(folder, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else {
                throw SettingFlaw("is in no folder that is there", "create the folder or correct the path")
            }
            guard unsafe access(folder, R_OK | W_OK | X_OK) == 0 else {
                throw SettingFlaw(
                    "is in a folder that cannot be written (\(errorText(errno)))", "let user \(geteuid()) write there")
            }
            guard !text.hasSuffix("/"), unsafe lstat(text, &status) != 0 || status.st_mode & S_IFMT == S_IFREG else {
                throw SettingFlaw("is not a file", "give the path of a file")
            }
            return text
        } describe: {
            $0
        }
    }

    /// The path of a file with private keys, which are read at once and let go: a bad one is told with everything else.
    static var signingKeyFile: Self {
        Self("path of a file with private keys") { text throws(SettingFlaw) in
            do throws(CryptoError) {
                _ = try RSAPrivateKey.loadAll(path: text)
            } catch {
                let problem = if case .file(_, let problem) = error { Self.clause(problem) } else { "\(error)" }
                throw SettingFlaw("cannot be used: \(problem)", "`quash keys generate` makes such a file")
            }
            return text
        } describe: {
            $0
        }
    }

    /// What is wrong with a file, as a clause: a system's error has no verb.
    static func clause(_ problem: String) -> String {
        problem.first?.isUppercase == true ? problem : "it \(problem)"
    }

    /// The path of a file with a key set, which is read at once and let go, as `signingKeyFile` is.
    static var keySetFile: Self {
        Self("path of a file with a key set") { text throws(SettingFlaw) in
            do {
                let bytes = try PlainFile.read(path: text, maxBytes: JWTLimits.maxKeySetBytes)
                guard try !KeySet(parsing: bytes.span).keys.isEmpty else {
                    throw PlainFile.Flaw(description: "holds no RSA key that can be used")
                }
            } catch {
                throw SettingFlaw("cannot be used: \(error)", "take it from the issuer's /.well-known/jwks.json")
            }
            return text
        } describe: {
            $0
        }
    }
}

extension SettingSyntax where Value == Secret {
    /// The secret itself, from the environment.
    static func secret(_ kind: Secret.Kind) -> Self {
        var syntax = Self("secret") { text throws(SettingFlaw) in
            try Secret(Array(text.utf8), kind)
        } describe: {
            $0.description
        }
        syntax.isSecret = true
        return syntax
    }
}

extension SettingSyntax where Value == SecretInFile {
    /// The path of a file with a secret, read at once. `QuashCrypto.SecretFile` says which files are refused.
    static func secretFile(_ kind: Secret.Kind) -> Self {
        Self("path of a secret's file") { text throws(SettingFlaw) in
            try SecretInFile(path: text, kind)
        } describe: {
            $0.path
        }
    }
}

/// What errno(3) means.
func errorText(_ code: Int32) -> String {
    // SAFETY: strerror(3) returns a string that is valid until the next call on this thread; it is copied at once.
    unsafe String(cString: strerror(code))
}
