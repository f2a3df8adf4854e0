import Foundation
import QuashCrypto
import QuashJWT

/// The tokens of a run, all of one key: signing takes a quarter of a millisecond each, so they are kept in a folder and
/// used again for an hour.
struct TokenStock {
    struct Token {
        let id: String
        let text: String
    }

    static let warmCount = 1000
    static let revokedCount = 1000
    private static let keptSeconds: Int64 = 3600
    private static let lifetimeSeconds: Int64 = 6 * 3600

    let keyFile: String
    /// SubjectPublicKeyInfo in PEM.
    let publicKeyFile: String
    /// An RFC 7517 set.
    let keySetFile: String
    /// What clients present again and again.
    let warm: [Token]
    /// What is revoked before anything is measured.
    let revoked: [Token]
    /// What is presented once, or to those who remember no token.
    let cold: [Token]
    let expired: Token

    /// - Parameter folder: where key and tokens are kept.
    /// - Parameter quash: the program, which makes the key.
    init(folder: String, coldCount: Int, quash: String) throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        keyFile = "\(folder)/signing.pem"
        publicKeyFile = "\(folder)/public.pem"
        keySetFile = "\(folder)/keys.json"
        if !FileManager.default.fileExists(atPath: keyFile) {
            try Command.run([quash, "keys", "generate", "--file", keyFile])
        }
        try Command.run(["openssl", "pkey", "-in", keyFile, "-pubout", "-out", publicKeyFile])
        let signer = TokenSigner(try RSAPrivateKey.load(path: keyFile))
        try Data(KeySet([signer.publicKey]).serialized()).write(to: URL(fileURLWithPath: keySetFile))

        let file = "\(folder)/tokens"
        let count = Self.warmCount + Self.revokedCount + coldCount
        var tokens = Self.kept(file, count, signer.publicKey.keyID)
        if tokens.isEmpty {
            print("signing \(count) tokens")
            let now = Int64(Date().timeIntervalSince1970)
            tokens = try (0..<count).map {
                try Self.sign(signer, number: $0, issued: now, expires: now + Self.lifetimeSeconds)
            }
            try Self.keep(tokens, file, now, signer.publicKey.keyID)
        }
        warm = Array(tokens[..<Self.warmCount])
        revoked = Array(tokens[Self.warmCount..<Self.warmCount + Self.revokedCount])
        cold = Array(tokens[(Self.warmCount + Self.revokedCount)..<count])
        let now = Int64(Date().timeIntervalSince1970)
        expired = try Self.sign(signer, number: 0, issued: now - 1000, expires: now - 100)
    }

    private static func sign(
        _ signer: TokenSigner, number: Int, issued: Int64, expires: Int64
    ) throws -> Token {
        let id = TokenID(session: .random(), issuedAtMilliseconds: issued * 1000).description
        var claims = Claims(
            subject: "user-\(number)", issuedAt: NumericDate(seconds: issued), expiresAt: NumericDate(seconds: expires),
            id: id)
        claims.issuer = "https://issuer.example"
        claims.audience = ["https://api.example"]
        claims.scope = "read write"
        return Token(id: id, text: String(decoding: try signer.sign(claims, type: .access), as: UTF8.self))
    }

    /// The first line says when they were signed and with which key.
    private static func kept(_ file: String, _ count: Int, _ key: String) -> [Token] {
        guard let text = try? String(contentsOfFile: file, encoding: .utf8) else { return [] }
        var lines = text.split(separator: "\n")
        let head = lines.isEmpty ? [] : lines.removeFirst().split(separator: " ")
        let now = Int64(Date().timeIntervalSince1970)
        guard head.count == 2, let signed = Int64(head[0]), (signed...signed + keptSeconds).contains(now),
            head[1] == key, lines.count >= count
        else { return [] }
        return lines.prefix(count).compactMap { line in
            let parts = line.split(separator: " ")
            return parts.count == 2 ? Token(id: String(parts[0]), text: String(parts[1])) : nil
        }
    }

    private static func keep(_ tokens: [Token], _ file: String, _ now: Int64, _ key: String) throws {
        let text = "\(now) \(key)\n" + tokens.map { "\($0.id) \($0.text)\n" }.joined()
        try Data(text.utf8).write(to: URL(fileURLWithPath: file), options: .atomic)
    }

    /// Tokens that nobody signed: each has the head and the payload of another and a signature with one changed
    /// character, so that only the whole verification tells. All differ, so that remembering one does not help.
    func forged(_ count: Int) -> [String] {
        (0..<count).map { number in
            Self.tampered(cold[number % cold.count].text, variant: number / cold.count)
        }
    }

    /// - Parameter variant: which of the characters in the middle of the signature is another one.
    static func tampered(_ token: String, variant: Int) -> String {
        var bytes = Array(token.utf8)
        let signature = (bytes.lastIndex(of: UInt8(ascii: ".")) ?? 0) + 1
        let index = signature + 20 + variant % 200
        bytes[index] = bytes[index] == UInt8(ascii: "A") ? UInt8(ascii: "B") : UInt8(ascii: "A")
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The claims of `token` under a head that says they need no signature.
    static func unsigned(_ token: String) -> String {
        let head = Base64URL.encode(Array(#"{"alg":"none","typ":"at+jwt"}"#.utf8).span)
        let parts = token.split(separator: ".")
        return "\(head).\(parts.count > 1 ? parts[1] : "")."
    }
}
