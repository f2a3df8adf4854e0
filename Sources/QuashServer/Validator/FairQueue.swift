/// What waits, in the order in which it came for each key, and one of each key after the other: who sends much waits
/// long, and nobody else does.
struct FairQueue<Key: Hashable, Element> {
    private struct Line {
        var elements: [Element] = []
        var first = 0
    }

    private var lines: [Key: Line] = [:]
    /// The keys that have something waiting, the next one first.
    private var turns: [Key] = []
    private var nextTurn = 0

    var isEmpty: Bool { lines.isEmpty }

    /// Amortised O(1).
    mutating func append(_ element: Element, of key: Key) {
        if lines[key] == nil { turns.append(key) }
        lines[key, default: Line()].elements.append(element)
    }

    /// The next one. Amortised O(1).
    mutating func popFirst() -> Element? {
        guard nextTurn < turns.count else { return nil }
        let key = turns[nextTurn]
        nextTurn += 1
        if nextTurn > 64, 2 * nextTurn > turns.count {
            turns.removeFirst(nextTurn)
            nextTurn = 0
        }
        guard var line = lines.removeValue(forKey: key) else { preconditionFailure("a turn without a line") }
        let element = line.elements[line.first]
        line.first += 1
        if line.first < line.elements.count {
            lines[key] = line
            turns.append(key)
        }
        return element
    }
}
