import CUV

/// The jobs that other threads hand to a loop. The only object of this module that several threads use.
///
/// States: open → closing (no more jobs are taken) → gone (the loop has ended). A job that was taken is always run.
@safe final class Mailbox: @unchecked Sendable {
    typealias Job = @Sendable (Loop) -> Void

    private let lock = Lock()
    // All guarded by the lock.
    private var jobs: [Job] = []
    private var isOpen = true
    private var wake: UnsafeMutablePointer<uv_async_t>?

    /// Takes a job for the loop to run; false when it has been told to stop. Thread-safe. O(1) amortised.
    func submit(_ job: @escaping Job) -> Bool {
        lock.withLock {
            guard isOpen else { return false }
            jobs.append(job)
            if jobs.count == 1 { signal() }
            return true
        }
    }

    /// Takes no more jobs; the loop stops once it has run those that it has. Thread-safe.
    func close() {
        lock.withLock {
            guard isOpen else { return }
            isOpen = false
            signal()
        }
    }

    fileprivate func attach(_ async: UnsafeMutablePointer<uv_async_t>) {
        lock.withLock { unsafe wake = async }
    }

    /// From here on nobody touches the handle, so the loop may close it.
    fileprivate func detach() {
        lock.withLock {
            isOpen = false
            unsafe wake = nil
        }
    }

    /// Everything that is waiting, in the order in which it came, and whether more can come.
    fileprivate func takeAll() -> (jobs: [Job], isOpen: Bool) {
        lock.withLock {
            let taken = jobs
            jobs = []
            return (taken, isOpen)
        }
    }

    /// SAFETY: uv_async_send is the one function of libuv that any thread may call; the lock keeps the handle open
    /// during the call. libuv merges several calls into one callback, which is why the mailbox is drained whole.
    private func signal() {
        if let wake = unsafe wake { unsafe _ = uv_async_send(wake) }
    }
}

/// The loop's end of a mailbox: runs its jobs.
@safe final class MailboxReceiver: HandleOwner {
    private let mailbox: Mailbox
    private var raw: UnsafeMutablePointer<uv_async_t>?

    init(on loop: Loop, mailbox: Mailbox) throws(LoopError) {
        self.mailbox = mailbox
        super.init(loop: loop)
        let async = unsafe try open(UV_ASYNC, as: uv_async_t.self, "cannot make a mailbox for a loop") {
            unsafe uv_async_init($0, $1, mailboxCallback)
        }
        unsafe raw = unsafe async
        unsafe mailbox.attach(async)
    }

    fileprivate func drain() {
        let (jobs, isOpen) = mailbox.takeAll()
        for job in jobs { job(loop) }
        if !isOpen { loop.stop() }
    }

    override func loopEnds() {
        guard let raw = unsafe raw else { return }
        unsafe self.raw = nil
        mailbox.detach()
        drain()
        unsafe close(raw)
    }
}

private let mailboxCallback: uv_async_cb = { async in
    guard let async = unsafe async else { return }
    let handle = unsafe UnsafeMutableRawPointer(async).assumingMemoryBound(to: uv_handle_t.self)
    unsafe owner(of: handle, as: MailboxReceiver.self).drain()
}
