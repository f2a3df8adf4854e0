import QuashCrypto
import QuashLoop
import Synchronization

/// Threads that sign, because a signature takes a quarter of a millisecond and would keep the event loop from everyone
/// else meanwhile. Bounded: who comes when the queue is full is refused, not kept waiting.
final class SigningPool: Sendable {
    /// Places for each thread: at 4,000 signatures a second, a fifth of a second of waiting.
    static let maxJobsPerThread = 400

    /// Jobs that may wait or be under way at one time, those included for which a place is only kept.
    let maxJobs: Int

    private let threads: [LoopThread]
    private let home: LoopThread
    fileprivate let jobs = Atomic(0)
    private let next = Atomic(0)

    /// - Parameter home: on whose loop the results are delivered.
    /// - Parameter count: of threads; one for each core is enough.
    init(home: LoopThread, count: Int) throws {
        self.home = home
        threads = try (0..<count).map { try LoopThread(name: "quash-sign-\($0)") }
        maxJobs = count * Self.maxJobsPerThread
    }

    /// A place for one job, or nil when the queue is full.
    ///
    /// Whoever must first do what cannot be undone, such as spending a refresh token, takes its place before: then it
    /// is not refused afterwards.
    func place() -> SigningPlace? {
        guard jobs.add(1, ordering: .relaxed).newValue <= maxJobs else {
            jobs.subtract(1, ordering: .relaxed)
            return nil
        }
        return SigningPlace(self)
    }

    /// Runs `work` on one of the threads and `done` with its result at home.
    func run<Value: Sendable>(
        in place: SigningPlace, _ work: @escaping @Sendable () throws -> Value,
        done: @escaping @Sendable (Loop, Result<Value, any Error>) -> Void
    ) {
        let thread = threads[next.wrappingAdd(1, ordering: .relaxed).newValue % threads.count]
        thread.submit { [home] _ in
            let result = Result { try work() }
            place.leave()
            home.submit { loop in done(loop, result) }
        }
    }

    func stop() {
        for thread in threads { thread.stop() }
    }
}

/// A place in the queue of a pool: free again when its job is done, or when nobody keeps it any more.
final class SigningPlace: Sendable {
    private let pool: SigningPool
    private let isTaken = Atomic(true)

    fileprivate init(_ pool: SigningPool) { self.pool = pool }

    deinit { leave() }

    fileprivate func leave() {
        if isTaken.exchange(false, ordering: .relaxed) { pool.jobs.subtract(1, ordering: .relaxed) }
    }
}
