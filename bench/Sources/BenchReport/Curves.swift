import BenchResults

/// Latencies by quantile, of the subjects of one group.
struct LatencyPlot {
    let id: String
    /// At least one, all of one group.
    let curves: [LatencyCurve]

    private static let tableQuantiles = [0.5, 0.9, 0.99, 0.999, 0.9999, 1]

    func plot() -> LinePlot {
        let sorted = curves.ownFirst(\.subject)
        let x = Axis.percentile(curves.flatMap { $0.points.map(\.quantile) })
        let shown = curves.flatMap(\.points).filter { x.position($0.quantile) != nil }
        let y = Axis.logarithmic(shown.map(\.microseconds))
        return LinePlot(
            id: id, title: curves[0].group.capitalised, subtitle: "µs, logarithmic · lower is better",
            xTitle: "percentile",
            x: x, y: y, xLabel: Self.percent, yLabel: Number.short,
            lines: sorted.map { curve in
                let points = curve.points.sorted { $0.quantile < $1.quantile }
                return LinePlot.Line(name: name(curve), points: points.map { ($0.quantile, $0.microseconds) })
            },
            table: table(sorted),
            tableNote: "In µs. Quantiles between those that were noted are those of the next one.")
    }

    /// A subject can stand in a group several times, at several rates.
    private func name(_ curve: LatencyCurve) -> String {
        guard curves.count(where: { $0.subject == curve.subject }) > 1, let rate = curve.offeredRate else {
            return curve.subject
        }
        return "\(curve.subject), \(Number.short(rate)) /s"
    }

    private func table(_ sorted: [LatencyCurve]) -> Table {
        let heads = Self.tableQuantiles.map { $0 == 1 ? "max" : Self.percent($0) }
        var table = Table(["Subject", "Offered /s", "Count"] + heads)
        table.rows = sorted.map { curve in
            [curve.subject, curve.offeredRate.map(Number.short) ?? "closed", Number.count(curve.count)]
                + Self.tableQuantiles.map { curve.microseconds(at: $0).map(Number.text) ?? "–" }
        }
        return table
    }

    /// For example `99.99 %`.
    static func percent(_ quantile: Double) -> String {
        Number.withoutTrailingZeros(Number.fixed(quantile * 100, decimals: 5)) + "\u{a0}%"
    }
}

extension LatencyCurve {
    /// At the first noted quantile that is not below the given one; nil when none is.
    func microseconds(at quantile: Double) -> Double? {
        points.filter { $0.quantile >= quantile - 1e-9 }.min { $0.quantile < $1.quantile }?.microseconds
    }
}

/// Lines of one group and the same units.
struct SeriesPlot {
    let id: String
    /// At least one, all of one group and the same units.
    let series: [Series]

    private static let maxTableRows = 24

    func plot() -> LinePlot {
        let sorted = series.ownFirst(\.subject)
        let x = Axis.fitting(series.flatMap { $0.pairs.map(\.x) }, isTight: true)
        let y = Axis.fitting(series.flatMap { $0.pairs.map(\.y) }, isTight: false)
        let xUnit = Unit(series[0].xUnit, largest: x.scaledBy)
        let yUnit = Unit(series[0].yUnit, largest: y.scaledBy)
        return LinePlot(
            id: id, title: series[0].group.capitalised, subtitle: Self.axisTitle(yUnit, y),
            xTitle: Self.axisTitle(xUnit, x), x: x, y: y,
            xLabel: { Self.tick($0 / xUnit.factor) }, yLabel: { Self.tick($0 / yUnit.factor) },
            lines: sorted.map { LinePlot.Line(name: $0.subject, points: $0.pairs) },
            table: table(sorted, xUnit, yUnit),
            tableNote: isThinned ? "Of each line \(Self.maxTableRows) points, evenly chosen." : "")
    }

    /// `1,000,000` is `1 M` beside an axis.
    static func tick(_ value: Double) -> String {
        if abs(value) >= 1e9 { return Number.short(value / 1e9) + "\u{a0}G" }
        if abs(value) >= 1e6 { return Number.short(value / 1e6) + "\u{a0}M" }
        if abs(value) >= 1e4 { return Number.short(value / 1e3) + "\u{a0}k" }
        return Number.short(value)
    }

    private static func axisTitle(_ unit: Unit, _ axis: Axis) -> String {
        (unit.name.isEmpty ? "ratio" : unit.name) + (axis.kind == .logarithmic ? ", logarithmic" : "")
    }

    private var isThinned: Bool { series.contains { $0.pairs.count > Self.maxTableRows } }

    /// A column for each line when they share their x, a row for each point of each line otherwise.
    private func table(_ sorted: [Series], _ xUnit: Unit, _ yUnit: Unit) -> Table {
        let xHead = xUnit.name.isEmpty ? "x" : xUnit.name
        let yHead = yUnit.name.isEmpty ? "y" : yUnit.name
        let xs = sorted[0].pairs.map(\.x)
        guard sorted.allSatisfy({ $0.pairs.map(\.x) == xs }) else {
            var table = Table(["Subject", xHead, yHead])
            table.rows = sorted.flatMap { line in
                line.pairs.thinned(to: Self.maxTableRows).map { point in
                    [line.subject, xUnit.number(point.x), yUnit.number(point.y)]
                }
            }
            return table
        }
        var table = Table([xHead] + sorted.map { "\($0.subject), \(yHead)" }, numericFrom: 0)
        table.rows = xs.indices.map { $0 }.thinned(to: Self.maxTableRows).map { index in
            [xUnit.number(xs[index])] + sorted.map { yUnit.number($0.pairs[index].y) }
        }
        return table
    }
}

extension Axis {
    /// The value whose unit is that of the axis: the largest, and the middle of a logarithmic one.
    fileprivate var scaledBy: Double {
        kind == .logarithmic ? (low * high).squareRoot() : max(abs(low), abs(high))
    }
}

extension Series {
    /// Points that are none, having one number or three, are left out.
    var pairs: [(x: Double, y: Double)] { points.filter { $0.count == 2 }.map { ($0[0], $0[1]) } }
}

extension Array {
    /// Quash before its peers.
    func ownFirst(_ subject: (Element) -> String) -> [Element] {
        filter { subject($0).isQuash } + filter { !subject($0).isQuash }
    }

    /// At most so many, evenly chosen, with the first and the last.
    func thinned(to count: Int) -> [Element] {
        guard self.count > count, count > 1 else { return self }
        return (0..<count).map { self[$0 * (self.count - 1) / (count - 1)] }
    }
}
