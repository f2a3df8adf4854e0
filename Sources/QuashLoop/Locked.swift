/// A value that several threads read and change, one at a time.
package final class Locked<Value: Sendable>: @unchecked Sendable {
    // SAFETY of @unchecked: the value is touched only under the lock.
    private let lock = Lock()
    private var value: Value

    package init(_ value: Value) {
        self.value = value
    }

    /// Runs `body` with the value. Not for anything that waits.
    package func withLock<Result>(_ body: (inout Value) -> Result) -> Result {
        lock.withLock { body(&value) }
    }
}
