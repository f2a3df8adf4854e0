import Testing

@testable import QuashServer

@Suite struct BatchesTests {
    @Test func requestsDuringOneBatchShareTheNext() {
        var begun: [[Int]] = []
        let batches = Batches<Int>(maxWaiting: 3) { begun.append($0) }
        #expect(batches.add(1))
        // What is under way began before they came: it would answer them with what was.
        for number in 2...4 { #expect(batches.add(number)) }
        #expect(begun == [[1]])
        #expect(!batches.add(5), "too many wait")
        batches.finished()
        #expect(begun == [[1], [2, 3, 4]])
        batches.finished()
        #expect(begun.count == 2, "nothing waits")
        #expect(batches.add(6))
        #expect(begun == [[1], [2, 3, 4], [6]])
    }

    @Test func workThatIsDoneWithinItsCallIsFollowedByMore() {
        var begun: [[Int]] = []
        var batches: Batches<Int>?
        batches = Batches(maxWaiting: 1) {
            begun.append($0)
            batches?.finished()
        }
        for number in 0..<3 { #expect(batches?.add(number) == true) }
        #expect(begun == [[0], [1], [2]])
    }
}
