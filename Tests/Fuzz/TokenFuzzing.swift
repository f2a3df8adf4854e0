import Quash
import QuashCrypto
import QuashJSON
import TestSupport

@testable import QuashJWT

/// The key that signs what is fuzzed, so that the bytes reach what stands behind the signature.
private let signer: TokenSigner = {
    do {
        return TokenSigner(try RSAPrivateKey(pem: Array(TestKeys.privateKey.utf8)))
    } catch {
        preconditionFailure("the key of the tests cannot be read: \(error)")
    }
}()

private let signingKey: RSAPrivateKey = {
    do {
        return try RSAPrivateKey(pem: Array(TestKeys.privateKey.utf8))
    } catch {
        preconditionFailure("the key of the tests cannot be read: \(error)")
    }
}()

/// The bytes are taken as a whole token, as the payload of a well signed one, and as its header.
func fuzzToken(_ bytes: [UInt8]) throws(BrokenProperty) {
    let tokens = try TokenFuzzing()
    try tokens.fuzzWhole(bytes)
    try tokens.fuzzPayload(bytes)
    try tokens.fuzzHeader(bytes)
}

private struct TokenFuzzing {
    private let verifier: TokenVerifier
    private let validator: Validator
    private let payload: [UInt8]

    init() throws(BrokenProperty) {
        do {
            let keys = try KeySet([signer.publicKey])
            let policy = TokenPolicy(types: [.access, .refresh])
            verifier = try TokenVerifier(keys: keys, policy: policy)
            let index = RevocationIndex()
            var writer = index.makeWriter(maxRevocations: 8, clockSkew: .zero)
            // Every kind of key is made of a token and looked for, and none is found.
            let bound = WallInstant(milliseconds: -1)
            try writer.apply(
                RevocationKind.allCases.map {
                    Revocation(
                        key: RevocationKey(kind: $0, identifier: [UInt8](repeating: 0, count: 15)),
                        issuedBefore: bound, expiresAtSeconds: .max)
                })
            validator = try Validator(keys: keys, policy: policy, clockSkew: .zero, index: index, lease: Lease())
        } catch {
            throw BrokenProperty(description: "cannot prepare: \(error)")
        }
        payload = Array(#"{"sub":"a","iat":1,"exp":253402300799,"jti":"b"}"#.utf8)
    }

    /// Nothing is accepted that the key did not sign, and nothing traps.
    func fuzzWhole(_ bytes: [UInt8]) throws(BrokenProperty) {
        let isAccepted = (try? verifier.verify(bytes.span)) != nil
        try require(!isAccepted, "a token that nobody signed was accepted")
        if case .accepted = validator.validate(bytes.span) {
            throw BrokenProperty(description: "the validator accepted a token without a lease")
        }
    }

    /// A signed token is accepted exactly when its claims can be read; they can be signed again and say the same.
    func fuzzPayload(_ bytes: [UInt8]) throws(BrokenProperty) {
        guard (try? ClaimsReader.read(bytes.span)) != nil else { return }
        let header = #"{"alg":"RS256","typ":"at+jwt","kid":"\#(signer.publicKey.keyID)"}"#
        let token = try sign(header: Array(header.utf8), payload: bytes)
        guard token.count <= JWTLimits.maxTokenBytes else { return }
        let claims = try verified(token).claims
        guard case .refused = validator.validate(token.span) else {
            guard case .unavailable(.leaseEnded) = validator.validate(token.span) else {
                throw BrokenProperty(description: "the validator accepted a token without a lease")
            }
            return try requireSame(claims)
        }
        try requireSame(claims)
    }

    private func requireSame(_ claims: Claims) throws(BrokenProperty) {
        let again: [UInt8]
        do throws(JWTError) {
            again = try signer.sign(claims, type: .access)
        } catch {
            throw BrokenProperty(description: "claims that were accepted cannot be signed: \(error)")
        }
        try require(try verified(again).claims == claims, "claims that were signed again say something else")
    }

    /// What the header's own reader accepts is, to the reader of whole documents, an object that asks for RS256 and
    /// this key; and it is accepted again by a verifier that has seen it before.
    func fuzzHeader(_ bytes: [UInt8]) throws(BrokenProperty) {
        guard let header = try? JSONValue(parsing: bytes.span), header.object != nil else { return }
        let token = try sign(header: bytes, payload: payload)
        guard let verified = try? verifier.verify(token.span) else { return }
        try require(header["alg"] == "RS256", "accepted with alg \(String(describing: header["alg"]))")
        try require(header["kid"]?.string == verified.keyID, "accepted for another key than it names")
        try require(header["crit"] == nil, "accepted with crit")
        try require((try? verifier.verify(token.span)) != nil, "accepted the first time only")
    }

    private func verified(_ token: [UInt8]) throws(BrokenProperty) -> VerifiedToken {
        do throws(TokenRefusal) {
            return try verifier.verify(token.span)
        } catch {
            throw BrokenProperty(description: "claims that can be read are refused: \(error)")
        }
    }

    private func sign(header: [UInt8], payload: [UInt8]) throws(BrokenProperty) -> [UInt8] {
        let signed = Array("\(Base64URL.encode(header.span)).\(Base64URL.encode(payload.span))".utf8)
        do throws(CryptoError) {
            let signature = try signingKey.sign(signed.span)
            return signed + Array(".\(Base64URL.encode(signature.span))".utf8)
        } catch {
            throw BrokenProperty(description: "cannot sign: \(error)")
        }
    }
}

/// What is accepted is published and read again as the same keys, each with a name of its own.
func fuzzKeySet(_ bytes: [UInt8]) throws(BrokenProperty) {
    guard let keys = try? KeySet(parsing: bytes.span) else { return }
    guard let again = try? KeySet(parsing: keys.serialized().span) else {
        throw BrokenProperty(description: "a key set that was accepted is refused when it is published")
    }
    try require(again.keys == keys.keys, "the published key set has other keys")
    try require(again.skipped.isEmpty, "keys of the published key set are skipped")
    let names = Set(keys.keys.map { Array($0.keyID.utf8) })
    try require(names.count == keys.keys.count, "two keys have one name")
    try require((try? TokenVerifier(keys: keys)) != nil, "keys that were accepted cannot verify")
}
