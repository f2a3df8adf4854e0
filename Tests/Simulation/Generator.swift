/// SplitMix64: the same seed gives the same schedule, and the same course of it, again.
struct Generator: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }

    /// True once in `count` times.
    mutating func once(in count: UInt64) -> Bool { next() % count == 0 }

    mutating func number(_ range: ClosedRange<Int64>) -> Int64 {
        range.lowerBound + Int64(next() % UInt64(range.upperBound - range.lowerBound + 1))
    }

    mutating func index(below count: Int) -> Int { Int(next() % UInt64(count)) }

    mutating func element<Element>(of elements: [Element]) -> Element { elements[index(below: elements.count)] }
}
