package import QuashCrypto
import QuashLoop

/// An HTTP client for threads that may wait: the command line, the demo, tests. It runs a loop of its own.
package final class BlockingHTTPClient: Sendable {
    private let thread: LoopThread
    private let tls: TLSContext?

    /// - Parameter tls: a client's context for https; without one, https is refused.
    package init(tls: TLSContext? = nil) throws {
        thread = try LoopThread(name: "quash-client")
        self.tls = tls
    }

    deinit {
        thread.stop()
        thread.join()
    }

    /// Sends `request` and waits for its answer, at most as long as its timeout. Not from a loop.
    package func send(_ request: HTTPClient.Request) throws(HTTPError) -> HTTPResponse {
        let answered = Semaphore()
        let answer = Locked<Result<HTTPResponse, HTTPError>?>(nil)
        thread.submit { [tls] loop in
            HTTPClient(on: loop, tls: tls).send(request) { result in
                answer.withLock { $0 = result }
                answered.signal()
            }
        }
        answered.wait()
        guard let result = answer.withLock({ $0 }) else { preconditionFailure("signalled without an answer") }
        return try result.get()
    }
}
