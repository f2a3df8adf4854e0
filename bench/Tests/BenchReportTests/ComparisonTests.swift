import BenchReport
import BenchResults
import Testing

@Suite struct ComparisonTests {
    private static func results(_ figures: [Figure], change: (inout Run) -> Void = { _ in }) -> Results {
        var run = Sample.run
        change(&run)
        var results = Results(run: run)
        results.figures = figures
        return results
    }

    private static func figure(
        _ rounds: [Double], _ better: Figure.Better = .higher, group: String = "rate", subject: String = "quash"
    ) -> Figure {
        Figure(kind: .load, group: group, subject: subject, unit: "req/s", better: better, rounds: rounds)
    }

    @Test(arguments: [
        ([10.0, 11, 12], [13.0, 14], Figure.Better.higher, Comparison.Verdict.better),
        ([10, 11, 12], [13, 14], .lower, .worse),
        ([10, 11, 12], [7, 9], .higher, .worse),
        ([10, 11, 12], [7, 9], .lower, .better),
        // Touching is overlapping, and so is lying within.
        ([10, 11, 12], [12, 14], .higher, .withinNoise),
        ([10, 11, 20], [12, 13], .higher, .withinNoise),
        ([10, 10], [10, 10], .lower, .withinNoise),
        // A single round has no range.
        ([10], [20, 21], .higher, .unknown),
        ([10, 11], [20], .higher, .unknown),
        ([], [20, 21], .higher, .unknown),
        ([], [], .higher, .unknown),
    ])
    func rangesThatDoNotOverlapDiffer(
        first: [Double], second: [Double], better: Figure.Better, verdict: Comparison.Verdict
    ) throws {
        let comparison = Comparison(
            Self.results([Self.figure(first, better)]), Self.results([Self.figure(second, better)]))
        #expect(try #require(comparison.rows.first).verdict == verdict)
    }

    @Test func theRatioIsOfTheMedians() throws {
        func ratio(_ first: [Double], _ second: [Double]) throws -> Double? {
            let comparison = Comparison(Self.results([Self.figure(first)]), Self.results([Self.figure(second)]))
            return try #require(comparison.rows.first).ratio
        }
        #expect(try ratio([1, 2, 100], [4, 3, 5]) == 2)
        #expect(try ratio([0, 0], [1, 2]) == nil)
        #expect(try ratio([], [1, 2]) == nil)
    }

    @Test func whatStandsInOneRunOnlyIsNamed() {
        let first = Self.results([Self.figure([1, 2]), Self.figure([1, 2], subject: "gone")])
        let second = Self.results([Self.figure([1, 2], subject: "new"), Self.figure([1, 2])])
        let comparison = Comparison(first, second)
        #expect(comparison.rows.map(\.second.subject) == ["quash"])
        #expect(comparison.onlyInFirst.map(\.subject) == ["gone"])
        #expect(comparison.onlyInSecond.map(\.subject) == ["new"])
        #expect(comparison.text().contains("only in A:\n  rate: gone, req/s\n"))
        #expect(comparison.text().contains("only in B:\n  rate: new, req/s\n"))
    }

    @Test func whatStandsTwiceIsComparedInOrder() {
        let first = Self.results([Self.figure([1, 2]), Self.figure([10, 20])])
        let second = Self.results([Self.figure([3, 4]), Self.figure([10, 30]), Self.figure([9, 9])])
        let comparison = Comparison(first, second)
        #expect(comparison.rows.map(\.verdict) == [.better, .withinNoise])
        #expect(comparison.onlyInSecond.map(\.rounds) == [[9, 9]])
    }

    @Test func differentMachinesAreWarnedOf() {
        let figures = [Self.figure([1, 2])]
        #expect(Comparison(Self.results(figures), Self.results(figures)).warnings.isEmpty)
        let other = Self.results(figures) {
            $0.processor = "another"
            $0.isQuick = true
        }
        let text = Comparison(Self.results(figures), other).text()
        #expect(text.contains("warning: processors differ: AMD EPYC 7B13, another\n"))
        #expect(text.contains("warning: a quick run's rounds are few and short\n"))
    }

    @Test func theTableIsAligned() {
        let comparison = Comparison(
            Self.results([Self.figure([100, 110]), Self.figure([5, 6], group: "cost of one")]),
            Self.results([Self.figure([210, 200]), Self.figure([5, 6], group: "cost of one")]))
        #expect(
            comparison.text() == """
                figure       subject  unit      A  A's rounds     B  B's rounds    B/A  verdict
                rate         quash    req/s   105     100–110   205     200–210  1.952  better
                cost of one  quash    req/s  5.50   5.00–6.00  5.50   5.00–6.00  1.000  within noise

                1 better, 1 within noise

                """)
    }

    @Test func nothingInCommonIsSaid() {
        let comparison = Comparison(Self.results([]), Self.results([]))
        #expect(comparison.text().contains("no figure stands in both"))
    }
}
