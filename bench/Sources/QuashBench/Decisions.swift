import BenchResults
import Quash
import QuashCrypto
import QuashJWT

/// Decisions of one validator: about tokens that it has not seen, and about one that it remembers.
struct Decisions {
    let rounds: Int

    func measure(into results: inout Results) throws {
        let tokens = try Tokens(count: 1000)
        let cold = try tokens.validator(cachedTokens: 0)
        let warm = try tokens.validator(cachedTokens: 4096)
        tokens.decide(with: warm, each: 4)
        var (openSSL, coldTimes, warmTimes) = (Measurement(), Measurement(), Measurement())
        for _ in 0..<rounds {
            openSSL.add(nanosecondsPerOperation: OpenSSLSpeed.verifyNanoseconds())
            coldTimes.round { tokens.decide(with: cold, each: 1) }
            warmTimes.round(seconds: 0.3) { tokens.decide(with: warm, each: 1) }
        }
        let group = "one decision in a process, a token of \(tokens.byteCount) bytes"
        results.figures += [
            Figure(
                kind: .micro, group: group, subject: "quash, not seen before", unit: "ns", better: .lower,
                rounds: coldTimes.nanoseconds),
            Figure(
                kind: .micro, group: group, subject: "openssl speed, RSA verification alone", unit: "ns",
                better: .lower, rounds: openSSL.nanoseconds),
            Figure(
                kind: .micro, group: group, subject: "quash, remembered", unit: "ns", better: .lower,
                rounds: warmTimes.nanoseconds),
        ]
        results.goals += [
            Goal(
                what: "cold validations a second in a process", against: "openssl speed rsa2048 verify",
                relation: .atLeast, limit: 0.95,
                rounds: zip(openSSL.nanoseconds, coldTimes.nanoseconds).map { $0 / $1 }),
            Goal(
                what: "warm validation in a process", against: "400 ns", relation: .atMost, limit: 400, unit: "ns",
                rounds: warmTimes.nanoseconds),
        ]
    }
}

/// Tokens as an issuer signs them, and what decides about them.
private struct Tokens {
    private let signer: TokenSigner
    private let tokens: [[UInt8]]
    private let index = RevocationIndex()

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
            return try signer.sign(claims, type: .access)
        }
        var writer = index.makeWriter(maxRevocations: 1000, clockSkew: .zero)
        try writer.apply([Revocation(key: .token("another"), expiresAtSeconds: .max)])
    }

    var byteCount: Int { tokens[0].count }

    func validator(cachedTokens: Int) throws -> Validator {
        let lease = Lease()
        lease.extend(LeaseGrant(sent: .now(), length: .seconds(3600)))
        return try Validator(
            keys: KeySet([signer.publicKey]), policy: TokenPolicy(), clockSkew: .zero, index: index, lease: lease,
            cachedTokens: cachedTokens)
    }

    /// - Returns: how many decisions it took.
    @discardableResult
    func decide(with validator: Validator, each times: Int) -> Int {
        for token in tokens {
            for _ in 0..<times {
                guard case .accepted = validator.validate(token.span) else {
                    preconditionFailure("a token was refused")
                }
            }
        }
        return tokens.count * times
    }
}
