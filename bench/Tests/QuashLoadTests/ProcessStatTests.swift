import Foundation
import Testing

@testable import QuashLoad

@Suite struct ProcessStatTests {
    @Test func fieldsAreCountedFromTheLastParenthesis() {
        let rest = "S 1 2 3 0 -1 4194304 101 0 0 0 120 34 7 8 20 0 1 0 376007 3133440 409"
        for name in ["cat", "a b", "tmux: (server)", ") S 1 2", "a)b) ("] {
            let stat = ProcessStat("4711 (\(name)) \(rest)\n")
            #expect(stat?.userTicks == 120 && stat?.systemTicks == 34, "\(name)")
        }
    }

    @Test(arguments: ["", "4711 (cat", "4711 (cat) S 1 2 3", "4711 (cat) S 1 2 3 0 -1 4194304 101 0 0 0 x 34 7 8"])
    func whatIsNoStatIsNothing(line: String) {
        #expect(ProcessStat(line) == nil)
    }

    @Test func thisProcessHasUsedTime() throws {
        var sum = 0.0
        while try ProcessStat.of(getpid()).microseconds == 0 { for number in 0..<100_000 { sum += Double(number) } }
        #expect(sum >= 0)
    }

    @Test func aProcessThatDoesNotRunIsAFailure() {
        #expect(throws: Failure.self) { try ProcessStat.of(0) }
    }
}
