import Glibc

/// A closed load: on each of many kept connections one request is always in flight.
package struct ClosedLoad {
    package struct Outcome: Sendable {
        /// Answers that came before the time was over, and those that were wrong among all.
        package var count = 0
        package var failures = 0
        /// All answers, those after the end too.
        package var total = 0
        package var seconds = 0.0
        package var latencies = Latencies()
        /// What the first wrong answer said.
        package var firstFailure: String?
        package var rate: Double { Double(count) / seconds }
    }

    private let connections: [HTTPConnection]

    package init(path: String, connections count: Int) throws {
        connections = try (0..<count).map { _ in try HTTPConnection(path: path) }
    }

    /// Goes on for `seconds`, or until `next` has no more; then waits for what is in flight.
    package func run(
        seconds limit: Double, next: () -> [UInt8]?, isRight: (HTTPReply) -> Bool
    ) throws -> Outcome {
        var outcome = Outcome()
        let begun = Clocks.monotonic
        let end = begun + Int64(limit * 1e9)
        var sent = [Int64](repeating: 0, count: connections.count)
        var inFlight = 0
        var isOver = false
        func request(on index: Int) throws {
            guard !isOver, let bytes = next() else {
                isOver = true
                return
            }
            sent[index] = Clocks.monotonic
            try connections[index].send(bytes)
            inFlight += 1
        }
        for index in connections.indices { try request(on: index) }
        // Only now: a connection is made anew after a pause.
        var polled = connections.map { pollfd(fd: $0.descriptor, events: Int16(POLLIN), revents: 0) }
        while inFlight > 0 {
            // SAFETY: poll(2) writes to as many structures as the array holds.
            let ready = unsafe poll(&polled, nfds_t(polled.count), 20_000)
            guard ready > 0 else { throw FleetFailure("no answer within 20 s") }
            for index in polled.indices where polled[index].revents != 0 {
                guard let reply = try connections[index].receiveOnce() else { continue }
                let now = Clocks.monotonic
                inFlight -= 1
                outcome.total += 1
                if !isRight(reply) {
                    outcome.failures += 1
                    if outcome.firstFailure == nil { outcome.firstFailure = "\(reply.status) \(reply.text)" }
                }
                if now < end {
                    outcome.count += 1
                    outcome.latencies.add(nanoseconds: now - sent[index])
                } else {
                    isOver = true
                }
                try request(on: index)
            }
        }
        // Where there was no more to ask for, the time ends with the last answer.
        outcome.seconds = Double(min(end, Clocks.monotonic) - begun) / 1e9
        return outcome
    }
}
