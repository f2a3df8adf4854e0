import CUV

/// Makes a loop call back, from any thread; several requests may become one call.
@safe final class LoopWake: @unchecked Sendable {
    private let lock = Lock()
    // Guarded by the lock.
    private var raw: UnsafeMutablePointer<uv_async_t>?

    /// - Parameter woken: runs on the loop. Held until `close()`.
    init(on loop: Loop, woken: @escaping () -> Void) throws(LoopError) {
        let receiver = WakeReceiver(loop: loop, wake: self, woken: woken)
        let async = unsafe try receiver.open(UV_ASYNC, as: uv_async_t.self, "cannot make a wake-up for a loop") {
            unsafe uv_async_init($0, $1, wakeCallback)
        }
        unsafe raw = unsafe async
    }

    /// Requests a call; none comes once it is closed. Thread-safe.
    ///
    /// SAFETY: uv_async_send is the one function of libuv that any thread may call; the lock keeps the handle open
    /// during the call.
    func send() {
        lock.withLock {
            if let raw = unsafe raw { unsafe _ = uv_async_send(raw) }
        }
    }

    /// Ends it, on its loop. May be called more than once.
    func close() {
        let taken = unsafe lock.withLock { () -> UnsafeMutablePointer<uv_async_t>? in
            defer { unsafe raw = nil }
            return unsafe raw
        }
        guard let taken = unsafe taken else { return }
        let handle = unsafe UnsafeMutableRawPointer(taken).assumingMemoryBound(to: uv_handle_t.self)
        unsafe owner(of: handle, as: WakeReceiver.self).end(taken)
    }
}

/// The loop's end of it.
private final class WakeReceiver: HandleOwner {
    private let wake: LoopWake
    private var woken: (() -> Void)?

    init(loop: Loop, wake: LoopWake, woken: @escaping () -> Void) {
        self.wake = wake
        self.woken = woken
        super.init(loop: loop)
    }

    func wakeUp() { woken?() }

    func end(_ handle: UnsafeMutablePointer<uv_async_t>) {
        woken = nil
        unsafe close(handle)
    }

    override func loopEnds() { wake.close() }
}

private let wakeCallback: uv_async_cb = { async in
    guard let async = unsafe async else { return }
    let handle = unsafe UnsafeMutableRawPointer(async).assumingMemoryBound(to: uv_handle_t.self)
    unsafe owner(of: handle, as: WakeReceiver.self).wakeUp()
}
