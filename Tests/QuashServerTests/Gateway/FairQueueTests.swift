import Testing

@testable import QuashServer

@Suite struct FairQueueTests {
    @Test func oneOfEachAfterTheOther() {
        var queue = FairQueue<String, Int>()
        for number in 0..<5 { queue.append(number, of: "flood") }
        queue.append(100, of: "good")
        queue.append(101, of: "good")
        queue.append(200, of: "other")
        var order: [Int] = []
        while let next = queue.popFirst() { order.append(next) }
        #expect(order == [0, 100, 200, 1, 101, 2, 3, 4])
        #expect(queue.isEmpty)
    }

    @Test func nothingIsLostHoweverItIsUsed() {
        var queue = FairQueue<Int, Int>()
        var random = SystemRandomNumberGenerator()
        var (put, taken) = (0, Set<Int>())
        var last: [Int: Int] = [:]
        for _ in 0..<20_000 {
            if Int.random(in: 0..<5, using: &random) < 3 {
                queue.append(put, of: put % 7)
                put += 1
            } else if let next = queue.popFirst() {
                #expect(taken.insert(next).inserted)
                #expect(last[next % 7] ?? -1 < next, "out of the order of its key")
                last[next % 7] = next
            }
        }
        while let next = queue.popFirst() { taken.insert(next) }
        #expect(taken.count == put)
        let rest = queue.popFirst()
        #expect(queue.isEmpty && rest == nil)
    }
}

@Suite struct VerificationBudgetTests {
    @Test func aTurnHasSoManyAndTheNextAsManyAgain() {
        var budget = VerificationBudget()
        for _ in 0..<VerificationBudget.normal {
            let isAllowed = budget.allows(in: 1)
            #expect(isAllowed)
            budget.spend(failed: false)
        }
        let (more, next) = (budget.allows(in: 1), budget.allows(in: 2))
        #expect(!more && next)
    }

    @Test func failuresMakeItSmallAndSuccessesGreatAgain() {
        var budget = VerificationBudget()
        for _ in 0..<100 { budget.spend(failed: true) }
        #expect(budget.limit == VerificationBudget.underAttack)
        for _ in 0..<64 { budget.spend(failed: false) }
        #expect(budget.limit == VerificationBudget.normal)
        // One in three that fails is no attack.
        for number in 0..<300 { budget.spend(failed: number.isMultiple(of: 3)) }
        #expect(budget.limit == VerificationBudget.normal)
    }
}
