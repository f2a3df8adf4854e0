/// Nanoseconds of real time since a schedule began. No machine of the simulation can read it.
typealias Instant = Int64

extension Int64 {
    static let microsecond: Int64 = 1_000
    static let millisecond: Int64 = 1_000_000
    static let second: Int64 = 1_000_000_000
}

/// What will happen, in the order of time; what happens at one instant happens in the order in which it was planned.
struct Timeline {
    private struct Entry {
        let at: Instant
        let order: UInt64
        let action: () -> Void

        func isBefore(_ other: Entry) -> Bool { at == other.at ? order < other.order : at < other.at }
    }

    private var heap: [Entry] = []
    private var planned: UInt64 = 0

    var next: Instant? { heap.first?.at }

    mutating func plan(at instant: Instant, _ action: @escaping () -> Void) {
        planned += 1
        heap.append(Entry(at: instant, order: planned, action: action))
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard heap[child].isBefore(heap[parent]) else { break }
            heap.swapAt(child, parent)
            child = parent
        }
    }

    mutating func popFirst() -> (at: Instant, action: () -> Void)? {
        guard let first = heap.first else { return nil }
        let last = heap.removeLast()
        if !heap.isEmpty {
            heap[0] = last
            var parent = 0
            while true {
                var least = parent
                for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count {
                    if heap[child].isBefore(heap[least]) { least = child }
                }
                if least == parent { break }
                heap.swapAt(parent, least)
                parent = least
            }
        }
        return (first.at, first.action)
    }
}
