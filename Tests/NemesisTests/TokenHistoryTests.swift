import NemesisHistory
import Quash
import Testing

/// The checker can fail: each kind of violation is found in a history that was made by hand, and its lawful neighbour
/// is not called one.
@Suite struct TokenHistoryTests {
    private static let timing = Timing(lease: .seconds(1), renewInterval: .milliseconds(200))

    private func at(_ milliseconds: Int64) -> BootInstant {
        BootInstant(nanoseconds: 1_000_000_000_000 + milliseconds * 1_000_000)
    }

    private func violation(
        _ history: TokenHistory, _ verdict: TokenHistory.Verdict, _ sent: Int64, _ answered: Int64,
        started: Int64 = -100_000, statedMinimum: Bool = false, timing: Timing = Self.timing
    ) -> Violation.Kind? {
        history.violation(
            TokenHistory.Answer(
                verdict, sent: at(sent), answered: at(answered), started: at(started), statedMinimum: statedMinimum),
            timing: timing)
    }

    @Test func S1_anAcceptThatWasSentAfterTheConfirmationIsFound() {
        var history = TokenHistory()
        history.asks(at: at(0))
        history.isConfirmed(at: at(10))
        #expect(violation(history, .accepted, 11, 12) == .acceptedAfterConfirmation)
        // In flight when the confirmation returned: nobody can say when it was decided.
        #expect(violation(history, .accepted, 10, 500) == nil)
        #expect(violation(history, .refused, 11, 12) == nil)
        #expect(violation(history, .unavailable, 11, 12) == nil)
    }

    @Test func S6_anAcceptLaterThanALeaseAfterTheStoredAnswerIsFound() {
        var history = TokenHistory()
        history.isStored(at: at(0))
        #expect(violation(history, .accepted, 1_011, 1_011) == nil)
        #expect(violation(history, .accepted, 1_012, 1_012) == .acceptedAfterLease)
        let fenced = Timing(lease: .seconds(1), renewInterval: .milliseconds(200), fence: .seconds(2))
        #expect(violation(history, .accepted, 3_011, 3_011, timing: fenced) == nil)
        #expect(violation(history, .accepted, 3_012, 3_012, timing: fenced) == .acceptedAfterLease)
    }

    @Test func S4_anAcceptOfAValidatorThatWasStartedLaterIsFound() {
        var history = TokenHistory()
        history.isStored(at: at(0))
        #expect(violation(history, .accepted, 300, 301, started: 1) == .acceptedByLaterValidator)
        #expect(violation(history, .accepted, 300, 301, started: 0) == nil)
        // Sent to the process before it.
        #expect(violation(history, .accepted, 5, 301, started: 10) == nil)
    }

    @Test func anAcceptOnSomethingOlderThanWasAskedForIsFound() {
        var history = TokenHistory()
        history.isStored(at: at(0))
        #expect(violation(history, .accepted, 1, 2, statedMinimum: true) == .acceptedBelowMinimum)
        #expect(violation(history, .accepted, 1, 2) == nil)
    }

    @Test func aGoodTokenThatIsRefusedIsFound() {
        var history = TokenHistory()
        #expect(violation(history, .refused, 1, 2) == .goodRefused)
        history.asks(at: at(10))
        #expect(violation(history, .refused, 1, 9) == .goodRefused)
        #expect(violation(history, .refused, 1, 10) == nil)
        #expect(violation(history, .accepted, 5_000, 5_001) == nil, "it may never have been stored")
    }

    @Test func theFirstOfSeveralAnswersCounts() {
        var history = TokenHistory()
        history.isStored(at: at(0))
        history.isStored(at: at(900))
        history.isConfirmed(at: at(950))
        history.asks(at: at(990))
        #expect(history.stored == at(0))
        #expect(history.asked == at(0))
        #expect(history.confirmed == at(950))
    }

    @Test func S5_anAcceptBeforeEveryIssuerHasRestoredIsFound() {
        var embargo = Embargo(lost: at(0))
        #expect(!embargo.forbids(sent: at(1_011), answered: at(1_011), timing: Self.timing), "an old lease")
        #expect(embargo.forbids(sent: at(1_012), answered: at(1_013), timing: Self.timing))
        embargo.lifted = at(3_000)
        #expect(embargo.forbids(sent: at(2_990), answered: at(2_999), timing: Self.timing))
        #expect(!embargo.forbids(sent: at(2_990), answered: at(3_000), timing: Self.timing))
    }
}
