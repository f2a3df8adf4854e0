/// The commands that wait until the connection takes more, in the order in which they came. Pure; `RedisClient` drives
/// it.
///
/// So a burst of commands takes longer than one of them, and fails only when Redis does not answer: how long one waits
/// is bounded by how many there may be, and by the deadlines of those that were sent before. What waits was surely not
/// sent.
struct WaitingCommands<Request> {
    private struct Waiting {
        let request: Request
        let bytes: Int
    }

    /// Those before `first` were taken.
    private var elements: [Waiting?] = []
    private var first = 0
    private var bytes = 0

    var isEmpty: Bool { first == elements.count }
    var count: Int { elements.count - first }
    /// The command that is sent next.
    var next: Request? { isEmpty ? nil : elements[first]?.request }

    /// Takes a command of so many bytes. Amortised O(1).
    ///
    /// - Returns: false when too many wait already.
    mutating func append(_ request: Request, bytes: Int) -> Bool {
        guard count < RedisLimits.maxWaitingCommands, self.bytes + bytes <= RedisLimits.maxWaitingBytes else {
            return false
        }
        elements.append(Waiting(request: request, bytes: bytes))
        self.bytes += bytes
        return true
    }

    /// Takes out the command that is sent next. Amortised O(1).
    mutating func removeNext() -> Request? {
        guard !isEmpty, let waiting = elements[first] else { return nil }
        elements[first] = nil
        first += 1
        bytes -= waiting.bytes
        if first > 64, 2 * first > elements.count {
            elements.removeFirst(first)
            first = 0
        }
        return waiting.request
    }

    /// The connection is gone: takes out everything.
    mutating func lost() -> [CommandPipeline<Request>.Failure] {
        var failures: [CommandPipeline<Request>.Failure] = []
        let error = RedisError(.unavailable, "the connection to Redis was lost before it was sent")
        while let request = removeNext() { failures.append(CommandPipeline.Failure(request: request, error: error)) }
        return failures
    }
}
