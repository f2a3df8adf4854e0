import Testing

@testable import QuashLoad

@Suite struct OutcomeTests {
    @Test func everyAnswerIsHeldAgainstWhatWasExpected() {
        var outcome = Outcome()
        for (status, expectation) in [
            (204, Expected.accept), (200, .accept), (401, .refuse), (200, .refuse), (401, .accept), (503, .accept),
            (503, .refuse), (500, .accept),
        ] {
            outcome.count(status: status, expectation)
        }
        #expect(outcome.correct == 3)
        #expect(outcome.wronglyAccepted == 1)
        #expect(outcome.wronglyRefused == 1)
        #expect(outcome.otherStatus == 3)
        #expect(outcome.failures == 5)
        #expect(outcome.answers == 8)
    }

    @Test func theServersOwnCountIsTheSumOfAllResults() throws {
        let page = """
            # TYPE quash_decisions_total counter
            quash_decisions_total{result="accepted",reason=""} 12
            quash_decisions_total{result="refused",reason="revoked"} 3
            quash_decision_duration_seconds_count 99

            """
        #expect(try Validators.decisions(inPage: page) == 15)
        #expect(throws: Failure.self) { try Validators.decisions(inPage: "up 1\n") }
    }

    @Test func aTamperedTokenDiffersInOneCharacterOfItsSignature() {
        let token = "head.payload." + String(repeating: "Q", count: 342)
        let tampered = (0..<200).map { TokenStock.tampered(token, variant: $0) }
        #expect(Set(tampered).count == 200)
        for other in tampered {
            #expect(other.count == token.count && other.hasPrefix("head.payload."))
            #expect(zip(other, token).count { $0 != $1 } == 1)
        }
    }
}
