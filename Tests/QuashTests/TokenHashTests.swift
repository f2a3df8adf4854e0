import Testing

@testable import Quash

@Suite struct TokenHashTests {
    private static let secret = (1...1026).map { 0x9E37_79B9_7F4A_7C15 &* UInt64($0) }

    /// As the formula says, worked out with whole numbers of any size in another language.
    @Test(arguments: [
        (0, "00000000000000000000000000000000", "00000000000000000000000000000000"),
        (1, "255992d382208bbcbe885a459c90b372", "673b8a0f0f99561877321da1ab6434ac"),
        (8, "2702074478fb68bd47863bfe9fdcdd72", "6a8c72f0fd4f1019892de113b1fc88ac"),
        (15, "270b190d4cca381987fd29d82c78831a", "6a98d5df9b932eda18fb91ebef9d69a4"),
        (16, "30b9b37a676cb36dc2fd29d82c78831a", "77d1f090732064b8c9fb91ebef9d69a4"),
        (17, "97f53d897706098dc80db5d9aa7bbd06", "882afbea1fcbdb5948c6818fd8067532"),
        (63, "7ae9e4972edc143f1a53771dfaac7ce4", "d201c8788292d8de656aac7bfe2a893c"),
        (600, "f82855de0f10b1d4879667d261832394", "28cba0025ddf11ff2a65f9d420290fb6"),
        (8192, "49845c0a99167181e22dd49f938fbff4", "aa1be22f5a6903fb6cc5b456e2f2f32c"),
    ])
    func itIsNHWithTheSecretShiftedForTheSecondSum(count: Int, first: String, second: String) throws {
        let bytes = (0..<count).map { UInt8($0 % 251) }
        let value = TokenHash(secret: Self.secret).hash(bytes.span)
        #expect(value.first == UInt128(first, radix: 16))
        #expect(value.second == UInt128(second, radix: 16))
        #expect(value.count == count)
    }

    @Test func everyByteAndTheLengthCount() {
        let hash = TokenHash.random(maxBytes: 67)
        #expect(hash.maxBytes == 80)
        let bytes = [UInt8](repeating: 0, count: 67)
        var seen: Set<TokenHash.Value> = [hash.hash(bytes.span)]
        for index in bytes.indices {
            var other = bytes
            other[index] ^= 1
            seen.insert(hash.hash(other.span))
            seen.insert(hash.hash(bytes.span.extracting(0..<index)))
        }
        #expect(seen.count == 1 + 2 * bytes.count)
        #expect(
            TokenHash.random(maxBytes: 67).hash(bytes.span) != hash.hash(bytes.span), "each has a secret of its own")
    }

    /// Words that change places, and differences that cancel in a plain sum, give another hash.
    @Test func wordsDoNotChangePlaces() {
        let hash = TokenHash.random(maxBytes: 64)
        let bytes = (0..<64).map { UInt8($0) }
        var seen: Set<TokenHash.Value> = []
        for left in 0..<8 {
            for right in left + 1..<8 {
                var other = bytes
                for byte in 0..<8 { other.swapAt(8 * left + byte, 8 * right + byte) }
                seen.insert(hash.hash(other.span))
            }
        }
        #expect(seen.count == 28 && !seen.contains(hash.hash(bytes.span)))
    }
}
