import NemesisHistory
import Quash
import Testing

@Suite struct FiguresTests {
    @Test func quantilesAreTheNearestRanks() {
        let values = (1...100).reversed().map { Duration.milliseconds($0) }
        #expect(Figures.quantile(0.5, of: values) == .milliseconds(50))
        #expect(Figures.quantile(0.99, of: values) == .milliseconds(99))
        #expect(Figures.quantile(1, of: values) == .milliseconds(100))
        #expect(Figures.quantile(0.99, of: [.milliseconds(7)]) == .milliseconds(7))
        #expect(Figures.quantile(0.5, of: []) == nil)
    }

    @Test func aRowHasAsManyCellsAsTheHead() {
        var figures = Figures()
        figures.faults = 2
        figures.longestUnavailable = .milliseconds(1_234)
        figures.confirmations = [.microseconds(2_560)]
        var sum = Figures()
        sum.add(figures)
        sum.add(figures)
        let row = sum.row("all")
        #expect(row.count { $0 == "|" } == Figures.head.split(separator: "\n")[0].count { $0 == "|" })
        #expect(row.hasPrefix("| all | 4 | 0 | 1.23 s |"))
        #expect(row.contains("| 2.5 ms | 2.5 ms | 2.5 ms |"))
    }

    @Test func aSpanOf503IsMeasuredFromItsFirst() {
        var spans = UnavailableSpans()
        let start = BootInstant(nanoseconds: 0)
        #expect(spans.answered("a", isUnavailable: true, at: start) == .zero)
        #expect(spans.answered("b", isUnavailable: false, at: start) == .zero)
        #expect(spans.answered("a", isUnavailable: true, at: start + .milliseconds(300)) == .milliseconds(300))
        #expect(spans.answered("a", isUnavailable: false, at: start + .milliseconds(310)) == .zero)
        #expect(spans.answered("a", isUnavailable: true, at: start + .milliseconds(400)) == .zero)
    }
}
