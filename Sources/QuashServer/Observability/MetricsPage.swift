import QuashLoop

/// All series of one metric: its name, its help, and the names of its labels, which are decided here once.
///
/// Whoever counts asks for a cell when it starts and keeps it. Cells of equal labels are added up when the page is
/// read, so each loop has its own and none waits for another's cache line.
package final class MetricFamily<Cell: MetricCell>: MetricSource {
    private struct Series {
        let labels: [String]
        var cells: [Cell] = []
        var read: (@Sendable () -> Double)?
    }

    private let name: String
    private let help: String
    private let labelNames: [String]
    private let make: @Sendable () -> Cell
    private let series = Locked<[Series]>([])

    /// - Precondition: the names are as Prometheus wants them (`[a-zA-Z_][a-zA-Z0-9_]*`).
    init(_ name: String, _ help: String, labels: [String] = [], make: @escaping @Sendable () -> Cell) {
        precondition(([name] + labels).allSatisfy(isMetricName), "\(name) or a label of it is no name of a metric")
        self.name = name
        self.help = help
        labelNames = labels
        self.make = make
    }

    /// A new cell of the series with these label values, in the order of the label names.
    package func cell(_ labels: String...) -> Cell {
        precondition(labels.count == labelNames.count, "\(name) has \(labelNames.count) labels")
        let cell = make()
        series.withLock { series in
            if let index = series.firstIndex(where: { $0.labels == labels }) {
                series[index].cells.append(cell)
            } else {
                series.append(Series(labels: labels, cells: [cell]))
            }
        }
        return cell
    }

    /// A series whose value is asked for whenever the page is read. `read` is called on the thread that renders.
    package func observe(_ labels: String..., read: @escaping @Sendable () -> Double) {
        precondition(labels.count == labelNames.count, "\(name) has \(labelNames.count) labels")
        series.withLock { $0.append(Series(labels: labels, read: read)) }
    }

    /// Every cell of every series.
    fileprivate var cells: [Cell] { series.withLock { $0.flatMap(\.cells) } }

    /// Adds HELP, TYPE and a line for each sample. O(series), under no lock while it asks for values.
    package func render(to page: inout String) {
        let series = series.withLock { $0 }
        if series.isEmpty { return }
        page += "# HELP \(name) \(escaped(help, quotes: false))\n# TYPE \(name) \(Cell.typeName)\n"
        for one in series {
            let labels = zip(labelNames, one.labels).map { "\($0)=\"\(escaped($1, quotes: true))\"" }
            let samples = one.read.map { [MetricSample(value: MetricSample.text($0()))] } ?? Cell.samples(one.cells)
            for sample in samples {
                let all = (labels + (sample.bound.map { ["le=\"\($0)\""] } ?? [])).joined(separator: ",")
                page += "\(name)\(sample.suffix)\(all.isEmpty ? "" : "{\(all)}") \(sample.value)\n"
            }
        }
    }
}

extension MetricFamily<Counter> {
    /// The sum over all series.
    package var total: UInt64 { cells.reduce(0) { $0 &+ $1.value } }

    package convenience init(_ name: String, _ help: String, labels: [String] = []) {
        self.init(name, help, labels: labels) { Counter() }
    }
}

extension MetricFamily<Gauge> {
    package convenience init(_ name: String, _ help: String, labels: [String] = []) {
        self.init(name, help, labels: labels) { Gauge() }
    }
}

extension MetricFamily<Histogram> {
    package convenience init(_ name: String, _ help: String, labels: [String] = [], bounds: [Duration]) {
        self.init(name, help, labels: labels) { Histogram(bounds: bounds) }
    }
}

/// A family, whatever it counts with.
package protocol MetricSource: Sendable {
    /// Adds HELP, TYPE and every sample; nothing while the family has no series.
    func render(to page: inout String)
}

/// What `GET /metrics` answers: the Prometheus text exposition format, version 0.0.4.
package struct MetricsPage: Sendable {
    package static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    private let sources: [any MetricSource]

    package init(_ sources: [any MetricSource]) {
        self.sources = sources
    }

    /// O(series). Cells go on counting meanwhile; each number is exact for one moment of the reading.
    package func render() -> [UInt8] {
        var page = ""
        for source in sources { source.render(to: &page) }
        return Array(page.utf8)
    }
}

private func isMetricName(_ name: String) -> Bool {
    guard let first = name.utf8.first, !(0x30...0x39).contains(first) else { return false }
    return name.utf8.allSatisfy { byte in
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "_"): true
        default: false
        }
    }
}

private func escaped(_ text: String, quotes: Bool) -> String {
    var result = String.UnicodeScalarView()
    // Scalars, not characters: a line feed behind a carriage return is a part of one character.
    for scalar in text.unicodeScalars {
        switch scalar {
        case "\n": result.append(contentsOf: "\\n".unicodeScalars)
        case "\\": result.append(contentsOf: "\\\\".unicodeScalars)
        case "\"" where quotes: result.append(contentsOf: "\\\"".unicodeScalars)
        default: result.append(scalar)
        }
    }
    return String(result)
}
