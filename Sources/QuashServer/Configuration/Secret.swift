import QuashCrypto

/// A password or credential. It shows itself to nobody: not when printed, interpolated, dumped or logged.
package struct Secret: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// What a secret is for, and so what may stand in it.
    package enum Kind: Sendable {
        /// Whatever its server takes, but for control characters, which are a file with more than the password in it.
        case password
        /// Stands in an Authorization field as it is (RFC 6750 §2.1), and must not be found by trying.
        case bearer
    }

    package let bytes: [UInt8]

    package init(_ bytes: [UInt8], _ kind: Kind) throws(SettingFlaw) {
        let minBytes = kind == .bearer ? ConfigurationLimits.minAdminTokenBytes : 1
        guard !bytes.isEmpty else { throw SettingFlaw("is empty", "give the secret") }
        guard bytes.count >= minBytes else {
            throw SettingFlaw(
                "has \(bytes.count) bytes", "give at least \(minBytes), such as `openssl rand -hex 32` prints")
        }
        guard bytes.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }), String(validating: bytes, as: UTF8.self) != nil else {
            throw SettingFlaw("has a line break inside, or is no text", "give one line of text")
        }
        guard kind == .password || bytes.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw SettingFlaw("has a blank or a character outside ASCII", "give visible ASCII characters")
        }
        self.bytes = bytes
    }

    /// As text, for a protocol that wants it so.
    package var text: String { String(decoding: bytes, as: UTF8.self) }

    /// Whether `other` is the same, in a time that tells nothing but its length.
    package func matches(_ other: [UInt8]) -> Bool { ConstantTime.equal(bytes.span, other.span) }

    package var description: String { "***" }
    package var debugDescription: String { "***" }
    package var customMirror: Mirror { Mirror(self, children: [:]) }
}

/// A secret and the file that it was read from.
package struct SecretInFile: Sendable {
    package let path: String
    package let secret: Secret

    /// Reads the file: its bytes without one line end after them.
    package init(path: String, _ kind: Secret.Kind) throws(SettingFlaw) {
        self.path = path
        var bytes: [UInt8]
        do throws(CryptoError) {
            bytes = try SecretFile.read(path: path)
        } catch {
            guard case .file(_, let problem) = error else { preconditionFailure("reading a file failed with \(error)") }
            throw SettingFlaw(
                "cannot be used: \(SettingSyntax<String>.clause(problem))",
                "give a file of this user's or root's, mode 600")
        }
        defer { SecretFile.wipe(&bytes) }
        if bytes.last == UInt8(ascii: "\n") { bytes.removeLast() }
        if bytes.last == UInt8(ascii: "\r") { bytes.removeLast() }
        do throws(SettingFlaw) {
            secret = try Secret(bytes, kind)
        } catch {
            throw SettingFlaw("holds a secret that \(error.reason)", error.remedy)
        }
    }
}
