import Glibc

/// The one thread that starts all children of this process, and never ends before the process does.
///
/// A child that asks for a signal at its parent's death (`PR_SET_PDEATHSIG`, prctl(2)) gets it when the *thread* that
/// made it ends. Other threads come and go; this one stays, so the signal means what it should.
@safe final class SpawnThread: @unchecked Sendable {
    static let shared = SpawnThread()

    // SAFETY: both are allocated and initialised once and never freed: the one instance lives as long as the process.
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let changed = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var work: [() -> Void] = []

    private init() {
        unsafe pthread_mutex_init(mutex, nil)
        unsafe pthread_cond_init(changed, nil)
    }

    /// Started once, on the first use; a `static let` is made exactly once, by whoever comes first.
    private static let started: Void = {
        var thread = pthread_t()
        let result = unsafe pthread_create(&thread, nil, { _ in SpawnThread.shared.serve() }, nil)
        precondition(result == 0, "pthread_create failed: \(result)")
    }()

    /// Runs `body` on the thread and waits for what it gives.
    func run<Result>(_ body: () -> Result) -> Result {
        _ = Self.started
        var result: Result?
        withoutActuallyEscaping(body) { body in
            unsafe pthread_mutex_lock(mutex)
            work.append { result = body() }
            unsafe pthread_cond_broadcast(changed)
            while result == nil { unsafe pthread_cond_wait(changed, mutex) }
            unsafe pthread_mutex_unlock(mutex)
        }
        return result!
    }

    private func serve() -> Never {
        unsafe pthread_mutex_lock(mutex)
        while true {
            // Under the lock: one child at a time is quick enough, and `result` above needs no lock of its own.
            for task in work { task() }
            work.removeAll()
            unsafe pthread_cond_broadcast(changed)
            unsafe pthread_cond_wait(changed, mutex)
        }
    }
}
