import QuashJWT
import Testing

struct Base64URLTests {
    @Test(arguments: [
        ("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foob", "Zm9vYg"), ("fooba", "Zm9vYmE"),
        ("foobar", "Zm9vYmFy"),
    ])
    func rfc4648Section10Vectors(plain: String, text: String) {
        #expect(Base64URL.encode(Array(plain.utf8).span) == text)
        #expect(Base64URL.decode(text) == Array(plain.utf8))
    }

    @Test func rfc7515AppendixCVector() {
        #expect(Base64URL.encode([UInt8]([3, 236, 255, 224, 193]).span) == "A-z_4ME")
        #expect(Base64URL.decode("A-z_4ME") == [3, 236, 255, 224, 193])
    }

    @Test func everyByteInEveryPlaceSurvives() {
        for count in 1...4 {
            for place in 0..<count {
                for byte in UInt8.min...UInt8.max {
                    var bytes = [UInt8](repeating: 0xA5, count: count)
                    bytes[place] = byte
                    #expect(Base64URL.decode(Base64URL.encode(bytes.span)) == bytes)
                }
            }
        }
    }

    @Test(arguments: [
        "A", "AAAAA", "Zg=", "Zg==", "Zm8=", "Zm9v=", "=", "Zm 9v", "Zm9v\n", " Zm9v", "Zm9+", "Zm9/", "Zm9.", "Zm9v\0",
        "Zm9é", "Zm9v\u{3000}", "Zm\r\n9v",
    ])
    func otherCharactersPaddingAndWhiteSpaceAreRefused(text: String) {
        #expect(Base64URL.decode(text) == nil)
    }

    @Test func everyOtherByteIsRefusedInEveryPlace() {
        let alphabet = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
        for place in 0..<7 {
            for byte in UInt8.min...UInt8.max where !alphabet.contains(byte) {
                var text = Array("AAAAAAA".utf8)
                text[place] = byte
                var bytes: [UInt8] = [1, 2]
                let accepted = Base64URL.decode(text.span, appendingTo: &bytes)
                #expect(!accepted && bytes == [1, 2], "refused, and nothing appended")
            }
        }
    }

    @Test func unusedBitsMustBeZeroSoThatEachByteStringHasOneText() {
        let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        #expect(alphabet.filter { Base64URL.decode("A\($0)") != nil } == "AQgw")
        #expect(alphabet.filter { Base64URL.decode("AA\($0)") != nil } == "AEIMQUYcgkosw048")
    }
}
