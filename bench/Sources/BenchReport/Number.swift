import Foundation

/// Numbers as a reader wants them, in no locale.
public enum Number {
    /// Three digits that count, four of a thousand or more, with commas: `0.0421`, `7.60`, `412`, `135,500`. A dash for
    /// what is not finite.
    public static func text(_ value: Double) -> String {
        guard value.isFinite else { return "–" }
        guard value != 0 else { return "0" }
        guard (1e-6..<1e15).contains(abs(value)) else { return "\(value)" }
        // Rounding can add a digit: 9.996 is 10.0, and not 10.00.
        let once = rounded(value, decimals: decimals(value))
        let count = decimals(once)
        return fixed(rounded(once, decimals: count), decimals: max(0, count))
    }

    /// The same without zeros at the end of a fraction, for limits and ticks: `0.95`, `4`.
    public static func short(_ value: Double) -> String { withoutTrailingZeros(text(value)) }

    /// With so many digits behind the point, and commas.
    public static func fixed(_ value: Double, decimals: Int) -> String {
        let power = pow(10, Double(decimals))
        guard abs(value) * power < 9e15 else { return "\(value)" }
        let scaled = UInt64((abs(value) * power).rounded())
        let sign = value < 0 && scaled > 0 ? "-" : ""
        let digits = String(scaled)
        let padded = String(repeating: "0", count: max(0, decimals + 1 - digits.count)) + digits
        let fraction = decimals > 0 ? "." + padded.suffix(decimals) : ""
        return sign + grouped(String(padded.dropLast(decimals))) + fraction
    }

    /// All digits of a count, with commas.
    public static func count(_ value: UInt64) -> String { grouped(String(value)) }

    /// A position in a picture: two decimals at most, no commas.
    static func coordinate(_ value: Double) -> String {
        withoutTrailingZeros(fixed(value, decimals: 2).filter { $0 != "," })
    }

    static func withoutTrailingZeros(_ text: String) -> String {
        guard text.contains("."), !text.contains("e") else { return text }
        var text = text
        while text.hasSuffix("0") { text.removeLast() }
        if text.hasSuffix(".") { text.removeLast() }
        return text
    }

    /// Negative when digits before the point do not count.
    private static func decimals(_ value: Double) -> Int {
        (abs(value) >= 1000 ? 3 : 2) - Int(log10(abs(value)).rounded(.down))
    }

    private static func rounded(_ value: Double, decimals: Int) -> Double {
        // A power of ten of a whole number is exact, its inverse is not.
        let power = pow(10, Double(abs(decimals)))
        return decimals < 0 ? (value / power).rounded() * power : (value * power).rounded() / power
    }

    private static func grouped(_ digits: String) -> String {
        var result = ""
        for (index, digit) in digits.enumerated() {
            if index > 0, (digits.count - index).isMultiple(of: 3) { result.append(",") }
            result.append(digit)
        }
        return result
    }
}

/// A unit, scaled so that the largest of the values that stand together is short: `12.0 ms` and not `12,000 µs`.
public struct Unit: Sendable, Equatable {
    /// For example `ms`; empty for a ratio.
    public let name: String
    /// How many of the unit that was measured make one of this.
    public let factor: Double

    private static let ladders = [["ns", "µs", "ms", "s"], ["B", "kB", "MB", "GB"]]

    /// - Parameter largest: of the values that are shown in it, in `unit`.
    public init(_ unit: String, largest: Double) {
        // There are two letters that look like µ.
        let unit = unit.replacing("\u{3bc}s", with: "\u{b5}s")
        guard let ladder = Self.ladders.first(where: { $0.contains(unit) }), var rung = ladder.firstIndex(of: unit),
            largest.isFinite, largest > 0
        else {
            name = unit
            factor = 1
            return
        }
        var factor = 1.0
        while largest / factor >= 10_000, rung + 1 < ladder.count {
            rung += 1
            factor *= 1000
        }
        while largest / factor < 0.1, rung > 0 {
            rung -= 1
            factor /= 1000
        }
        name = ladder[rung]
        self.factor = factor
    }

    /// For the given values.
    public init(_ unit: String, values: some Sequence<Double>) {
        self.init(unit, largest: values.lazy.filter(\.isFinite).map(abs).max() ?? 0)
    }

    /// Without the unit.
    public func number(_ value: Double) -> String { Number.text(value / factor) }

    /// With the unit; `×` stands for that of a ratio.
    public func text(_ value: Double) -> String { withName(number(value)) }

    /// The same without zeros at the end.
    public func short(_ value: Double) -> String { withName(Number.short(value / factor)) }

    /// The smallest and the largest, with the unit; a dash for none.
    public func spread(_ rounds: [Double]) -> String { rounds.isEmpty ? "–" : withName(bareSpread(rounds)) }

    /// The smallest and the largest without the unit.
    func bareSpread(_ rounds: [Double]) -> String {
        guard let range = rounds.range else { return "–" }
        let (low, high) = (number(range.lowerBound), number(range.upperBound))
        return low == high ? low : "\(low) – \(high)"
    }

    private func withName(_ number: String) -> String { number + "\u{a0}" + (name.isEmpty ? "×" : name) }
}

extension [Double] {
    /// From the smallest to the largest; nil for none.
    var range: ClosedRange<Double>? {
        guard let low = self.min(), let high = self.max() else { return nil }
        return low...high
    }
}
