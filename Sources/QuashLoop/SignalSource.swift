import CUV

/// Calls back on its loop when the process receives one of some signals. The signals' default actions are off while a
/// source for them is open.
package final class SignalSource {
    private let handles: [SignalHandle]

    /// - Parameters:
    ///   - signals: such as SIGTERM. SIGKILL and SIGSTOP cannot be caught: they throw.
    ///   - received: runs on the loop, once for each signal, with its number. Signals of the same number that arrive
    ///     before it ran may be merged. Held until `close()`.
    package init(on loop: Loop, _ signals: [Int32], received: @escaping (Int32) -> Void) throws(LoopError) {
        var handles: [SignalHandle] = []
        do throws(LoopError) {
            for signal in signals {
                handles.append(try SignalHandle(on: loop, signal: signal, received: received))
            }
        } catch {
            for handle in handles { handle.close() }
            throw error
        }
        self.handles = handles
    }

    deinit {
        close()
    }

    /// Gives the signals back to their default actions. May be called more than once.
    package func close() {
        for handle in handles { handle.close() }
    }
}

@available(*, unavailable)
extension SignalSource: Sendable {}

@safe private final class SignalHandle: HandleOwner {
    private var raw: UnsafeMutablePointer<uv_signal_t>?
    private var received: ((Int32) -> Void)?

    init(on loop: Loop, signal: Int32, received: @escaping (Int32) -> Void) throws(LoopError) {
        self.received = received
        super.init(loop: loop)
        let handle = unsafe try open(UV_SIGNAL, as: uv_signal_t.self, "cannot watch a signal") {
            unsafe uv_signal_init($0, $1)
        }
        unsafe raw = unsafe handle
        let status = unsafe uv_signal_start(handle, signalCallback, signal)
        guard status == 0 else {
            close()
            throw LoopError(status: status, "cannot watch signal \(signal)")
        }
    }

    func fired(_ signal: Int32) {
        let received = received
        received?(signal)
    }

    func close() {
        guard let raw = unsafe raw else { return }
        unsafe self.raw = nil
        received = nil
        unsafe close(raw)
    }

    override func loopEnds() { close() }
}

private let signalCallback: uv_signal_cb = { signal, number in
    guard let signal = unsafe signal else { return }
    let handle = unsafe UnsafeMutableRawPointer(signal).assumingMemoryBound(to: uv_handle_t.self)
    unsafe owner(of: handle, as: SignalHandle.self).fired(number)
}
