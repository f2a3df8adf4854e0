import BenchReport
import Testing

@Suite struct NumberTests {
    @Test(arguments: [
        (0.0, "0"), (0.0421, "0.0421"), (7.6, "7.60"), (9.996, "10.0"), (0.9996, "1.00"), (24.34, "24.3"),
        (412.4, "412"), (999.6, "1,000"), (1234.5, "1,235"), (135_523.4, "135,500"), (99_996, "100,000"),
        (1_234_567, "1,235,000"), (-7.6, "-7.60"), (-0.000_02, "-0.0000200"), (.nan, "–"), (.infinity, "–"),
    ])
    func threeDigitsCountAndFourOfALargeOne(value: Double, text: String) {
        #expect(Number.text(value) == text)
    }

    @Test(arguments: [(4.0, "4"), (0.95, "0.95"), (1000, "1,000"), (0, "0"), (2.5, "2.5"), (100, "100")])
    func limitsAndTicksHaveNoZerosBehind(value: Double, text: String) {
        #expect(Number.short(value) == text)
    }

    @Test func decimalsAreAsManyAsAsked() {
        #expect(Number.fixed(1.005, decimals: 0) == "1")
        #expect(Number.fixed(0.05, decimals: 2) == "0.05")
        #expect(Number.fixed(-0.001, decimals: 2) == "0.00")
        #expect(Number.fixed(12_345.678, decimals: 1) == "12,345.7")
    }

    @Test func countsKeepAllDigits() {
        #expect(Number.count(0) == "0")
        #expect(Number.count(999) == "999")
        #expect(Number.count(48_211_904) == "48,211,904")
        #expect(Number.count(.max) == "18,446,744,073,709,551,615")
    }

    @Test func hugeAndTinyValuesDoNotTrap() {
        for value in [Double.greatestFiniteMagnitude, .leastNonzeroMagnitude, -.greatestFiniteMagnitude, 1e15, 1e-7] {
            #expect(!Number.text(value).isEmpty)
            #expect(!Number.fixed(value, decimals: 3).isEmpty)
        }
    }
}

@Suite struct UnitTests {
    @Test(arguments: [
        ("µs", 9_999.0, "µs", 1.0), ("µs", 12_000, "ms", 1000), ("ns", 2e10, "s", 1e9), ("s", 0.014, "ms", 0.001),
        ("B", 145, "B", 1), ("B", 9_870_000, "kB", 1000), ("B", 2.9e8, "MB", 1e6), ("req/s", 135_000, "req/s", 1),
        ("", 4, "", 1), ("s", 1e9, "s", 1), ("ns", 0.001, "ns", 1), ("ms", 0, "ms", 1), ("ms", .nan, "ms", 1),
    ])
    func theLargestValueChoosesTheUnit(unit: String, largest: Double, name: String, factor: Double) {
        let scaled = Unit(unit, largest: largest)
        #expect(scaled.name == name)
        #expect(abs(scaled.factor / factor - 1) < 1e-12)
    }

    @Test func bothLettersMuAreOne() {
        #expect(Unit("\u{3bc}s", largest: 20_000).name == "ms")
        #expect(Unit("\u{b5}s", largest: 20_000).name == "ms")
    }

    @Test func aRatioHasASign() {
        #expect(Unit("", largest: 4).text(4.068) == "4.07\u{a0}×")
        #expect(Unit("", largest: 4).short(4) == "4\u{a0}×")
    }

    @Test func aSpreadIsOneValueWhenItShowsAsOne() {
        let unit = Unit("ns", largest: 30)
        #expect(unit.spread([3, 1, 2]) == "1.00 – 3.00\u{a0}ns")
        #expect(unit.spread([2, 2.0001]) == "2.00\u{a0}ns")
        #expect(unit.spread([]) == "–")
    }
}
