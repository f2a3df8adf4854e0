package import BenchResults

/// Every latency of one subject, in microseconds. All of them are kept, so a quantile is exact.
package struct Latencies: Sendable {
    package private(set) var microseconds: [Double] = []

    package init(_ microseconds: [Double] = []) { self.microseconds = microseconds }

    package var count: Int { microseconds.count }

    package mutating func add(microseconds value: Double) { microseconds.append(value) }

    package mutating func add(nanoseconds value: Int64) { microseconds.append(Double(value) / 1000) }

    package mutating func add(_ others: Latencies) { microseconds += others.microseconds }

    /// The smallest value that this part of all values does not exceed (the nearest rank); NaN for none.
    package func quantile(_ quantile: Double) -> Double { Self.quantile(quantile, ofSorted: microseconds.sorted()) }

    package var median: Double { quantile(0.5) }

    package var p99: Double { quantile(0.99) }

    package static func quantile(_ quantile: Double, ofSorted sorted: [Double]) -> Double {
        guard !sorted.isEmpty else { return .nan }
        // A little less than the product, so that a rounding error of it does not ask for the next rank.
        let rank = (quantile * Double(sorted.count) - 1e-9).rounded(.up)
        return sorted[min(max(Int(rank), 1), sorted.count) - 1]
    }

    package static let curveQuantiles: [Double] = [
        0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 0.9999, 1,
    ]

    /// The quantiles for a plot. Those that fewer than two values lie beyond are left out, but for the greatest value.
    package func curve(group: String, subject: String, offeredRate: Double? = nil) -> LatencyCurve {
        let sorted = microseconds.sorted()
        let points = Self.curveQuantiles
            .filter { $0 == 1 || (1 - $0) * Double(sorted.count) >= 2 }
            .map { LatencyCurve.Point(quantile: $0, microseconds: Self.quantile($0, ofSorted: sorted)) }
        return LatencyCurve(
            group: group, subject: subject, offeredRate: offeredRate, count: UInt64(sorted.count),
            points: sorted.isEmpty ? [] : points)
    }

    /// The distribution: which part of all values is at most x, at no more than `maxPoints` values of x.
    package func distribution(group: String, subject: String, maxPoints: Int = 200) -> Series {
        let sorted = microseconds.sorted()
        let step = max(1, Double(sorted.count) / Double(max(1, maxPoints)))
        var points: [[Double]] = []
        var next = 0.0
        for (index, value) in sorted.enumerated() where Double(index) >= next || index == sorted.count - 1 {
            points.append([value, Double(index + 1) / Double(sorted.count)])
            next += step
        }
        return Series(group: group, subject: subject, xUnit: "µs", yUnit: "part", points: points)
    }
}
