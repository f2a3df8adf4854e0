import Glibc

/// A thread of its own, for tests that must have one: the shared pool of Swift's tasks is as wide as the machine, and
/// a busy loop on each of its threads would leave none for the test itself.
package final class TestThread {
    private final class Body {
        let run: () -> Void
        init(_ run: @escaping () -> Void) { self.run = run }
    }

    private var thread = pthread_t()

    /// Runs it at once.
    package init(_ run: @escaping @Sendable () -> Void) {
        // SAFETY: the body is retained here and released by the new thread, which runs it once.
        let body = unsafe Unmanaged.passRetained(Body(run)).toOpaque()
        let status = unsafe pthread_create(
            &thread, nil,
            { argument in
                guard let argument = unsafe argument else { return nil }
                unsafe Unmanaged<Body>.fromOpaque(argument).takeRetainedValue().run()
                return nil
            }, body)
        precondition(status == 0, "pthread_create: \(status)")
    }

    /// Waits until it has ended.
    package func join() { pthread_join(thread, nil) }
}
