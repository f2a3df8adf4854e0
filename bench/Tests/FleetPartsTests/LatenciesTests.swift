import BenchResults
import FleetParts
import Testing

@Suite struct LatenciesTests {
    @Test func aQuantileIsTheNearestRank() {
        let latencies = Latencies((1...100).map(Double.init).shuffled())
        #expect(latencies.median == 50)
        #expect(latencies.p99 == 99)
        #expect(latencies.quantile(0) == 1)
        #expect(latencies.quantile(1) == 100)
        #expect(latencies.quantile(0.001) == 1)
    }

    @Test func ofNoneThereIsNoQuantile() {
        #expect(Latencies().median.isNaN)
        #expect(Latencies().curve(group: "g", subject: "s").points.isEmpty)
        #expect(Latencies().distribution(group: "g", subject: "s").points.isEmpty)
    }

    @Test func nanosecondsBecomeMicroseconds() {
        var latencies = Latencies()
        latencies.add(nanoseconds: 1500)
        #expect(latencies.microseconds == [1.5])
    }

    @Test func aCurveHasOnlyQuantilesThatSomethingLiesBeyond() {
        let curve = Latencies((1...100).map(Double.init)).curve(group: "g", subject: "s")
        #expect(curve.count == 100)
        #expect(curve.points.map(\.quantile) == [0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 1])
        #expect(curve.points.last?.microseconds == 100)
    }

    @Test func aDistributionAscendsToOneWithinItsPoints() {
        let series = Latencies((1...1000).map(Double.init).shuffled()).distribution(
            group: "g", subject: "s", maxPoints: 50)
        #expect((50...51).contains(series.points.count))
        #expect(series.points.first == [1, 0.001])
        #expect(series.points.last == [1000, 1])
        #expect(zip(series.points, series.points.dropFirst()).allSatisfy { $0[0] < $1[0] && $0[1] < $1[1] })
        #expect(series.points.allSatisfy { $0[1] == $0[0] / 1000 })
    }

    @Test func aLineThroughPointsOfALineIsThatLine() {
        let line = LeastSquares.line([(1, 5), (2, 7), (10, 23)])
        #expect(abs(line.slope - 2) < 1e-9)
        #expect(abs(line.atZero - 3) < 1e-9)
        #expect(LeastSquares.line([(4, 8)]).slope == 0)
    }
}
