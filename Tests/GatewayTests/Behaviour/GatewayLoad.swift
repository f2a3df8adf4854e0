import QuashLoop
import TestSupport

/// Clients that ask a gateway without a pause, each over a connection that it keeps, until they are stopped.
final class GatewayLoad {
    /// What was answered: by status, and 0 for none.
    struct Outcome: Sendable {
        var statuses: [Int: Int] = [:]

        var total: Int { statuses.values.reduce(0, +) }
    }

    private let threads: [TestThread]
    private let isStopped = Locked(false)
    private let outcome = Locked(Outcome())

    init(port: UInt16, token: String, clients: Int) {
        threads = (0..<clients).map { [isStopped, outcome] _ in
            TestThread {
                var connection: GatewayConnection?
                while !isStopped.withLock({ $0 }) {
                    if connection?.isUsable != true { connection = try? GatewayConnection(port: port) }
                    let status = (try? connection?.call(GatewayRequest(token: token)))?.status ?? 0
                    if status == 0 { connection = nil }
                    outcome.withLock { $0.statuses[status, default: 0] += 1 }
                }
            }
        }
    }

    /// How many were answered so far.
    var answered: Int { outcome.withLock { $0.total } }

    /// Waits for so many more answers.
    func waitForAnswers(_ count: Int) throws {
        let target = answered + count
        guard poll(within: .seconds(30), { answered >= target }) else {
            throw TestSupportError("only \(answered) of \(target) requests were answered")
        }
    }

    /// Ends the clients.
    func stop() -> Outcome {
        isStopped.withLock { $0 = true }
        for thread in threads { thread.join() }
        return outcome.withLock { $0 }
    }
}
