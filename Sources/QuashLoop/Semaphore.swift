import Glibc

/// Lets one thread wait for another (sem_overview(7)). Never used on a loop.
@safe package final class Semaphore: @unchecked Sendable {
    // SAFETY of @unchecked: a POSIX semaphore is made for several threads; the pointer never changes.
    private let semaphore: UnsafeMutablePointer<sem_t>

    package init() {
        unsafe semaphore = .allocate(capacity: 1)
        unsafe semaphore.initialize(to: sem_t())
        let status = unsafe sem_init(semaphore, 0, 0)
        precondition(status == 0, "sem_init failed")
    }

    deinit {
        unsafe sem_destroy(semaphore)
        unsafe semaphore.deallocate()
    }

    /// Lets one waiting thread go on, now or when it comes to wait.
    package func signal() { unsafe _ = sem_post(semaphore) }

    /// Waits for one `signal`.
    package func wait() {
        while unsafe sem_wait(semaphore) != 0 {}
    }
}
