@testable import BenchReport
import Testing

@Suite struct AxisTests {
    @Test func aLinearAxisEndsAtRoundNumbers() {
        #expect(Axis.linear([3, 97]).ticks == [0, 20, 40, 60, 80, 100])
        #expect(Axis.linear([0.12, 0.48]).ticks == [0.1, 0.2, 0.3, 0.4, 0.5])
        #expect(Axis.linear([130_000, 134_000], fromZero: true).ticks == [0, 50_000, 100_000, 150_000])
        #expect(Axis.linear([-3, 4]).ticks == [-4, -2, 0, 2, 4])
        #expect(Axis.linear([0, 1]).ticks == [0, 0.2, 0.4, 0.6, 0.8, 1])
    }

    @Test(arguments: [[], [0], [5, 5], [-5], [.nan], [.infinity, 3]])
    func aLinearAxisOfLittleIsStillOne(_ values: [Double]) {
        let axis = Axis.linear(values)
        #expect(axis.low < axis.high)
        #expect(axis.ticks.count >= 2)
        #expect(axis.position(axis.low) == 0)
        #expect(axis.position(axis.high) == 1)
    }

    @Test func aLogarithmicAxisHasDecades() {
        let axis = Axis.logarithmic([1, 1_000_000])
        #expect(axis.ticks.count <= 7)
        #expect(axis.ticks.first == 1)
        #expect(axis.position(1000).map { abs($0 - 0.5) < 1e-9 } == true)
        #expect(Axis.logarithmic([10, 100]).ticks == [10, 20, 50, 100])
        #expect(Axis.logarithmic([38, 34_000]).ticks == [100, 1000, 10_000])
        #expect(Axis.logarithmic([38, 34_000]).low == 20)
        #expect(Axis.logarithmic([38, 34_000]).high == 50_000)
        #expect(Axis.logarithmic([0.001, 0.01]).ticks == [0.001, 0.002, 0.005, 0.01])
    }

    @Test func powersOfTenAreEndsOfTheirOwn() {
        for exponent in -9...12 {
            let power = exponent < 0 ? 1 / repeated(-exponent) : repeated(exponent)
            let axis = Axis.logarithmic([power, power * 10])
            #expect(axis.low == power)
            #expect(abs(axis.high / power - 10) < 1e-9)
        }
    }

    private func repeated(_ exponent: Int) -> Double {
        (0..<exponent).reduce(1) { product, _ in product * 10 }
    }

    @Test func zeroHasNoPlaceOnALogarithmicAxis() {
        let axis = Axis.logarithmic([0, -1, 5, 700])
        #expect(axis.position(0) == nil)
        #expect(axis.position(-1) == nil)
        #expect(axis.position(5) == 0)
        #expect(axis.low == 5)
        #expect(Axis.logarithmic([]).ticks == [1, 10])
        #expect(Axis.logarithmic([0, 0]).ticks == [1, 10])
        let single = Axis.logarithmic([50])
        #expect(single.low < 50 && single.high > 50)
    }

    @Test func ninesAreEquallyFarApart() throws {
        let axis = Axis.percentile([0, 0.5, 0.9999, 1])
        let labels = ["50", "90", "99", "99.9", "99.99"].map { $0 + "\u{a0}%" }
        #expect(axis.ticks.map(LatencyPlot.percent) == labels)
        let positions = try axis.ticks.map { try #require(axis.position($0)) }
        #expect(positions.first == 0)
        #expect(positions.last == 1)
        #expect(abs((positions[2] - positions[1]) - (positions[4] - positions[3])) < 1e-9)
        #expect(axis.position(1) == nil)
        #expect(axis.position(0.25) == nil)
        #expect(Axis.percentile([]).high == 0.99)
        #expect(Axis.percentile([0.5]).high == 0.99)
    }

    @Test func whatCrowdsIsLogarithmic() {
        #expect(Axis.fitting([0, 1e3, 1e4, 1e5, 1e6, 1e7], isTight: true).kind == .logarithmic)
        #expect(Axis.fitting([100, 300, 1000, 3000, 10_000], isTight: true).kind == .logarithmic)
        #expect(Axis.fitting((0...600).map(Double.init), isTight: true).kind == .linear)
        #expect(Axis.fitting([1, 2, 50, 99], isTight: false).kind == .linear)
        #expect(Axis.fitting([], isTight: true).kind == .linear)
    }

    @Test func aTightAxisEndsAtItsValues() {
        let axis = Axis.fitting((0...120).map(Double.init), isTight: true)
        #expect(axis.low == 0 && axis.high == 120 && axis.ticks == [0, 25, 50, 75, 100])
        #expect(Axis.fitting([3, 3], isTight: true).low == 0)
        #expect(Axis.fitting([30, 40], isTight: false).low == 0)
    }

    /// However odd the values, an axis has ends in order and its ticks within.
    @Test(arguments: 0..<200)
    func ticksAreWithinTheEnds(seed: Int) {
        var state = UInt64(seed) &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        func next() -> Double {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Double(state >> 11) / Double(1 << 53)
        }
        let scale = repeated(Int(next() * 12)) / repeated(Int(next() * 9))
        let values = (0..<1 + Int(next() * 6)).map { _ in next() * scale }
        for axis in [Axis.linear(values), .linear(values, fromZero: true), .logarithmic(values)] {
            #expect(axis.low < axis.high)
            #expect(axis.ticks == axis.ticks.sorted())
            #expect(axis.ticks.count >= 2 && axis.ticks.count <= 9, "\(values): \(axis)")
            #expect(axis.ticks.allSatisfy { axis.position($0) != nil }, "\(values): \(axis)")
            #expect(values.allSatisfy { axis.position($0) != nil }, "\(values): \(axis)")
        }
    }
}
