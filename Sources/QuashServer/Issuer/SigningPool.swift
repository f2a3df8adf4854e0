import QuashCrypto
import QuashLoop
import Synchronization

/// Threads that sign, because a signature takes a quarter of a millisecond and would keep the event loop from everyone
/// else meanwhile. Bounded: who comes when the queue is full is refused, not kept waiting.
final class SigningPool: Sendable {
    /// Jobs that wait or are being signed, for each thread: at 4,000 signatures a second, a fifth of a second of
    /// waiting.
    static let maxJobsPerThread = 400

    private let threads: [LoopThread]
    private let home: LoopThread
    private let maxJobs: Int
    private let jobs = Atomic(0)
    private let next = Atomic(0)

    /// - Parameter home: on whose loop the results are delivered.
    /// - Parameter count: of threads; one for each core is enough.
    init(home: LoopThread, count: Int) throws {
        self.home = home
        threads = try (0..<count).map { try LoopThread(name: "quash-sign-\($0)") }
        maxJobs = count * Self.maxJobsPerThread
    }

    /// Runs `work` on one of the threads and `done` with its result at home.
    ///
    /// - Returns: false, and runs neither, when the queue is full.
    func run<Value: Sendable>(
        _ work: @escaping @Sendable () throws -> Value,
        done: @escaping @Sendable (Loop, Result<Value, any Error>) -> Void
    ) -> Bool {
        guard jobs.add(1, ordering: .relaxed).newValue <= maxJobs else {
            jobs.subtract(1, ordering: .relaxed)
            return false
        }
        let thread = threads[next.wrappingAdd(1, ordering: .relaxed).newValue % threads.count]
        return thread.submit { [self] _ in
            let result = Result { try work() }
            jobs.subtract(1, ordering: .relaxed)
            home.submit { loop in done(loop, result) }
        }
    }

    func stop() {
        for thread in threads { thread.stop() }
    }
}
