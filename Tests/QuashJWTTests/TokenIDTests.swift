import QuashJWT
import Testing

struct TokenIDTests {
    @Test func theTextIsSessionTimeRandom() throws {
        let session = SessionID.random()
        let id = TokenID(session: session, issuedAtMilliseconds: 1_700_000_000_123)
        let text = id.description
        #expect(text.utf8.count == TokenID.textBytes)
        let parts = text.split(separator: ".")
        #expect(parts.map(\.count) == [20, 8, 20])
        #expect(String(parts[0]) == session.description)
        // 1700000000123 = 0x018BCFE5687B
        #expect(Base64URL.decode(String(parts[1])) == [0x01, 0x8B, 0xCF, 0xE5, 0x68, 0x7B])
        let parsed = try #require(TokenID(text))
        #expect(parsed == id)
        #expect(parsed.session == session)
        #expect(parsed.issuedAtMilliseconds == 1_700_000_000_123)
    }

    @Test func sessionsAreFifteenBytesOfBase64URL() throws {
        let text = "AAECAwQFBgcICQoLDA0O"
        #expect(try #require(SessionID(text)).description == text)
        #expect(Base64URL.decode(text) == Array(0...14))
        #expect(SessionID("____________________")?.description == "____________________")
        #expect(SessionID(text) != SessionID("BAECAwQFBgcICQoLDA0O"))
        #expect(SessionID(text) != SessionID("AAECAwQFBgcICQoLDA0P"))
    }

    @Test func noTwoAreTheSame() {
        let session = SessionID.random()
        #expect(SessionID.random() != session)
        let ids = (0..<100).map { _ in TokenID(session: session, issuedAtMilliseconds: 0) }
        #expect(Set(ids).count == 100)
    }

    @Test func randomBitsReachEveryCharacter() {
        let texts = (0..<400).map { _ in Array(SessionID.random().description.utf8) }
        for place in 0..<20 {
            #expect(Set(texts.map { $0[place] }).count > 32, "character \(place)")
        }
    }

    @Test(arguments: [0, 1, (1 << 48) - 1] as [Int64])
    func allTimesOf48BitsSurvive(milliseconds: Int64) throws {
        let id = TokenID(session: .random(), issuedAtMilliseconds: milliseconds)
        #expect(try #require(TokenID(id.description)).issuedAtMilliseconds == milliseconds)
    }

    @Test func everyOtherFormIsForeign() {
        let good = Array(TokenID(session: .random(), issuedAtMilliseconds: 1).description.utf8)
        #expect(tokenID(good) != nil)
        #expect(tokenID(Array(good.dropLast())) == nil)
        #expect(tokenID((good + [0x41])) == nil)
        #expect(tokenID([UInt8]()) == nil)
        for place in good.indices {
            for byte: UInt8 in [0, 0x20, 0x2B, 0x2E, 0x2F, 0x3D, 0x80] where good[place] != byte {
                var text = good
                text[place] = byte
                #expect(tokenID(text) == nil)
            }
        }
        #expect(SessionID("") == nil)
        #expect(SessionID("AAECAwQFBgcICQoLDA0") == nil)
        #expect(SessionID("AAECAwQFBgcICQoLDA0OA") == nil)
        #expect(SessionID("AAECAwQFBgcICQoLDA0.") == nil)
        #expect(TokenID("2c1b7c3e-3f0e-4f5e-9f3e-3f0e4f5e9f3e") == nil)
    }

    // #expect takes no Span apart.
    private func tokenID(_ text: [UInt8]) -> TokenID? {
        TokenID(text.span)
    }
}
