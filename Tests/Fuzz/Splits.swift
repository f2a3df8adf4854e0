/// Ways to cut an input into pieces: one by one, and a few that follow from the bytes themselves, so that a kept input
/// is cut in the same places again, and every change that a fuzzer makes cuts elsewhere too.
struct Splits {
    private static let maxSingleBytes = 2048

    private let bytes: [UInt8]

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// Feeds the whole to `trace`, then every way of cutting it, and demands the same outcome of each.
    func requireSame<Trace: Equatable>(_ trace: ([ArraySlice<UInt8>]) -> Trace) throws(BrokenProperty) {
        let whole = trace([bytes[...]])
        for pieces in all {
            let split = trace(pieces)
            try require(split == whole, "cut into \(pieces.map(\.count)): \(split); whole: \(whole)")
        }
    }

    private var all: [[ArraySlice<UInt8>]] {
        var splits: [[ArraySlice<UInt8>]] = []
        if bytes.count <= Self.maxSingleBytes { splits.append(bytes.indices.map { bytes[$0...$0] }) }
        var seed = hash
        for count in 1...3 {
            var cuts: [Int] = []
            for _ in 0..<count {
                seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                cuts.append(Int(seed >> 33) % (bytes.count + 1))
            }
            let borders = [0] + cuts.sorted() + [bytes.count]
            splits.append(zip(borders, borders.dropFirst()).map { bytes[$0..<$1] })
        }
        return splits
    }

    /// FNV-1a.
    private var hash: UInt64 {
        bytes.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
    }
}
