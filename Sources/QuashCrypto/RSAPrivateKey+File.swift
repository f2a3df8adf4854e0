extension RSAPrivateKey {
    /// Private keys in one file.
    package static let maxKeysInFile = 16

    /// Reads every private key of a PEM file, in order: the first signs, the others are only published.
    ///
    /// - Throws: what is wrong with the file, or with a key in it, by its place.
    package static func loadAll(path: String) throws(CryptoError) -> [RSAPrivateKey] {
        var bytes = try SecretFile.read(path: path)
        defer { SecretFile.wipe(&bytes) }
        var keys: [RSAPrivateKey] = []
        var block: [UInt8] = []
        defer { SecretFile.wipe(&block) }
        for line in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
            if block.isEmpty, !line.starts(with: "-----BEGIN ".utf8) { continue }
            block += line
            block.append(UInt8(ascii: "\n"))
            guard line.starts(with: "-----END ".utf8) else { continue }
            guard keys.count < maxKeysInFile else {
                throw .file(path: path, problem: "holds more than \(maxKeysInFile) keys")
            }
            do {
                keys.append(try RSAPrivateKey(pem: block))
            } catch {
                throw .file(path: path, problem: "holds a key, number \(keys.count + 1), that cannot be used: \(error)")
            }
            SecretFile.wipe(&block)
            block = []
        }
        guard !keys.isEmpty else { throw .file(path: path, problem: "holds no private key in PEM") }
        return keys
    }
}
