import Foundation

/// An axis of a plot: where a value stands on it, and where its ticks are.
public struct Axis: Sendable, Equatable {
    /// How values become positions.
    public enum Kind: Sendable, Equatable {
        case linear
        case logarithmic
        /// Quantiles by the number of nines: 0.9, 0.99 and 0.999 are equally far apart.
        case percentile
    }

    /// How values become positions.
    public let kind: Kind
    /// What stands at the two ends.
    public let low: Double, high: Double
    /// Ascending.
    public let ticks: [Double]

    /// From 0 to 1; nil for what the axis does not show, such as zero on a logarithmic one.
    public func position(_ value: Double) -> Double? {
        let position = (along(value) - along(low)) / (along(high) - along(low))
        // Rounding may have put an end a little beyond itself.
        guard position.isFinite, position > -1e-9, position < 1 + 1e-9 else { return nil }
        return min(max(position, 0), 1)
    }

    private func along(_ value: Double) -> Double {
        switch kind {
        case .linear: value
        case .logarithmic: value > 0 ? log10(value) : .nan
        case .percentile: value < 1 ? -log10(1 - value) : .nan
        }
    }

    /// From one round number to another, about five ticks.
    public static func linear(_ values: some Sequence<Double>, fromZero: Bool = false) -> Axis {
        var values = values.filter(\.isFinite)
        if fromZero { values.append(0) }
        guard let range = values.range else { return Axis(kind: .linear, low: 0, high: 1, ticks: [0, 1]) }
        var (low, high) = (range.lowerBound, range.upperBound)
        if low == high {
            low = min(low, 0)
            high = high > 0 ? high : low + 1
        }
        let step = roundStep((high - low) / 5)
        let first = (low / step + 1e-9).rounded(.down)
        let last = (high / step - 1e-9).rounded(.up)
        // Multiples, so that no error adds up.
        let ticks = stride(from: first, through: last, by: 1).map { multiple($0, of: step) }
        return Axis(kind: .linear, low: ticks[0], high: ticks[ticks.count - 1], ticks: ticks)
    }

    /// Between numbers that are 1, 2 or 5 times a power of ten. Values that are not positive have no place on it.
    public static func logarithmic(_ values: some Sequence<Double>) -> Axis {
        let values = values.filter { $0.isFinite && $0 > 0 }
        guard let range = values.range else { return Axis(kind: .logarithmic, low: 1, high: 10, ticks: [1, 10]) }
        let exponent = Int(log10(range.lowerBound).rounded(.down)) - 1
        let last = Int(log10(range.upperBound).rounded(.up)) + 1
        let steps = (exponent...last).flatMap { power in [1, 2, 5].map { multiple($0, of: power10(power)) } }
        var low = steps.last { $0 <= range.lowerBound * (1 + 1e-9) } ?? range.lowerBound
        var high = steps.first { $0 >= range.upperBound * (1 - 1e-9) } ?? range.upperBound
        if low == high {
            low = steps.last { $0 < low } ?? low / 2
            high = steps.first { $0 > high } ?? high * 2
        }
        let within = { (value: Double) in value >= low * (1 - 1e-9) && value <= high * (1 + 1e-9) }
        let powers = (exponent...last).map(power10).filter(within)
        let decades = log10(high / low)
        // Every power of ten; every second or third of many; those between, too, when there are few.
        let ticks = decades < 2.5 ? steps.filter(within) : everyFew(powers, atMost: 6)
        return Axis(kind: .logarithmic, low: low, high: high, ticks: ticks)
    }

    /// From the median to the largest quantile below one that was measured, two nines at least.
    public static func percentile(_ quantiles: some Sequence<Double>) -> Axis {
        let measured = quantiles.filter { $0 < 0.999_999_5 }.max() ?? 0.99
        let nines = (1...6).map { 1 - power10(-$0) }
        let high = max(measured, nines[1])
        return Axis(kind: .percentile, low: 0.5, high: high, ticks: [0.5] + nines.filter { $0 <= high + 1e-9 })
    }

    /// Logarithmic when the values span one and a half decades or more and most of them would crowd in the lowest tenth
    /// of a linear axis; times of a clock, for example, span decades too, but stand evenly.
    ///
    /// - Parameter isTight: ends a linear axis at the values, and not at zero and a round number.
    public static func fitting(_ values: [Double], isTight: Bool) -> Axis {
        let positive = values.filter { $0.isFinite && $0 > 0 }.sorted()
        if let low = positive.first, let high = positive.last, high / low > 30,
            positive[positive.count / 2] <= high / 10
        {
            return logarithmic(positive)
        }
        let axis = linear(values, fromZero: !isTight)
        guard isTight, let ends = values.filter(\.isFinite).range, ends.lowerBound < ends.upperBound else {
            return axis
        }
        let ticks = axis.ticks.filter(ends.contains)
        return Axis(kind: .linear, low: ends.lowerBound, high: ends.upperBound, ticks: ticks)
    }

    private static func roundStep(_ atLeast: Double) -> Double {
        let power = Int(log10(atLeast).rounded(.down))
        let candidates = [1, 2, 2.5, 5, 10].map { multiple($0, of: power10(power)) }
        return candidates.first { $0 >= atLeast * (1 - 1e-9) } ?? candidates[candidates.count - 1]
    }

    private static func everyFew(_ ticks: [Double], atMost count: Int) -> [Double] {
        let step = max(1, (ticks.count + count - 1) / count)
        return stride(from: 0, to: ticks.count, by: step).map { ticks[$0] }
    }

    private static func power10(_ exponent: Int) -> Double {
        exponent < 0 ? 1 / pow(10, Double(-exponent)) : pow(10, Double(exponent))
    }

    /// `count` times `step`, without the error of a step such as 0.1 that is no binary fraction.
    private static func multiple(_ count: Double, of step: Double) -> Double {
        step < 1 ? count / (1 / step).rounded(toDigits: 6) : count * step
    }
}

extension Double {
    fileprivate func rounded(toDigits digits: Int) -> Double {
        guard self < 1e9 else { return self }
        let power = pow(10, Double(digits))
        return (self * power).rounded() / power
    }
}
