import QuashLoop
import Testing

@Suite struct LoopProbeTests {
    @Test func aProbeIsAnsweredOnceEveryThreadHasAnswered() throws {
        let threads = try (0..<3).map { try LoopThread(name: "probed-\($0)") }
        let (held, hold, done, answered) = (Semaphore(), Semaphore(), Semaphore(), Locked(false))
        threads[1].submit { _ in
            held.signal()
            hold.wait()
        }
        held.wait()
        LoopThread.probe(threads) {
            answered.withLock { $0 = true }
            done.signal()
        }
        // The first thread has passed it on, and the last one turns, but the one between them does not.
        let (first, last) = (Semaphore(), Semaphore())
        threads[0].submit { _ in first.signal() }
        first.wait()
        threads[2].submit { _ in last.signal() }
        last.wait()
        #expect(!answered.withLock { $0 })
        hold.signal()
        done.wait()
        for thread in threads {
            thread.stop()
            thread.join()
        }
    }
}
