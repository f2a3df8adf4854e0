import CUV
import Glibc

/// One libuv event loop. What belongs to a loop is made, used and closed on the thread that runs it.
///
/// An idle `Loop` costs one epoll descriptor and a 64 KiB read buffer. `LoopThread` runs one on a thread of its own and
/// has the only door from outside; a command line runs one on its main thread.
@safe package final class Loop {
    let raw: UnsafeMutablePointer<uv_loop_t>

    /// Into which every connection of this loop reads: libuv asks for the buffer right before it reads, and the read
    /// callback returns before the next read, so one is enough for any number of connections.
    let readBuffer: UnsafeMutableRawBufferPointer

    private var isOpen = true

    /// Throws when the process has no descriptor or memory left.
    package init() throws(LoopError) {
        _ = brokenPipeIgnored
        unsafe raw = .allocate(capacity: 1)
        let status = unsafe uv_loop_init(raw)
        guard status == 0 else {
            unsafe raw.deallocate()
            throw LoopError(status: status, "cannot make an event loop")
        }
        unsafe readBuffer = .allocate(byteCount: LoopLimits.readBufferBytes, alignment: 16)
        unsafe raw.pointee.data = readBuffer.baseAddress
    }

    deinit {
        // Every open handle retains its owner, which retains the loop: here, none is open.
        if isOpen { free() }
    }

    /// The time now, read from the clock: 25 ns.
    package var now: LoopInstant { LoopInstant(nanoseconds: uv_hrtime()) }

    /// Tells this turn of the loop from others, to the millisecond in which it began.
    package var turn: UInt64 { unsafe uv_now(raw) }

    /// Runs callbacks until nothing is open on this loop, or until `stop()`.
    package func run() {
        precondition(isOpen, "a loop was run after it was closed")
        unsafe _ = uv_run(raw, UV_RUN_DEFAULT)
    }

    /// Runs the callbacks of one turn, and waits for the first if none is due. For whoever has the thread to itself.
    package func runOnce() {
        precondition(isOpen, "a loop was run after it was closed")
        unsafe _ = uv_run(raw, UV_RUN_ONCE)
    }

    /// Makes `run()` return at the end of this turn. What is open stays open.
    package func stop() {
        if isOpen { unsafe uv_stop(raw) }
    }

    /// Closes everything that is open on this loop, lets each owner hear of it, and frees the loop. For the one who
    /// runs it, after `run()` has returned. A name resolution that is under way is waited for: libuv has no way to
    /// break it off.
    package func close() {
        guard isOpen else { return }
        isEnding = true
        repeat {
            // An owner that hears of its end may open something more, which then has to close too.
            unsafe uv_walk(raw, closeOwnerCallback, nil)
        } while unsafe uv_run(raw, UV_RUN_ONCE) != 0
        free()
    }

    /// The loop is being closed: nothing that begins now can succeed.
    private(set) var isEnding = false

    private func free() {
        let status = unsafe uv_loop_close(raw)
        precondition(status == 0, "a loop was freed while something was open on it")
        isOpen = false
        unsafe raw.deallocate()
        unsafe readBuffer.deallocate()
    }
}

@available(*, unavailable)
extension Loop: Sendable {}

private let closeOwnerCallback: uv_walk_cb = { handle, _ in
    guard let handle = unsafe handle, unsafe uv_is_closing(handle) == 0 else { return }
    unsafe owner(of: handle, as: HandleOwner.self).loopEnds()
}

/// libuv writes with write(2), which raises SIGPIPE when the peer is gone, and the default of that signal ends the
/// process. The error EPIPE says the same to the one who wrote, so the signal is ignored, once, when the first loop of
/// the process is made. It stays a signal handler that the embedding program can set afterwards.
private let brokenPipeIgnored: Void = {
    _ = signal(SIGPIPE, SIG_IGN)
}()
