import Testing

@testable import Quash

@Suite struct ClockAgreementTests {
    private static func agreement() -> ClockAgreement { ClockAgreement(maxDeviation: .seconds(1)) }

    /// In both directions.
    @Test(arguments: [-3_600_000, -1001, -1000, 0, 1000, 1001, 3_600_000] as [Int64])
    func aDifferenceBeyondTheSettingIsOne(milliseconds: Int64) {
        var agreement = Self.agreement()
        #expect(!agreement.holds(at: .at(0)) && agreement.problem(at: .at(0)) == "not compared with that of Redis yet")
        let outcome = agreement.compared(lead: .milliseconds(milliseconds), at: .at(0))
        let agrees = milliseconds.magnitude <= 1000
        #expect(outcome == (agrees ? .agreesAnew : .differs))
        #expect(agreement.holds(at: .at(0)) == agrees)
        let words = "\(milliseconds.magnitude) ms \(milliseconds < 0 ? "behind" : "ahead of") that of Redis"
        #expect(agreement.problem(at: .at(0)) == (agrees ? nil : words))
    }

    /// Without another comparison.
    @Test(arguments: [-1001, -1000, 1000, 1001] as [Int64])
    func aClockThatIsSetIsNoticed(step: Int64) {
        var agreement = Self.agreement()
        _ = agreement.compared(lead: .zero, at: .at(0))
        #expect(agreement.holds(at: .at(60_000)))
        #expect(agreement.holds(at: .at(60_000, wallStep: step)) == (step.magnitude <= 1000))
        #expect(agreement.compared(lead: .zero, at: .at(60_000)) == .agrees)
    }

    /// That of Redis was wrong as well, or the machine stood still: whatever was read before is void.
    @Test func agreementAtAnotherTimeIsNew() {
        var agreement = Self.agreement()
        _ = agreement.compared(lead: .zero, at: .at(0, wallStep: 3_600_000))
        #expect(agreement.compared(lead: .zero, at: .at(19_000)) == .agreesAnew)
        #expect(agreement.compared(lead: .zero, at: .at(34_000)) == .agrees)
        _ = agreement.compared(lead: .seconds(2), at: .at(40_000))
        #expect(agreement.compared(lead: .zero, at: .at(42_000)) == .agreesAnew, "whoever was wrong")
    }

    /// Small steps add up: those that are read first count.
    @Test func stepsAddUp() {
        var agreement = Self.agreement()
        _ = agreement.compared(lead: .zero, at: .at(0))
        #expect(agreement.compared(lead: .zero, at: .at(1, wallStep: -600)) == .agrees)
        #expect(agreement.compared(lead: .zero, at: .at(2, wallStep: -1200)) == .agreesAnew)
    }
}
