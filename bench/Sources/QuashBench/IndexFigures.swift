import BenchResults
import Quash

/// The index alone: look-ups that hit and that miss, its memory, and how long filling it takes.
struct IndexFigures {
    let count: Int
    let rounds: Int

    func measure(into results: inout Results) throws {
        let index = RevocationIndex()
        var writer = index.makeWriter(maxRevocations: count, clockSkew: .zero)
        let revoked = Self.keys(count)
        var filling = Measurement()
        try filling.once(operations: count) {
            for start in stride(from: 0, to: count, by: 10_000) {
                let part = revoked[start..<min(start + 10_000, count)]
                try writer.apply(part.map { Revocation(key: $0, expiresAtSeconds: .max) })
            }
        }
        var (hit, miss) = (Measurement(), Measurement())
        let absent = Self.keys(1_000_000)
        let hits = revoked.shuffled().prefix(1_000_000)
        let reader = RevocationIndex.Reader(index)
        for _ in 0..<rounds {
            hit.round(seconds: 0.3) { Self.lookUp(hits, reader, areRevoked: true) }
            miss.round(seconds: 0.3) { Self.lookUp(absent[...], reader, areRevoked: false) }
        }
        let millions = "\(count / 1_000_000) million revocations"
        results.figures += [
            Figure(
                kind: .micro, group: "one look-up among \(millions)", subject: "quash, one that is revoked",
                unit: "ns", better: .lower, rounds: hit.nanoseconds),
            Figure(
                kind: .micro, group: "one look-up among \(millions)", subject: "quash, one that is not", unit: "ns",
                better: .lower, rounds: miss.nanoseconds),
            Figure(
                kind: .micro, group: "applying \(millions)", subject: "quash, each", unit: "ns", better: .lower,
                rounds: filling.nanoseconds),
            Figure(
                kind: .micro, group: "memory of \(millions)", subject: "quash, each", unit: "B", better: .lower,
                rounds: [Double(index.bytes) / Double(count)]),
        ]
    }

    private static func keys(_ count: Int) -> [RevocationKey] {
        var generator = SystemRandomNumberGenerator()
        return (0..<count).map { _ in
            let (high, low) = (UInt64.random(in: .min ... .max, using: &generator), generator.next())
            let bytes = (0..<15).map { UInt8(truncatingIfNeeded: ($0 < 8 ? high : low) >> UInt64(8 * ($0 % 8))) }
            return RevocationKey(kind: .token, identifier: bytes)
        }
    }

    /// - Returns: how many look-ups it made.
    private static func lookUp(
        _ keys: ArraySlice<RevocationKey>, _ reader: RevocationIndex.Reader, areRevoked: Bool
    ) -> Int {
        let issued = WallInstant(seconds: 1_700_000_000)
        var found = 0
        for key in keys where reader.revokes(key, issuedAt: issued) { found += 1 }
        precondition(found == (areRevoked ? keys.count : 0), "\(found) of \(keys.count) found")
        return keys.count
    }
}
