import Testing

@testable import Quash

@Suite struct SipHashTests {
    /// The key of the reference vectors, 00 to 0f.
    private static let key: (UInt64, UInt64) = (0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908)

    /// As OpenSSL's SIPHASH with 16 bytes of output says; the first two are of the reference implementation too.
    @Test(arguments: [
        (0, "A3817F04BA25A8E66DF67214C7550293"), (1, "DA87C1D86B99AF44347659119B22FC45"),
        (7, "A1F1EBBED8DBC153C0B84AA61FF08239"), (8, "3B62A9BA6258F5610F83E264F31497B4"),
        (9, "264499060AD9BAABC47F8B02BB6D71ED"), (63, "5150D1772F50834A503E069A973FBD7C"),
        (600, "61A282173D104EBF3CF2F7969DF48D46"),
    ])
    func itIsSipHash24(count: Int, expected: String) {
        let bytes = (0..<count).map { UInt8($0 % 251) }
        let value = SipHash(key: Self.key).hash(bytes.span)
        let text = [value.low, value.high].map { word in
            (0..<8).map { hexadecimal(UInt8(truncatingIfNeeded: word >> UInt64(8 * $0))) }.joined()
        }
        #expect(text.joined() == expected)
    }

    private func hexadecimal(_ byte: UInt8) -> String {
        (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
    }

    @Test func everyByteAndTheLengthCount() {
        let hash = SipHash.random()
        let bytes = [UInt8](repeating: 7, count: 67)
        var seen: Set<SipHash.Value> = [hash.hash(bytes.span)]
        for index in bytes.indices {
            var other = bytes
            other[index] ^= 1
            seen.insert(hash.hash(other.span))
            seen.insert(hash.hash(bytes.span.extracting(0..<index)))
        }
        #expect(seen.count == 1 + 2 * bytes.count)
        #expect(SipHash.random().hash(bytes.span) != hash.hash(bytes.span), "each has a key of its own")
    }
}
