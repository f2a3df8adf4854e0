import QuashCrypto
import QuashJWT
import TestSupport
import Testing

/// The shape of a token and its signature.
struct TokenSignatureTests {
    private let forge: TokenForge
    private let verifier: TokenVerifier
    private let token: [UInt8]

    init() throws {
        forge = try TokenForge()
        verifier = try forge.verifier()
        token = try forge.signer.sign(forge.claims, type: .access)
    }

    @Test func rfc7515AppendixA2() throws {
        let n = """
            ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yR\
            T-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXB\
            dQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9ia\
            GNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ
            """
        let signed = """
            eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19\
            yb290Ijp0cnVlfQ
            """
        let signature = """
            cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9\
            uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB\
            _eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rq\
            Vt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw
            """
        let key = try RSAPublicKey(modulus: #require(Base64URL.decode(n)), exponent: #require(Base64URL.decode("AQAB")))
        let bytes = try #require(Base64URL.decode(signature))
        let isValid = try RSAVerifier(key).verify(signature: bytes.span, message: Array(signed.utf8).span)
        #expect(isValid)
        // As a token it lacks the type and the key that this product demands.
        let strict = try TokenVerifier(keys: KeySet([JSONWebKey(key)]))
        #expect(strict.refusal(Array("\(signed).\(signature)".utf8)) == .wrongType)
    }

    @Test func aGoodTokenIsAcceptedAgainAndAgain() throws {
        for _ in 0..<3 {
            #expect(try verifier.claims(token) == forge.claims)
            #expect(verifier.refusal(token.dropLast() + [0x21]) == .malformed)
        }
    }

    @Test func everyTruncationIsRefused() {
        for count in 0..<token.count {
            #expect(verifier.refusal(Array(token.prefix(count))) != nil, "\(count) bytes")
            #expect(verifier.refusal(Array(token.suffix(count))) != nil, "the last \(count) bytes")
        }
    }

    @Test func everyChangedByteIsRefused() {
        for place in token.indices {
            for change: UInt8 in [0x01, 0x02, 0x04, 0x20, 0x80, 0xFF] {
                var changed = token
                changed[place] ^= change
                #expect(verifier.refusal(changed) != nil, "byte \(place) changed by \(change)")
            }
        }
    }

    @Test func rfc4648Section3_5TheFifteenOtherSpellingsOfASignatureAreRefused() throws {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
        let accepted = alphabet.filter { verifier.refusal(token.dropLast() + [$0]) == nil }
        #expect(accepted == [try #require(token.last)])
        let sameBytes = alphabet.filter { verifier.refusal(token.dropLast() + [$0]) == .malformed }
        #expect(sameBytes.count == 60, "four characters have no unused bits, three of them are another signature")
    }

    @Test(arguments: [" ", "\n", "\r\n", "\t", "=", "==", ".", "..", "\0", "%3D", ",", "A", "é"])
    func rfc7515Section7_1NothingIsAddedToACompactToken(extra: String) {
        let extra = Array(extra.utf8)
        #expect(verifier.refusal(extra + token) != nil)
        #expect(verifier.refusal(token + extra) != nil)
        let dots = token.indices.filter { token[$0] == 0x2E }
        for dot in dots {
            #expect(verifier.refusal(token[..<dot] + extra + token[dot...]) != nil)
            #expect(verifier.refusal(token[...dot] + extra + token[(dot + 1)...]) != nil)
        }
    }

    @Test func rfc7515Section7_1ATokenHasThreeParts() throws {
        let parts = token.split(separator: 0x2E).map { String(decoding: $0, as: UTF8.self) }
        for text in [
            "", ".", "..", "...", parts[0], "\(parts[0]).\(parts[1])", "\(parts[0]).\(parts[1]).",
            "\(parts[0])..\(parts[2])",
            ".\(parts[1]).\(parts[2])", "\(parts[0]).\(parts[1]).\(parts[2]).\(parts[2])",
            "\(parts[1]).\(parts[0]).\(parts[2])",
            "{\"payload\":\"\(parts[1])\"}",
        ] {
            #expect(verifier.refusal(Array(text.utf8)) != nil, "\(text)")
        }
        #expect(verifier.refusal(Array("\(parts[0]).\(parts[1]).".utf8)) == .badSignature)
        #expect(verifier.refusal(Array("\(parts[0]).\(parts[1])".utf8)) == .malformed)
    }

    @Test func aPayloadThatIsNotCanonicalIsRefusedEvenWhenSigned() throws {
        let text = Base64URL.encode(Array((#"{"sub":"a"} "#).utf8).span)
        let header = Base64URL.encode(Array(forge.header().utf8).span)
        for payload in [text + "=", text + " ", text + "A", ""] {
            let refusal = verifier.refusal(try forge.token(headerText: header, payloadText: payload))
            #expect(refusal == (payload.isEmpty ? .badClaims : .malformed))
        }
    }

    @Test func sizeIsCheckedFirst() {
        #expect(verifier.refusal([UInt8](repeating: 0x41, count: JWTLimits.maxTokenBytes)) == .malformed)
        #expect(verifier.refusal([UInt8](repeating: 0x41, count: JWTLimits.maxTokenBytes + 1)) == .tooLarge)
        #expect(verifier.refusal(token + [UInt8](repeating: 0x41, count: 1_000_000)) == .tooLarge)
    }

    @Test func theKeyIsChosenByItsID() throws {
        let other = TokenSigner(try RSAPrivateKey(pem: Array(TestKeys.otherPrivateKey.utf8)))
        let both = try TokenVerifier(keys: KeySet([other.publicKey, forge.signer.publicKey]))
        let others = try other.sign(forge.claims, type: .access)
        for _ in 0..<2 {
            #expect(try both.verify(token.span).keyID == forge.keyID)
            #expect(try both.verify(others.span).keyID == other.publicKey.keyID)
        }
        #expect(verifier.refusal(others) == .unknownKey)
        #expect(try TokenVerifier(keys: KeySet([])).refusal(token) == .unknownKey)
    }
}
