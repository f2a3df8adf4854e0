import TestSupport

@testable import Quash

extension ClockReading {
    /// Both clocks `milliseconds` after the start of a test.
    static func at(_ milliseconds: Int64, wallStep: Int64 = 0) -> ClockReading {
        ClockReading(
            boot: BootInstant(nanoseconds: milliseconds * 1_000_000),
            wallNanoseconds: (1_800_000_000_000 + milliseconds + wallStep) * 1_000_000)
    }
}

extension Epoch {
    static let first: Epoch = Epoch("00000000000000aa")!
    static let second: Epoch = Epoch("00000000000000bb")!
    static let third: Epoch = Epoch("00000000000000cc")!
}

extension Revocation {
    /// A revocation of one token; equal numbers give equal ones.
    static func token(_ number: UInt64, expiresAtSeconds: UInt32 = 1_800_000_900) -> Revocation {
        var generator = SeededGenerator(number)
        let identifier = (0..<15).map { _ in UInt8.random(in: 0...255, using: &generator) }
        return Revocation(
            key: RevocationKey(kind: .token, identifier: identifier), expiresAtSeconds: expiresAtSeconds)
    }

    /// Any revocation, out of a small space so that keys meet again with other expiries and bounds.
    static func random(using generator: inout SeededGenerator) -> Revocation {
        let kind = RevocationKind.allCases.randomElement(using: &generator)!
        let identifier = [UInt8](repeating: .random(in: 0...7, using: &generator), count: 15)
        let bound = Bool.random(using: &generator) ? Int64.random(in: 0...9, using: &generator) : nil
        return Revocation(
            key: RevocationKey(kind: kind, identifier: identifier),
            issuedBefore: bound.map(WallInstant.init(milliseconds:)),
            by: Bool.random(using: &generator) ? .ours : .provider,
            expiresAtSeconds: .random(in: 1_800_000_000...1_800_000_900, using: &generator))
    }
}
