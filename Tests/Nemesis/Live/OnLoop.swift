import QuashLoop
import TestSupport

/// What belongs to one loop, to be carried there by closures of other threads.
final class OnLoop<Value>: @unchecked Sendable {
    // SAFETY of @unchecked: after its making the value is touched on its loop alone.
    let value: Value

    init(_ value: Value) { self.value = value }
}

extension LoopThread {
    /// Runs `body` on the loop and waits for it.
    func call<Value: Sendable>(_ body: @escaping @Sendable (Loop) throws -> Value) throws -> Value {
        let done = Semaphore()
        let outcome = Locked<Result<Value, any Error>?>(nil)
        let isRunning = submit { loop in
            let result = Result { try body(loop) }
            outcome.withLock { $0 = result }
            done.signal()
        }
        guard isRunning else { throw TestSupportError("a loop has ended") }
        done.wait()
        guard let result = outcome.withLock({ $0 }) else { preconditionFailure("signalled without an outcome") }
        return try result.get()
    }
}
