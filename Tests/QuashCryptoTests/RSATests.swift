import QuashCrypto
import TestSupport
import Testing

struct RSATests {
    private let key: RSAPrivateKey
    private let message = Array("a message".utf8)

    init() throws {
        key = try RSAPrivateKey(pem: Array(TestKeys.privateKey.utf8))
    }

    @Test func whatIsSignedVerifiesAgainAndAgain() throws {
        let signature = try key.sign(message.span)
        #expect(try key.sign(message.span) == signature, "PKCS#1 v1.5 is deterministic")
        #expect(signature.count == 256)
        let verifier = try RSAVerifier(key.publicKey)
        for _ in 0..<3 {
            #expect(verifier.verify(signature, message))
            #expect(!verifier.verify(signature, Array("a massage".utf8)))
        }
    }

    @Test func everyChangedBitOfASignatureIsRefused() throws {
        let signature = try key.sign(message.span)
        let verifier = try RSAVerifier(key.publicKey)
        for bit in 0..<(signature.count * 8) {
            var changed = signature
            changed[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(!verifier.verify(changed, message))
        }
        #expect(verifier.verify(signature, message), "failures leave no trace")
    }

    @Test func rfc8017Section8_2_2SignaturesOfAnotherLengthAreRefused() throws {
        let signature = try key.sign(message.span)
        let verifier = try RSAVerifier(key.publicKey)
        #expect(!verifier.verify([UInt8](), message))
        #expect(!verifier.verify(signature.dropLast(), message))
        #expect(!verifier.verify((signature + [0]), message))
        #expect(!verifier.verify(([0] + signature), message))
        #expect(!verifier.verify([UInt8](repeating: 0xff, count: 256), message))
        #expect(!verifier.verify([UInt8](repeating: 0, count: 256), message))
    }

    @Test func anotherKeyDoesNotVerify() throws {
        let other = try RSAPrivateKey(pem: Array(TestKeys.otherPrivateKey.utf8))
        let signature = try key.sign(message.span)
        #expect(try !RSAVerifier(other.publicKey).verify(signature, message))
    }

    @Test func aPublicKeyIsItsNumbers() throws {
        let key = key.publicKey
        #expect(key.exponent == [1, 0, 1])
        #expect(key.modulus.count == 256)
        #expect(try RSAPublicKey(modulus: key.modulus, exponent: key.exponent) == key)
        #expect(try RSAPublicKey(pem: TestKeys.publicKey) == key)
        #expect(try RSAPublicKey(pem: key.pem) == key)
    }

    @Test func publicKeysOutsideThePolicyAreRefused() throws {
        let n = key.publicKey.modulus
        #expect(throws: CryptoError.self) { try RSAPublicKey(modulus: n, exponent: [3]) }
        #expect(throws: CryptoError.self) { try RSAPublicKey(modulus: n, exponent: []) }
        #expect(throws: CryptoError.self) { try RSAPublicKey(modulus: n, exponent: [0, 1, 0, 1]) }
        #expect(throws: CryptoError.self) { try RSAPublicKey(modulus: [0] + n, exponent: [1, 0, 1]) }
        #expect(throws: CryptoError.self) { try RSAPublicKey(modulus: [], exponent: [1, 0, 1]) }
        #expect(throws: CryptoError.self) { try RSAPublicKey(modulus: Array(n.dropLast(129)), exponent: [1, 0, 1]) }
        #expect(throws: CryptoError.self) { try RSAPublicKey(modulus: n.dropLast() + [2], exponent: [1, 0, 1]) }
        #expect(throws: CryptoError.self) { try RSAPublicKey(modulus: n + n + [1], exponent: [1, 0, 1]) }
        #expect(throws: CryptoError.self) { try RSAPublicKey(pem: KeyFixtures.public1024) }
        #expect(throws: CryptoError.self) { try RSAPublicKey(pem: "") }
    }

    @Test func aGeneratedKeyWorksAndSurvivesItsFile() throws {
        let generated = try RSAPrivateKey.generate()
        let folder = try TemporaryFolder()
        let path = folder.path("key.pem")
        try SecretFile.create(path: path, contents: generated.pem)
        let loaded = try RSAPrivateKey.load(path: path)
        #expect(loaded.publicKey == generated.publicKey)
        #expect(try loaded.sign(message.span) == generated.sign(message.span))
        #expect(throws: CryptoError.file(path: path, problem: "File exists")) {
            try SecretFile.create(path: path, contents: [1])
        }
    }

    @Test(arguments: [1024, 2047, 4097, -1, .max])
    func sizesOutsideThePolicyAreNotGenerated(bits: Int) {
        #expect(throws: CryptoError.self) { try RSAPrivateKey.generate(bits: bits) }
    }
}

extension RSAVerifier {
    // #expect takes no Span apart.
    fileprivate func verify(_ signature: [UInt8], _ message: [UInt8]) -> Bool {
        verify(signature: signature.span, message: message.span)
    }
}
