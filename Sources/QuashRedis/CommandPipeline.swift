import QuashLoop

/// The commands of one connection that were sent and wait for their reply. Pure; `RedisClient` drives it.
///
/// Redis answers in the order of the commands, so the oldest one owns the next reply. A command that is not answered by
/// its deadline therefore ends the connection: a reply that came later could not be told from that of its successor.
///
/// `Request` is what the driver wants back with the reply.
struct CommandPipeline<Request> {
    private struct Pending {
        let request: Request
        let deadline: LoopInstant
    }

    /// What became of one command.
    struct Failure {
        let request: Request
        let error: RedisError
    }

    /// A ring: the oldest is at `first`, and `count` of them follow each other.
    private var slots = [Pending?](repeating: nil, count: RedisLimits.maxPendingReplies)
    private var first = 0
    /// Commands that wait.
    private(set) var count = 0
    /// No command's deadline is before it. It is exact, or that of a command which has been answered since.
    private(set) var earliestDeadline: LoopInstant?

    var isFull: Bool { count == slots.count }

    /// A command was sent. Complexity: O(1).
    mutating func sent(_ request: Request, deadline: LoopInstant) {
        precondition(!isFull, "a command was sent beyond the limit of pending replies")
        slots[(first + count) % slots.count] = Pending(request: request, deadline: deadline)
        count += 1
        earliestDeadline = earliestDeadline.map { min($0, deadline) } ?? deadline
    }

    /// A reply came. Returns whose it is, or nil when nobody waits for one. Complexity: O(1).
    mutating func received() -> Request? {
        guard let oldest = slots[first] else { return nil }
        slots[first] = nil
        first = (first + 1) % slots.count
        count -= 1
        if count == 0 { earliestDeadline = nil }
        return oldest.request
    }

    /// Returns what fails because a command has waited too long: nothing, or all commands, and then the connection has
    /// to be dropped. Complexity: O(limit).
    mutating func deadlineReached(now: LoopInstant) -> [Failure] {
        earliestDeadline = slots.lazy.compactMap { $0?.deadline }.min()
        guard let earliestDeadline, earliestDeadline <= now else { return [] }
        return fail { pending in
            pending.deadline <= now
                ? RedisError(.timedOut, "Redis did not answer in time; whether it executes the command is unknown")
                : RedisError(.lost, "the connection was given up, as Redis did not answer an earlier command in time")
        }
    }

    /// The connection is gone. Returns what fails, which is everything. Complexity: O(limit).
    mutating func lost(because reason: String) -> [Failure] {
        fail { _ in RedisError(.lost, "the connection to Redis was lost before the answer: \(reason)") }
    }

    private mutating func fail(_ error: (Pending) -> RedisError) -> [Failure] {
        var failures: [Failure] = []
        while let pending = slots[first] {
            failures.append(Failure(request: pending.request, error: error(pending)))
            _ = received()
        }
        return failures
    }
}
