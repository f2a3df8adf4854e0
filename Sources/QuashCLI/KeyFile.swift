import Glibc
import QuashCrypto
import QuashJWT

/// A PEM file with private keys: the first signs, the others are only published.
struct KeyFile {
    let path: String
    private(set) var keys: [RSAPrivateKey]

    /// The file that a command names, or `QUASH_SIGNING_KEY_FILE`.
    static func path(_ argument: String?, environment: [String: String]) throws(CommandFailure) -> String {
        guard let path = argument ?? environment["QUASH_SIGNING_KEY_FILE"], !path.isEmpty else {
            throw CommandFailure(.usage, "which file? name it with --file, or set QUASH_SIGNING_KEY_FILE")
        }
        return path
    }

    /// Creates the file with one new key. One that is there already is never replaced.
    static func create(path: String, bits: Int) throws(CommandFailure) -> KeyFile {
        guard unsafe access(path, F_OK) != 0 else {
            throw CommandFailure(.refused, "\(path) is there already; `quash keys rotate` adds a key to it")
        }
        let key = try generate(bits: bits)
        try attempt { () throws(CryptoError) in try SecretFile.create(path: path, contents: try key.pem) }
        return KeyFile(path: path, keys: [key])
    }

    static func read(path: String) throws(CommandFailure) -> KeyFile {
        KeyFile(path: path, keys: try attempt { () throws(CryptoError) in try RSAPrivateKey.loadAll(path: path) })
    }

    private init(path: String, keys: [RSAPrivateKey]) {
        self.path = path
        self.keys = keys
    }

    /// The names of the keys, RFC 7638 thumbprints; the first one signs.
    var keyIDs: [String] { keys.map { JSONWebKey.thumbprint(of: $0.publicKey) } }

    /// Adds a new key that signs, or one that is only published.
    mutating func add(bits: Int, signs: Bool) throws(CommandFailure) {
        guard keys.count < RSAPrivateKey.maxKeysInFile else {
            throw CommandFailure(
                .refused, "\(path) has \(keys.count) keys, the most that are read; retire one with `quash keys retire`")
        }
        let key = try Self.generate(bits: bits)
        keys.insert(key, at: signs ? 0 : keys.count)
        try replace()
    }

    /// Makes a key that is only published the one that signs.
    mutating func promote(keyID: String) throws(CommandFailure) {
        let index = try index(of: keyID)
        guard index > 0 else { throw CommandFailure(.refused, "\(keyID) signs already") }
        keys.insert(keys.remove(at: index), at: 0)
        try replace()
    }

    /// Removes a key that does not sign.
    mutating func retire(keyID: String) throws(CommandFailure) {
        let index = try index(of: keyID)
        guard index > 0 else {
            throw CommandFailure(
                .refused, "\(keyID) is the key that signs; let another sign first, with `quash keys rotate`")
        }
        keys.remove(at: index)
        try replace()
    }

    private func index(of keyID: String) throws(CommandFailure) -> Int {
        guard let index = keyIDs.firstIndex(of: keyID) else {
            throw CommandFailure(.refused, "\(path) has no key \"\(keyID)\"; `quash keys list` names those that it has")
        }
        return index
    }

    /// Writes all keys to a new file and renames it over the old one, so that whoever reads sees one or the other, and
    /// a crash leaves the old one. The new file cannot be made while another command is at it.
    private func replace() throws(CommandFailure) {
        let temporary = "\(path).new"
        guard unsafe access(temporary, F_OK) != 0 else {
            throw CommandFailure(
                .refused, "\(temporary) is there: another command is at it, or was interrupted; then delete that file")
        }
        var pem: [UInt8] = []
        defer { SecretFile.wipe(&pem) }
        try Self.attempt { () throws(CryptoError) in
            for key in keys { pem += try key.pem }
            try SecretFile.create(path: temporary, contents: pem)
        }
        guard unsafe rename(temporary, path) == 0 else {
            let code = errno
            unsafe unlink(temporary)
            throw CommandFailure(.refused, "\(path): \(unsafe String(cString: strerror(code))); nothing was changed")
        }
        // The new name, too, must outlive a power failure (rename(2), fsync(2)).
        let folder = path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        let descriptor = unsafe open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        if descriptor >= 0 {
            fsync(descriptor)
            close(descriptor)
        }
    }

    private static func generate(bits: Int) throws(CommandFailure) -> RSAPrivateKey {
        do throws(CryptoError) {
            return try RSAPrivateKey.generate(bits: bits)
        } catch {
            throw CommandFailure(.usage, "--bits \(bits): \(error)")
        }
    }

    private static func attempt<Value>(_ body: () throws(CryptoError) -> Value) throws(CommandFailure) -> Value {
        do throws(CryptoError) {
            return try body()
        } catch {
            throw CommandFailure(.refused, "\(error)")
        }
    }
}
