import QuashCrypto
import Testing

struct PrimitivesTests {
    @Test func sha256OfTheExamplesOfFIPS180() {
        #expect(
            hex(SHA256.digest(of: [UInt8]("abc".utf8).span))
                == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        #expect(
            hex(SHA256.digest(of: [UInt8]().span)) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        )
    }

    @Test func hmacOfTheExamplesOfRFC4231() {
        let short = SHA256.authenticationCode(
            of: Array("what do ya want for nothing?".utf8).span, key: Array("Jefe".utf8).span)
        #expect(hex(short) == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
        let long = SHA256.authenticationCode(
            of: Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8).span,
            key: [UInt8](repeating: 0xaa, count: 131).span)
        #expect(hex(long) == "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54")
        let empty = SHA256.authenticationCode(of: [UInt8]().span, key: [UInt8]().span)
        #expect(hex(empty) == "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad")
    }

    @Test func equalComparesContentAndLength() {
        #expect(equal([1, 2, 3], [1, 2, 3]))
        #expect(!equal([1, 2, 3], [1, 2, 4]))
        #expect(!equal([1, 2, 3], [0, 2, 3]))
        #expect(!equal([1, 2, 3], [1, 2]))
        #expect(equal([], []))
    }

    @Test func randomBytesAreAsManyAsAskedAndNeverTheSame() {
        #expect(Random.bytes(0).isEmpty)
        #expect(Random.bytes(33).count == 33)
        #expect(Random.bytes(16) != Random.bytes(16))
    }

    // #expect takes no Span apart.
    private func equal(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        ConstantTime.equal(left.span, right.span)
    }

    private func hex(_ bytes: [UInt8]) -> String {
        let digits = Array("0123456789abcdef")
        return String(bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
    }
}
