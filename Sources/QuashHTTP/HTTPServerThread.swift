package import QuashLoop

/// An HTTP server on a loop and a thread of its own, for as long as the value lives.
package final class HTTPServerThread: Sendable {
    /// Where it listens; with the port that the system chose where 0 was given.
    package let address: String
    private let thread: LoopThread

    /// - Parameter responder: makes what answers, on the new thread.
    package init(
        name: String, at endpoint: Endpoint, responder: @escaping @Sendable () -> any HTTPResponder
    ) throws(LoopError) {
        let bound = try BoundAddress(endpoint)
        address = "\(bound.endpoint)"
        thread = try LoopThread(name: name)
        let failure = Locked<LoopError?>(nil)
        let started = Semaphore()
        thread.submit { loop in
            do throws(LoopError) {
                // The server lives as long as its loop: its listener holds it.
                _ = try HTTPServer(on: loop, at: bound, responder: responder())
            } catch {
                failure.withLock { $0 = error }
            }
            started.signal()
        }
        started.wait()
        if let error = failure.withLock({ $0 }) { throw error }
    }

    deinit {
        thread.stop()
        thread.join()
    }
}
