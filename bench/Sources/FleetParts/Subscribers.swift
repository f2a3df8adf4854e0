import Foundation
import Synchronization

/// Plain subscribers of one channel, each a thread with a connection of its own, as each validator is. A message is the
/// time at which it was sent, in nanoseconds since 1970; what is noted is how much later it was received.
package final class Subscribers: Sendable {
    private struct State {
        var latencies = Latencies()
        var heard = 0
        var failure: String?
    }

    private let state = Mutex(State())
    private let ready = Mutex(0)
    private let ended = Mutex(0)
    package let count: Int

    package init(path: String, channel: String, count: Int) throws {
        self.count = count
        for _ in 0..<count {
            Thread { [self] in
                do {
                    try follow(path, channel)
                } catch {
                    state.withLock { $0.failure = "\(error)" }
                }
                ended.withLock { $0 += 1 }
            }.start()
        }
        guard wait(atMost: 20, until: { ready.withLock { $0 } == count }) else {
            throw FleetFailure("not all subscribers are there")
        }
    }

    private func follow(_ path: String, _ channel: String) throws {
        // Other rounds go on between two of this channel.
        let redis = try RedisConnection(path: path, timeoutSeconds: 900)
        try redis.call("SUBSCRIBE", channel)
        ready.withLock { $0 += 1 }
        while true {
            let message = try redis.receive()
            let now = Clocks.civil
            guard let parts = message.elements, parts.count == 3, let text = parts[2].string else {
                throw FleetFailure("a subscriber heard something else")
            }
            if text == "end" { return }
            guard let sent = Int64(text) else { continue }
            state.withLock {
                $0.latencies.add(nanoseconds: now - sent)
                $0.heard += 1
            }
        }
    }

    /// How often anything was heard, by all together.
    package var heard: Int { state.withLock { $0.heard } }

    package func take() throws -> Latencies {
        try state.withLock { state in
            if let failure = state.failure { throw FleetFailure("a subscriber: \(failure)") }
            defer { state.latencies = Latencies() }
            return state.latencies
        }
    }

    /// Ends the threads: "end" was published.
    package func join() -> Bool { wait(atMost: 10) { ended.withLock { $0 } == count } }
}
