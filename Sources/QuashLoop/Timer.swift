import CUV

/// Calls back on its loop after a time, once or repeatedly.
///
/// A timer keeps its loop running while it is started. It may be dropped at any moment: it never fires afterwards.
package final class Timer {
    private let handle: TimerHandle

    /// - Parameter fire: runs on the loop. The timer holds it until `close()`, so a closure that holds the timer's
    ///   owner strongly needs that call to let go of it.
    package init(on loop: Loop, fire: @escaping () -> Void) {
        handle = TimerHandle(loop: loop, fire: fire)
    }

    deinit {
        handle.close()
    }

    /// Fires after `after`, never earlier, then every `repeating` if it is given. Durations are rounded up to whole
    /// milliseconds; zero means as soon as possible, and from within a timer, before the loop looks at anything else. A
    /// timer that was already started is started anew. Does nothing once the timer is closed, or while its loop ends.
    package func start(after: Duration, repeating: Duration? = nil) {
        handle.start(after: after, repeating: repeating)
    }

    /// Takes the start back; the timer can be started again.
    package func stop() {
        handle.stop()
    }

    /// Ends the timer and lets go of its closure. May be called from within it, and more than once.
    package func close() {
        handle.close()
    }
}

@available(*, unavailable)
extension Timer: Sendable {}

/// The part of a timer that libuv refers to.
@safe private final class TimerHandle: HandleOwner {
    private var raw: UnsafeMutablePointer<uv_timer_t>?
    private var fire: (() -> Void)?

    init(loop: Loop, fire: @escaping () -> Void) {
        self.fire = fire
        super.init(loop: loop)
        // uv_timer_init has no way to fail (libuv 1.x returns 0 always).
        unsafe raw = try? open(UV_TIMER, as: uv_timer_t.self, "") { unsafe uv_timer_init($0, $1) }
    }

    func start(after: Duration, repeating: Duration?) {
        guard let raw = unsafe raw, !loop.isEnding else { return }
        // The loop's idea of now is as old as this turn; a timer counted from there would fire early.
        unsafe uv_update_time(loop.raw)
        let interval = repeating.map { max($0.timerMilliseconds, 1) } ?? 0
        unsafe uv_timer_start(raw, timerCallback, after.timerMilliseconds, interval)
    }

    func stop() {
        guard let raw = unsafe raw else { return }
        unsafe uv_timer_stop(raw)
    }

    func fired() {
        // Held by a local so that the closure may close the timer.
        let fire = fire
        fire?()
    }

    func close() {
        guard let raw = unsafe raw else { return }
        unsafe self.raw = nil
        fire = nil
        unsafe close(raw)
    }

    override func loopEnds() { close() }
}

private let timerCallback: uv_timer_cb = { timer in
    guard let timer = unsafe timer else { return }
    let handle = unsafe UnsafeMutableRawPointer(timer).assumingMemoryBound(to: uv_handle_t.self)
    unsafe owner(of: handle, as: TimerHandle.self).fired()
}
