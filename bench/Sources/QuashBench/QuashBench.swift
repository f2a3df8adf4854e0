import Quash
import QuashCrypto
import QuashJWT

/// What one core does without a network: decide about tokens it has not seen, and look revocations up.
@main
enum QuashBench {
    private static let rounds = 5
    private static let revocationCount = 1_000_000

    static func main() throws {
        let index = RevocationIndex()
        var writer = index.makeWriter(maxRevocations: revocationCount, clockSkew: .zero)
        let revoked = keys(revocationCount)
        try writer.apply(revoked.map { Revocation(key: $0, expiresAtSeconds: .max) })

        var decide = Measurement()
        var openSSL = Measurement()
        let tokens = try Tokens(count: 2000)
        let validator = try tokens.validator(index)
        for _ in 0..<rounds {
            openSSL.add(nanosecondsPerOperation: OpenSSLSpeed.verifyNanoseconds())
            decide.round { tokens.decide(with: validator) }
        }

        var hit = Measurement()
        var miss = Measurement()
        let absent = keys(revocationCount)
        let reader = RevocationIndex.Reader(index)
        let hits = revoked.shuffled()
        for _ in 0..<rounds {
            hit.round(seconds: 0.3) { lookUp(hits, reader, areRevoked: true) }
            miss.round(seconds: 0.3) { lookUp(absent, reader, areRevoked: false) }
        }

        print(
            """
            tokens of \(tokens.byteCount) bytes, RS256 with 2048 bits, \(revocationCount) revocations; one core, \
            medians of \(rounds) rounds
            cold decision      \(decide.rate) /s
            openssl verify     \(openSSL.rate) /s
            ratio              \(ratio(openSSL.median, decide.median))   (goal: at least 0.95)
            index look-up, hit   \(Int(hit.median)) ns
            index look-up, miss  \(Int(miss.median)) ns
            index memory         \(ratio(Double(index.bytes), Double(revocationCount))) bytes a revocation
            """)
    }

    private static func keys(_ count: Int) -> [RevocationKey] {
        var generator = SystemRandomNumberGenerator()
        return (0..<count).map { _ in
            RevocationKey(kind: .token, identifier: (0..<15).map { _ in UInt8.random(in: 0...255, using: &generator) })
        }
    }

    /// - Returns: how many look-ups it made.
    private static func lookUp(_ keys: [RevocationKey], _ reader: RevocationIndex.Reader, areRevoked: Bool) -> Int {
        let issued = WallInstant(seconds: 1_700_000_000)
        var found = 0
        for key in keys where reader.revokes(key, issuedAt: issued) { found += 1 }
        precondition(found == (areRevoked ? keys.count : 0), "\(found) of \(keys.count) found")
        return keys.count
    }
}

/// Tokens as an issuer signs them, and what decides about them.
private struct Tokens {
    private let signer: TokenSigner
    private let tokens: [[UInt8]]

    init(count: Int) throws {
        let signer = TokenSigner(try RSAPrivateKey.generate())
        let now = ClockReading.now().wall
        self.signer = signer
        tokens = try (0..<count).map { number in
            let id = TokenID(session: .random(), issuedAtMilliseconds: now.milliseconds)
            var claims = Claims(
                subject: "user-\(number)", issuedAt: NumericDate(seconds: now.seconds),
                expiresAt: NumericDate(seconds: now.seconds + 900), id: id.description)
            claims.issuer = "https://issuer.example"
            claims.audience = ["https://api.example"]
            claims.scope = "read write"
            return try signer.sign(claims, type: .access)
        }
    }

    var byteCount: Int { tokens[0].count }

    func validator(_ index: RevocationIndex) throws -> Validator {
        let lease = Lease()
        lease.extend(LeaseGrant(sent: .now(), length: .seconds(3600)))
        return try Validator(
            keys: KeySet([signer.publicKey]), policy: TokenPolicy(), clockSkew: .zero, index: index, lease: lease)
    }

    /// - Returns: how many decisions it took.
    func decide(with validator: Validator) -> Int {
        for token in tokens {
            guard case .accepted = validator.validate(token.span) else { preconditionFailure("a token was refused") }
        }
        return tokens.count
    }
}
