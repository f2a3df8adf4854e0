import Foundation

/// What one run of the benchmarks found. Each program writes its part; `merge` makes one of several.
public struct Results: Codable, Sendable {
    /// Raised when the meaning of a member changes.
    public static let currentFormat = 1

    public var format = Results.currentFormat
    public var run: Run
    public var figures: [Figure] = []
    public var curves: [LatencyCurve] = []
    public var series: [Series] = []
    public var goals: [Goal] = []
    public var absent: [Absent] = []
    public var checks: [Check] = []

    public init(run: Run) { self.run = run }

    /// Adds what another program found in the same run.
    public mutating func merge(_ other: Results) {
        figures += other.figures
        curves += other.curves
        series += other.series
        goals += other.goals
        absent += other.absent
        checks += other.checks
        run.versions.merge(other.run.versions) { first, _ in first }
    }

    public init(readingFrom path: String) throws {
        let data = try Data(contentsOf: URL(fileURLWithPath: path))
        // First the format, because the members of another one are others.
        let format = try JSONDecoder().decode(Format.self, from: data).format
        guard format == Self.currentFormat else {
            throw ResultsError("\(path) has format \(format), not \(Self.currentFormat)")
        }
        self = try JSONDecoder().decode(Results.self, from: data)
    }

    private struct Format: Decodable {
        let format: Int
    }

    /// Members in a fixed order, so that two results can be compared line by line.
    public func write(to path: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        try encoder.encode(self).write(to: URL(fileURLWithPath: path), options: .atomic)
    }
}

public struct ResultsError: Error, CustomStringConvertible {
    public let description: String
    public init(_ description: String) { self.description = description }
}

/// The circumstances of a run.
public struct Run: Codable, Sendable {
    /// RFC 3339, UTC.
    public var date: String
    /// Of Quash; with `+` behind it when the work tree differs.
    public var commit: String
    /// A run of a few minutes, with fewer and shorter rounds.
    public var isQuick: Bool
    public var processor: String
    public var cores: Int
    public var memoryBytes: UInt64
    public var kernel: String
    /// Of each program that took part, by its name.
    public var versions: [String: String] = [:]

    public init(
        date: String, commit: String, isQuick: Bool, processor: String, cores: Int, memoryBytes: UInt64, kernel: String
    ) {
        self.date = date
        self.commit = commit
        self.isQuick = isQuick
        self.processor = processor
        self.cores = cores
        self.memoryBytes = memoryBytes
        self.kernel = kernel
    }
}

/// One quantity of one subject, measured in rounds that alternate with those of the other subjects of its group.
public struct Figure: Codable, Sendable {
    public enum Kind: String, Codable, Sendable, CaseIterable { case micro, load, fleet }
    public enum Better: String, Codable, Sendable { case higher, lower }

    public var kind: Kind
    /// What is compared, for example `warm requests per second`. The subjects of a group stand in one plot.
    public var group: String
    /// Who was measured, for example `quash` or `nginx return 204`.
    public var subject: String
    /// For example `req/s`, `ns`, `µs CPU/req`, `B`, `instructions`.
    public var unit: String
    public var better: Better
    /// One value a round.
    public var rounds: [Double]

    public init(kind: Kind, group: String, subject: String, unit: String, better: Better, rounds: [Double]) {
        self.kind = kind
        self.group = group
        self.subject = subject
        self.unit = unit
        self.better = better
        self.rounds = rounds
    }

    public var median: Double { rounds.median }
}

/// Latencies of one subject by quantile, in microseconds, corrected for coordinated omission where the load was open.
public struct LatencyCurve: Codable, Sendable {
    public struct Point: Codable, Sendable {
        /// 0 to 1.
        public var quantile: Double
        public var microseconds: Double
        public init(quantile: Double, microseconds: Double) {
            self.quantile = quantile
            self.microseconds = microseconds
        }
    }

    public var group: String
    public var subject: String
    /// Requests or messages that were offered in a second; nil for a closed load.
    public var offeredRate: Double?
    public var count: UInt64
    public var points: [Point]

    public init(group: String, subject: String, offeredRate: Double?, count: UInt64, points: [Point]) {
        self.group = group
        self.subject = subject
        self.offeredRate = offeredRate
        self.count = count
        self.points = points
    }
}

/// A line: memory by entries, a distribution, a throughput by loops.
public struct Series: Codable, Sendable {
    public var group: String
    public var subject: String
    public var xUnit: String
    public var yUnit: String
    /// Pairs of x and y, by ascending x.
    public var points: [[Double]]

    public init(group: String, subject: String, xUnit: String, yUnit: String, points: [[Double]]) {
        self.group = group
        self.subject = subject
        self.xUnit = xUnit
        self.yUnit = yUnit
        self.points = points
    }
}

/// A ratio, or a quantity, that was to be reached.
public struct Goal: Codable, Sendable {
    public enum Relation: String, Codable, Sendable { case atLeast = "≥", atMost = "≤" }

    public var what: String
    public var against: String
    public var relation: Relation
    public var limit: Double
    /// Empty for a ratio.
    public var unit: String
    /// One value a round; empty when it could not be measured here.
    public var rounds: [Double]
    /// Why it was missed or not measured; empty otherwise.
    public var note: String

    public init(
        what: String, against: String, relation: Relation, limit: Double, unit: String = "", rounds: [Double],
        note: String = ""
    ) {
        self.what = what
        self.against = against
        self.relation = relation
        self.limit = limit
        self.unit = unit
        self.rounds = rounds
        self.note = note
    }

    public var isReached: Bool? {
        guard !rounds.isEmpty else { return nil }
        return relation == .atLeast ? rounds.median >= limit : rounds.median <= limit
    }
}

/// A peer that could not be measured on this machine.
public struct Absent: Codable, Sendable {
    public var subject: String
    public var reason: String
    public init(subject: String, reason: String) {
        self.subject = subject
        self.reason = reason
    }
}

/// Answers were counted on both sides, and each was looked at.
public struct Check: Codable, Sendable {
    public var what: String
    public var count: UInt64
    /// Wrong accepts and wrong refusals, and differences between the two counts.
    public var failures: UInt64
    public init(what: String, count: UInt64, failures: UInt64) {
        self.what = what
        self.count = count
        self.failures = failures
    }
}

extension [Double] {
    /// NaN for none.
    public var median: Double {
        guard !isEmpty else { return .nan }
        let sorted = sorted()
        let middle = sorted.count / 2
        return sorted.count.isMultiple(of: 2) ? (sorted[middle - 1] + sorted[middle]) / 2 : sorted[middle]
    }
}
