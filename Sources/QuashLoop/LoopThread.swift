import CUV
import Glibc
import Synchronization

/// A thread that runs one loop. `submit` is the only door to that loop from outside.
package final class LoopThread: Sendable {
    private let mailbox: Mailbox
    private let thread: pthread_t
    private let isJoined = Atomic<Bool>(false)

    /// Starts the thread; it runs until `stop()`.
    /// - Parameter name: shown by `ps -L` and debuggers, which keep 15 bytes of it.
    package init(name: String) throws(LoopError) {
        let mailbox = Mailbox()
        let loop = try Loop()
        _ = try MailboxReceiver(on: loop, mailbox: mailbox)
        self.mailbox = mailbox
        let start = ThreadStart(loop: loop, name: name)
        let argument = unsafe Unmanaged.passRetained(start)

        var attributes = pthread_attr_t()
        unsafe pthread_attr_init(&attributes)
        defer { unsafe pthread_attr_destroy(&attributes) }
        unsafe pthread_attr_setstacksize(&attributes, LoopLimits.threadStackBytes)
        var thread = pthread_t()
        let status = unsafe pthread_create(&thread, &attributes, threadMain, argument.toOpaque())
        self.thread = thread
        guard status == 0 else {
            unsafe argument.release()
            // `init` has set every property, so `deinit` runs: there is no thread that it could detach.
            isJoined.store(true, ordering: .relaxed)
            loop.close()
            throw LoopError(status: -status, "cannot start the thread \(name)")
        }
    }

    /// A thread that nobody joined is told to stop and left to end by itself.
    deinit {
        stop()
        if !isJoined.load(ordering: .acquiring) { pthread_detach(thread) }
    }

    /// Runs `job` on the loop, after the jobs that this thread submitted before. Returns false, and drops the job, once
    /// the loop has been told to stop; a job that was taken is always run. Thread-safe.
    @discardableResult
    package func submit(_ job: @escaping @Sendable (Loop) -> Void) -> Bool {
        mailbox.submit(job)
    }

    /// Calls back, on the last of these threads, once each of them has run a job; never when one hangs or has ended.
    package static func probe(_ threads: [LoopThread], _ answered: @escaping @Sendable () -> Void) {
        guard let first = threads.first else { return answered() }
        let rest = Array(threads.dropFirst())
        first.submit { _ in probe(rest, answered) }
    }

    /// Ends the loop after the jobs that were submitted so far; everything that is open on it is closed. Returns at
    /// once. Thread-safe.
    package func stop() {
        mailbox.close()
    }

    /// Waits for the end of the thread, once. Not from the loop itself.
    package func join() {
        precondition(pthread_equal(thread, pthread_self()) == 0, "a loop's thread cannot wait for itself")
        guard !isJoined.exchange(true, ordering: .acquiringAndReleasing) else { return }
        pthread_join(thread, nil)
    }
}

/// What the new thread is given.
private final class ThreadStart {
    let loop: Loop
    let name: String

    init(loop: Loop, name: String) {
        self.loop = loop
        self.name = name
    }
}

/// SAFETY: the argument is the reference that `LoopThread.init` retained for this call. The loop inside was made on the
/// other thread, which does not touch it after pthread_create has succeeded.
private let threadMain: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = { argument in
    guard let argument = unsafe argument else { return nil }
    let start = unsafe Unmanaged<ThreadStart>.fromOpaque(argument).takeRetainedValue()
    unsafe _ = quash_name_this_thread(start.name)
    start.loop.run()
    start.loop.close()
    return nil
}
