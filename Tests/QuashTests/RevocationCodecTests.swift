import TestSupport
import Testing

@testable import Quash

@Suite struct RevocationCodecTests {
    @Test func everyRevocationComesBackAsItWas() throws {
        var generator = SeededGenerator(1)
        let revocations = (0..<1000).map { _ in Revocation.random(using: &generator) }
        #expect(try RevocationCodec.decode(RevocationCodec.encode(revocations)) == revocations)
    }

    @Test func bytesAreAsDocumented() {
        let identifier = (1...15).map(UInt8.init)
        let plain = Revocation(
            key: RevocationKey(kind: .session, identifier: identifier), expiresAtSeconds: 0x0102_0304)
        #expect(RevocationCodec.encode([plain]) == [2] + identifier + [1, 2, 3, 4])
        let bounded = Revocation(
            key: RevocationKey(kind: .everything, identifier: identifier),
            issuedBefore: WallInstant(milliseconds: 0x0102_0304_0506), expiresAtSeconds: 7)
        #expect(RevocationCodec.encode([bounded]) == [0x86] + identifier + [0, 0, 0, 7, 1, 2, 3, 4, 5, 6])
        let theirs = Revocation(
            key: bounded.key, issuedBefore: bounded.issuedBefore, by: .provider, expiresAtSeconds: 7)
        #expect(RevocationCodec.encode([theirs]) == [0x86] + identifier + [0, 0, 0, 7, 0x81, 2, 3, 4, 5, 6])
    }

    /// A bound that does not fit must not be read as one by another clock, nor as an earlier one.
    @Test func aBoundThatDoesNotFitIsTheLatestThatDoes() throws {
        for clock in [BoundClock.ours, .provider] {
            let revocation = Revocation(
                key: .everything, issuedBefore: WallInstant(milliseconds: 1 << 47), by: clock, expiresAtSeconds: 7)
            let read = try #require(try RevocationCodec.decode(RevocationCodec.encode([revocation])).first)
            #expect(read.issuedBefore == WallInstant(milliseconds: (1 << 47) - 1) && read.boundClock == clock)
        }
    }

    @Test func keyGivesItsIdentifierBack() {
        for kind in RevocationKind.allCases {
            let identifier = (0..<15).map { UInt8($0 * 17) }
            let key = RevocationKey(kind: kind, identifier: identifier)
            #expect(key.kind == kind)
            #expect(key.identifier == identifier)
        }
    }

    @Test func everyCutIsRefusedAndReadsAsAPrefix() throws {
        var generator = SeededGenerator(2)
        let revocations = (0..<4).map { _ in Revocation.random(using: &generator) }
        let bytes = RevocationCodec.encode(revocations)
        var boundaries = [0]
        for revocation in revocations {
            boundaries.append(boundaries.last! + RevocationCodec.encode([revocation]).count)
        }
        for cut in 0...bytes.count {
            let whole = boundaries.lastIndex { $0 <= cut }!
            let prefix = try RevocationCodec.decodePrefix(Array(bytes[..<cut]))
            #expect(prefix.revocations == Array(revocations[..<whole]))
            #expect(prefix.remainingBytes == cut - boundaries[whole])
            if boundaries.contains(cut) {
                #expect(try RevocationCodec.decode(Array(bytes[..<cut])).count == whole)
            } else {
                #expect(throws: RevocationCodecError.truncated) { try RevocationCodec.decode(Array(bytes[..<cut])) }
            }
        }
    }

    @Test(arguments: [0, 7, 127, 0x80, 0x87, 0xFF] as [UInt8])
    func unknownKindsAreRefused(kind: UInt8) {
        #expect(throws: RevocationCodecError.unknownKind(kind)) {
            try RevocationCodec.decode([kind] + [UInt8](repeating: 1, count: 25))
        }
    }
}

@Suite struct FeedMessageTests {
    private static func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

    @Test func readsWhatTheScriptPublishes() throws {
        let message = try #require(FeedMessage(Self.bytes("00000000000000aa 12 3 1800000000000000 \u{1}  x")))
        #expect(message.position == FeedPosition(epoch: .first, sequence: 12))
        #expect(message.awaitingNodes == 3)
        #expect(message.committedMicroseconds == 1_800_000_000_000_000)
        #expect(message.record == [1, 0x20, 0x20, 0x78])
    }

    @Test(arguments: [
        "", "hello", "00000000000000aa", "00000000000000aa 12", "00000000000000aa 12 0 9", "00000000000000AA 12 0 9 x",
        "0000000000000aa 12 0 9 x", "00000000000000aa 0 0 9 x", "00000000000000aa -1 0 9 x",
        "00000000000000aa 1 -1 9 x", "00000000000000aa 18446744073709551616 0 9 x", " 00000000000000aa 1 0 9 x",
        "00000000000000aa  1 0 9 x", "00000000000000aa 1 0 -9 x", "00000000000000aa 1 0  x",
    ])
    func othersAreNoMessages(text: String) {
        #expect(FeedMessage(Self.bytes(text)) == nil)
    }

    @Test func tooLongIsNoMessage() {
        let record = [UInt8](repeating: 1, count: FeedMessage.maxBytes)
        #expect(FeedMessage(Self.bytes("00000000000000aa 1 0 9 ") + record) == nil)
    }
}
