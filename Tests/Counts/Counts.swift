import Glibc
import Quash
import QuashCrypto
import QuashHTTP
import QuashJWT
import QuashLoop
import QuashServer
import TestSupport

/// The program behind `scripts/counts`: does one thing so many times, for a tool that counts instructions and
/// allocations to watch. What it costs once is the difference of two runs, divided by that of their numbers.
@main enum Counts {
    static func main() throws {
        let words = Array(CommandLine.arguments.dropFirst())
        guard words.count == 2, let count = Int(words[1]), count > 0 else {
            print("usage: QuashCounts <case> <count>; cases: \(cases.map(\.name).joined(separator: " "))")
            exit(2)
        }
        guard let one = cases.first(where: { $0.name == words[0] }) else { exit(2) }
        try one.run(count)
    }

    private static let cases: [(name: String, run: @Sendable (Int) throws -> Void)] = [
        ("request-warm", { try Request(isRevoked: false).run($0) }),
        ("request-revoked", { try Request(isRevoked: true).run($0) }),
        ("decide-warm", { try Decision(cachedTokens: 64).run($0) }),
        ("decide-cold", { try Decision(cachedTokens: 0).run($0) }),
        ("index-hit", { try Index().run($0, isHit: true) }),
        ("index-miss", { try Index().run($0, isHit: false) }),
        ("parse-request", { parse($0) }),
        ("parse-base64url", { try base64url($0) }),
    ]

    /// The head that a gateway sends, with a token of the usual size.
    static func head(_ token: [UInt8]) -> [UInt8] {
        Array(
            ("GET /authz/auth-request HTTP/1.1\r\nHost: quash\r\nX-Original-URI: /orders/17?full=1\r\n"
                + "X-Original-Method: GET\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\nAccept: */*\r\n"
                + "Authorization: Bearer ").utf8) + token + Array("\r\n\r\n".utf8)
    }

    private static func parse(_ count: Int) {
        let bytes = head([UInt8](repeating: 0x41, count: 630))
        for _ in 0..<count {
            var parser = RequestParser()
            let isComplete = unsafe bytes.withUnsafeBytes { unsafe parser.parse($0) == .complete }
            precondition(isComplete)
        }
    }

    private static func base64url(_ count: Int) throws {
        let text = Base64URL.encode([UInt8](repeating: 7, count: 201).span).utf8.map { $0 }
        var bytes: [UInt8] = []
        for _ in 0..<count {
            bytes.removeAll(keepingCapacity: true)
            precondition(Base64URL.decode(text.span, appendingTo: &bytes))
        }
    }
}

/// A validator with a signed token, a lease for an hour, and an index.
struct Fixture {
    let index = RevocationIndex()
    let lease = Lease()
    let validator: Validator
    let token: [UInt8]

    init(cachedTokens: Int, isRevoked: Bool = false) throws {
        let signer = TokenSigner(try RSAPrivateKey(pem: Array(TestKeys.privateKey.utf8)))
        let now = ClockReading.now()
        var claims = Claims(
            subject: "5f0c7b52-7f0e-4a52-9b0a-1b1f0e5b6a11", issuedAt: NumericDate(seconds: now.wall.seconds),
            expiresAt: NumericDate(seconds: now.wall.seconds + 900),
            id: TokenID(session: .random(), issuedAtMilliseconds: now.wall.milliseconds).description)
        claims.issuer = "https://issuer.example"
        claims.audience = ["https://api.example"]
        claims.scope = "read write"
        token = try signer.sign(claims, type: .access)
        lease.extend(LeaseGrant(sent: now, length: .seconds(3600)))
        validator = try Validator(
            keys: KeySet([signer.publicKey]), policy: TokenPolicy(), clockSkew: .zero, index: index, lease: lease,
            cachedTokens: cachedTokens)
        var writer = index.makeWriter(maxRevocations: 1000, clockSkew: .zero)
        let key: RevocationKey = .token(isRevoked ? claims.id : "another")
        try writer.apply([Revocation(key: key, expiresAtSeconds: .max)])
    }
}

private struct Decision {
    let fixture: Fixture

    init(cachedTokens: Int) throws { fixture = try Fixture(cachedTokens: cachedTokens) }

    func run(_ count: Int) {
        for _ in 0..<count {
            guard case .accepted = fixture.validator.judge(fixture.token.span) else {
                preconditionFailure("a good token was not accepted")
            }
        }
    }
}

private struct Index {
    let index = RevocationIndex()
    let keys: [RevocationKey]
    /// As many, because how far one is looked for depends on the index's secret.
    let absent: [RevocationKey]

    init() throws {
        keys = (0..<10_000).map { number in .subject("subject \(number)") }
        absent = (0..<10_000).map { number in .subject("nobody \(number)") }
        var writer = index.makeWriter(maxRevocations: 1_000_000, clockSkew: .zero)
        try writer.apply(keys.map { Revocation(key: $0, expiresAtSeconds: .max) })
    }

    func run(_ count: Int, isHit: Bool) {
        let reader = RevocationIndex.Reader(index)
        let asked = isHit ? keys : absent
        for number in 0..<count {
            let key = asked[number % asked.count]
            precondition(reader.revokes(key, issuedAt: WallInstant(seconds: 0)) == isHit)
        }
    }
}
