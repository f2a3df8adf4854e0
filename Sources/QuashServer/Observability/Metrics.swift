import Synchronization

/// A number that only grows. Incrementing is one relaxed atomic addition, without a lock or an allocation.
package final class Counter: MetricCell {
    private let count = Atomic<UInt64>(0)

    /// Adds `amount`. Wraps at 2⁶⁴, which Prometheus takes for a restart.
    package func increment(by amount: UInt64 = 1) {
        count.wrappingAdd(amount, ordering: .relaxed)
    }

    /// Raises it to a total that its only writer keeps.
    package func raise(to total: UInt64) { count.store(total, ordering: .relaxed) }

    package var value: UInt64 { count.load(ordering: .relaxed) }

    package static let typeName = "counter"
    /// The sum of all cells.
    package static func samples(_ cells: [Counter]) -> [MetricSample] {
        [MetricSample(value: "\(cells.reduce(0) { $0 &+ $1.value })")]
    }
}

/// A number that is set.
package final class Gauge: MetricCell {
    private let bits = Atomic<UInt64>(0)

    /// Replaces the value.
    package func set(_ value: Double) {
        bits.store(value.bitPattern, ordering: .relaxed)
    }

    package var value: Double { Double(bitPattern: bits.load(ordering: .relaxed)) }

    package static let typeName = "gauge"
    /// The sum of all cells.
    package static func samples(_ cells: [Gauge]) -> [MetricSample] {
        [MetricSample(value: MetricSample.text(cells.reduce(0) { $0 + $1.value }))]
    }
}

/// How long things took, counted into fixed buckets. Recording is at most a look through the bounds and two relaxed
/// atomic additions.
package final class Histogram: MetricCell {
    private let bounds: [Duration]
    private let boundNanoseconds: [UInt64]
    /// One for each bound, and one for everything above the last.
    private let counts: [Counter]
    private let sumNanoseconds = Atomic<UInt64>(0)

    /// - Parameter bounds: the inclusive upper bounds of the buckets, ascending.
    init(bounds: [Duration]) {
        precondition(zip(bounds, bounds.dropFirst()).allSatisfy { $0 < $1 }, "the bounds of buckets ascend")
        self.bounds = bounds
        boundNanoseconds = bounds.map(Self.nanoseconds)
        counts = (0...bounds.count).map { _ in Counter() }
    }

    /// A negative duration, from two clocks that disagree, counts as zero.
    package func record(_ duration: Duration) { record(nanoseconds: Self.nanoseconds(duration)) }

    /// As `record(_:)`: about 10 ns.
    package func record(nanoseconds: UInt64) {
        var bucket = 0
        while bucket < boundNanoseconds.count, nanoseconds > boundNanoseconds[bucket] { bucket += 1 }
        counts[bucket].increment()
        sumNanoseconds.wrappingAdd(nanoseconds, ordering: .relaxed)
    }

    private static func nanoseconds(_ duration: Duration) -> UInt64 {
        let (seconds, attoseconds) = max(.zero, duration).components
        return UInt64(clamping: seconds) &* 1_000_000_000 &+ UInt64(clamping: attoseconds) / 1_000_000_000
    }

    package static let typeName = "histogram"

    /// Cumulative, as the exposition format wants them. The count is the last bucket, so the two always agree.
    package static func samples(_ cells: [Histogram]) -> [MetricSample] {
        guard let bounds = cells.first?.bounds else { return [] }
        var total: UInt64 = 0
        var samples: [MetricSample] = []
        for bucket in 0...bounds.count {
            total &+= cells.reduce(0) { $0 &+ $1.counts[bucket].value }
            let bound = bucket < bounds.count ? MetricSample.text(bounds[bucket] / .seconds(1)) : "+Inf"
            samples.append(MetricSample(suffix: "_bucket", bound: bound, value: "\(total)"))
        }
        let sum = cells.reduce(0) { $0 &+ $1.sumNanoseconds.load(ordering: .relaxed) }
        samples.append(MetricSample(suffix: "_sum", value: MetricSample.text(Double(sum) / 1e9)))
        samples.append(MetricSample(suffix: "_count", value: "\(total)"))
        return samples
    }
}

/// Something that loops write to and a scrape reads.
package protocol MetricCell: AnyObject, Sendable {
    /// The word of the TYPE line.
    static var typeName: String { get }
    /// The samples of one series, out of all the cells that were made for it.
    static func samples(_ cells: [Self]) -> [MetricSample]
}

/// One line of the page, without the name and the labels of its family.
package struct MetricSample {
    var suffix = ""
    /// The label `le` of a bucket.
    var bound: String?
    let value: String

    init(suffix: String = "", bound: String? = nil, value: String) {
        self.suffix = suffix
        self.bound = bound
        self.value = value
    }

    /// As the exposition format spells a number.
    static func text(_ number: Double) -> String {
        if number.isNaN { return "NaN" }
        if number.isInfinite { return number < 0 ? "-Inf" : "+Inf" }
        return number == number.rounded() && number.magnitude < 1e15 ? "\(Int64(number))" : "\(number)"
    }
}
