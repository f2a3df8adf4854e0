import TestSupport
import Testing

@testable import Quash

/// What issuers write into the feed and read from it: more than validators need, and nothing that is not theirs.
@Suite struct FeedEntryTests {
    private let seal = FeedSeal(current: Array("a secret of the issuers".utf8))
    private let end = SessionEnd(
        session: RevocationKey(kind: .session, identifier: [UInt8](repeating: 7, count: 15)),
        untilSeconds: 1_800_600_000)

    private func bytes(_ seal: FeedSeal?, end: SessionEnd?, layout: FeedLayout = .second) -> [UInt8] {
        var bytes: [UInt8] = []
        let encoder = FeedEncoder(layout: layout, seal: seal)
        encoder.encode(.token(1), end: nil, into: &bytes)
        encoder.encode(Revocation(key: self.end.session, expiresAtSeconds: 1_800_000_000), end: end, into: &bytes)
        let bounded = Revocation(
            key: .subject("alice"), issuedBefore: WallInstant(milliseconds: 5), expiresAtSeconds: 1_800_000_000)
        encoder.encode(bounded, end: nil, into: &bytes)
        return bytes
    }

    @Test func entriesAreAsLongAsIsDocumented() {
        #expect(bytes(seal, end: end, layout: .first).count == 20 + 20 + 26)
        #expect(bytes(nil, end: end).count == 20 + 24 + 26)
        #expect(bytes(seal, end: end).count == 28 + 32 + 34)
    }

    /// A validator reads the revocations of any layout, and nothing else.
    @Test func validatorsSkipWhatIssuersAdd() throws {
        let plain = try RevocationCodec.decode(bytes(nil, end: nil, layout: .first))
        #expect(plain.count == 3)
        #expect(try RevocationCodec.decode(bytes(nil, end: end)) == plain)
        #expect(try RevocationCodec.decode(bytes(seal, end: end)) == plain)
    }

    @Test func issuersReadTheEndAndTheSeal() throws {
        let entries = try FeedEntry.decode(bytes(seal, end: end), seal: seal)
        #expect(entries.map(\.isGenuine) == [true, true, true])
        #expect(entries.map(\.end) == [nil, end, nil])
        // Without a secret everything is believed.
        #expect(try FeedEntry.decode(bytes(nil, end: end), seal: nil).map(\.isGenuine) == [true, true, true])
        #expect(try FeedEntry.decode(bytes(seal, end: end), seal: nil).map(\.end) == [nil, end, nil])
    }

    /// With a secret, nothing is believed that does not carry its seal: not another's, not one of other bytes.
    @Test func S2_nobodyElseMakesASeal() throws {
        let other = FeedSeal(current: Array("another secret".utf8))
        for forged in [bytes(nil, end: end), bytes(nil, end: end, layout: .first), bytes(other, end: end)] {
            #expect(try FeedEntry.decode(forged, seal: seal).allSatisfy { !$0.isGenuine })
        }
        let genuine = bytes(seal, end: end)
        for position in genuine.indices {
            var damaged = genuine
            damaged[position] ^= 1
            // One bit of the first byte makes another entry of it, or none.
            guard let entries = try? FeedEntry.decode(damaged, seal: seal) else { continue }
            let place = position < 28 ? 0 : position < 60 ? 1 : 2
            if entries.indices.contains(place) { #expect(!entries[place].isGenuine, "byte \(position)") }
        }
    }

    @Test func thePreviousSecretIsRecognisedUntilItIsTakenOut() throws {
        let old = bytes(seal, end: end)
        let rotated = FeedSeal(current: Array("the next secret".utf8), previous: Array("a secret of the issuers".utf8))
        #expect(try FeedEntry.decode(old, seal: rotated).allSatisfy(\.isGenuine))
        #expect(try FeedEntry.decode(bytes(rotated, end: end), seal: rotated).allSatisfy(\.isGenuine))
        #expect(try FeedEntry.decode(bytes(rotated, end: end), seal: seal).allSatisfy { !$0.isGenuine })
    }

    @Test func everyCutReadsAsAPrefix() throws {
        let whole = bytes(seal, end: end)
        let boundaries = [0, 28, 60, 94]
        for cut in 0...whole.count {
            let count = boundaries.lastIndex { $0 <= cut }!
            let prefix = Array(whole[..<cut])
            #expect(try FeedEntry.decode(prefix, seal: seal).count == count)
            let (revocations, remainder) = try RevocationCodec.decodePrefix(prefix)
            #expect(revocations.count == count)
            #expect(remainder == cut - boundaries[count])
        }
    }
}
