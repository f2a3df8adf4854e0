/// How many connections several listeners may have open together, on however many addresses and loops.
///
/// A limit for each listener would be multiplied by their number, and the limit that counts, that of open files
/// (RLIMIT_NOFILE), is one for the process. Listeners that find no place get the next ones in the order in which they
/// asked, one each, so that a crowd at one address does not keep another from accepting.
package final class ConnectionBudget: Sendable {
    /// Why a listener has stopped accepting.
    package enum Shortage: String, CaseIterable, Sendable {
        /// As many connections are open as there may be.
        case connections
        /// The process, or the system, has no descriptor left (EMFILE, ENFILE).
        case descriptors
    }

    /// Connections that may be open at a time.
    package let limit: Int
    private let paused: @Sendable (Shortage) -> Void
    private let state = Locked(State())

    private struct State: Sendable {
        var open = 0
        /// The listeners that found no place, the first to come first.
        var waiting: [LoopWake] = []

        mutating func leave(_ listener: LoopWake) { waiting.removeAll { $0 === listener } }
    }

    /// - Parameter paused: called on a listener's loop whenever it stops accepting.
    package init(limit: Int, paused: @escaping @Sendable (Shortage) -> Void = { _ in }) {
        precondition(limit > 0, "a listener needs room for a connection")
        self.limit = limit
        self.paused = paused
    }

    /// Connections that are open.
    package var open: Int { state.withLock { $0.open } }

    /// Takes a place for one connection of `listener`. Without one, `listener` waits: it is woken when there is one.
    func take(for listener: LoopWake) -> Bool {
        let (isTaken, next) = state.withLock { state -> (Bool, LoopWake?) in
            let isNext = state.waiting.first.map { $0 === listener } ?? true
            guard state.open < limit, isNext else {
                if !state.waiting.contains(where: { $0 === listener }) { state.waiting.append(listener) }
                return (false, nil)
            }
            state.open += 1
            state.leave(listener)
            return (true, state.open < limit ? state.waiting.first : nil)
        }
        next?.send()
        return isTaken
    }

    /// A connection is gone, or a place was not needed.
    func giveBack() {
        let next = state.withLock { state in
            state.open -= 1
            return state.waiting.first
        }
        next?.send()
    }

    /// `listener` closes, and waits no longer.
    func leave(_ listener: LoopWake) {
        let next = state.withLock { state in
            state.leave(listener)
            return state.open < limit ? state.waiting.first : nil
        }
        next?.send()
    }

    /// A listener has stopped accepting.
    func notePause(_ shortage: Shortage) { paused(shortage) }
}
