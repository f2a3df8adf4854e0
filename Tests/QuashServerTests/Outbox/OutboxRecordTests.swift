import Quash
import Testing

@testable import QuashServer

/// The bytes of an outbox, cut and damaged in every way.
@Suite struct OutboxRecordTests {
    private static let records: [OutboxRecord] = [
        .epoch(ScriptCaller.first), .revocations([.token(1, expiresAtSeconds: 1_800_000_000)]),
        .revocations(
            (2..<102).map { number in
                Revocation(
                    key: .subject("\(number)"), issuedBefore: WallInstant(milliseconds: Int64(number)),
                    expiresAtSeconds: UInt32(number))
            }),
        .epoch(ScriptCaller.second), .revocations([.token(200, expiresAtSeconds: 1)]),
    ]

    private static func bytes(_ records: [OutboxRecord] = records) -> [UInt8] {
        var bytes: [UInt8] = []
        for record in records { record.encode(into: &bytes) }
        return bytes
    }

    private struct Read {
        var records: [OutboxRecord] = []
        var reader = OutboxReader()

        init(_ parts: ArraySlice<UInt8>...) {
            for part in parts {
                reader.append(part)
                while let record = reader.next(isAtEnd: false) { records.append(record) }
            }
            while let record = reader.next(isAtEnd: true) { records.append(record) }
        }
    }

    @Test func recordsAreReadAtEverySplit() {
        let bytes = Self.bytes()
        for split in 0...bytes.count {
            let read = Read(bytes[..<split], bytes[split...])
            #expect(read.records == Self.records)
            #expect(read.reader.brokenBytes == 0)
        }
    }

    /// Whatever was written last may be there in part: all before it is.
    @Test func aTornEndLosesNothingBeforeIt() {
        let bytes = Self.bytes()
        let last = Self.bytes([Self.records[4]]).count
        for end in bytes.count - last..<bytes.count {
            let read = Read(bytes[..<end])
            #expect(read.records == Array(Self.records.dropLast()))
            #expect(read.reader.brokenBytes == end - (bytes.count - last))
            #expect(read.reader.recordsAfterBroken == 0)
        }
    }

    /// A bit that flips costs the record that it is in, and no other.
    @Test func aDamagedRecordTakesNoOtherWithIt() {
        let bytes = Self.bytes()
        let lengths = Self.records.map { Self.bytes([$0]).count }
        // Every byte of the small records, and some of the large one.
        for position in bytes.indices where position < 100 || position % 13 == 0 || position > bytes.count - 100 {
            var damaged = bytes
            damaged[position] ^= 0x10
            var index = 0
            var start = 0
            while position >= start + lengths[index] {
                start += lengths[index]
                index += 1
            }
            let read = Read(damaged[...])
            var expected = Self.records
            expected.remove(at: index)
            #expect(read.records == expected, "byte \(position)")
            #expect(read.reader.brokenBytes == lengths[index])
            #expect(read.reader.recordsAfterBroken == Self.records.count - index - 1)
        }
    }

    @Test func whatIsNoRecordIsPassedOver() {
        var generator = SplitMix64(state: 1)
        for _ in 0..<200 {
            let noise = (0..<Int.random(in: 0...300, using: &generator)).map { _ in
                UInt8.random(in: 0...255, using: &generator)
            }
            let read = Read((noise + Self.bytes())[...])
            #expect(read.records == Self.records)
        }
    }
}
