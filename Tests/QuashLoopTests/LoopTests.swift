import Glibc
import QuashLoop
import Testing

@Suite struct LoopInstantTests {
    @Test func arithmeticKeepsNanoseconds() {
        let start = LoopInstant(nanoseconds: 5_000_000_000)
        #expect((start + .milliseconds(1)).nanoseconds == 5_001_000_000)
        #expect((start + .seconds(-2)).nanoseconds == 3_000_000_000)
        #expect(start + .seconds(1) - start == .seconds(1))
        #expect(start - (start + .nanoseconds(7)) == .nanoseconds(-7))
        #expect(start < start + .nanoseconds(1))
    }

    @Test func arithmeticStopsAtTheEndsOfTheClock() {
        let start = LoopInstant(nanoseconds: .max - 1)
        #expect((start + .seconds(9)).nanoseconds == .max)
        #expect((LoopInstant(nanoseconds: 3) + .seconds(-9)).nanoseconds == 0)
        #expect((LoopInstant(nanoseconds: 0) + .seconds(Int64.max)).nanoseconds == UInt64(Int64.max))
    }
}

@Suite struct LoopTests {
    @Test func runReturnsWhenNothingIsOpen() throws {
        let loop = try Loop()
        loop.run()
    }

    @Test func timersFireInOrderAndNeverEarly() throws {
        let loop = try Loop()
        let start = loop.now
        var fired: [(name: Int, at: Duration)] = []
        let timers = [30, 10, 20].map { milliseconds in
            let timer = Timer(on: loop) { fired.append((milliseconds, loop.now - start)) }
            timer.start(after: .milliseconds(milliseconds))
            return timer
        }
        loop.run()
        #expect(fired.map(\.name) == [10, 20, 30])
        for (name, at) in fired {
            // libuv's clock for timers may be the coarse one, one tick of at most 4 ms behind.
            #expect(at > .milliseconds(name) - .milliseconds(5))
        }
        for timer in timers { timer.close() }
        loop.close()
    }

    @Test func aRepeatingTimerFiresUntilItIsClosedFromWithin() throws {
        let loop = try Loop()
        var count = 0
        var timer: Timer?
        timer = Timer(on: loop) {
            count += 1
            if count == 3 { timer?.close() }
        }
        timer?.start(after: .zero, repeating: .milliseconds(1))
        loop.run()
        #expect(count == 3)
        loop.close()
    }

    @Test func aStoppedOrDroppedTimerNeverFires() throws {
        let loop = try Loop()
        var fired = false
        let stopped = Timer(on: loop) { fired = true }
        stopped.start(after: .milliseconds(1))
        stopped.stop()
        do {
            let dropped = Timer(on: loop) { fired = true }
            dropped.start(after: .milliseconds(1))
        }
        let closed = Timer(on: loop) { fired = true }
        closed.close()
        closed.start(after: .zero)
        let end = Timer(on: loop) { loop.stop() }
        end.start(after: .milliseconds(20))
        loop.run()
        #expect(!fired)
        loop.close()
        // A timer that outlives its loop is harmless.
        stopped.start(after: .zero)
        stopped.close()
    }

    @Test func aSignalReachesItsSourceUntilItCloses() throws {
        let loop = try Loop()
        var received: [Int32] = []
        var source: SignalSource?
        source = try SignalSource(on: loop, [SIGUSR1, SIGUSR2]) { signal in
            received.append(signal)
            if signal == SIGUSR1 { kill(getpid(), SIGUSR2) } else { source?.close() }
        }
        // To the process: this thread may be one whose signals are blocked.
        kill(getpid(), SIGUSR1)
        loop.run()
        #expect(received == [SIGUSR1, SIGUSR2])
        loop.close()
    }

    @Test func aSignalThatCannotBeCaughtIsAnError() throws {
        let loop = try Loop()
        let error = #expect(throws: LoopError.self) { try SignalSource(on: loop, [SIGKILL]) { _ in } }
        #expect(error?.description == "cannot watch signal 9: invalid argument")
        loop.close()
    }

    @Test func writingToAClosedPipeDoesNotEndTheProcess() throws {
        let loop = try Loop()
        var ends: [Int32] = [0, 0]
        #expect(unsafe pipe(&ends) == 0)
        close(ends[0])
        #expect(unsafe write(ends[1], "x", 1) == -1)
        #expect(errno == EPIPE)
        close(ends[1])
        loop.close()
    }
}

@Suite struct LoopThreadTests {
    @Test func jobsOfEachThreadRunInItsOrderAndNoneIsLost() async throws {
        let jobsPerThread = 2_000
        let seen = Locked<[Int: [Int]]>([:])
        let thread = try LoopThread(name: "test")
        await withTaskGroup(of: Void.self) { group in
            for submitter in 0..<4 {
                group.addTask {
                    for number in 0..<jobsPerThread {
                        thread.submit { _ in seen.withLock { $0[submitter, default: []].append(number) } }
                    }
                }
            }
        }
        // Every job that was taken runs, although the loop is told to stop.
        thread.stop()
        thread.join()
        for submitter in 0..<4 {
            #expect(seen.current[submitter] == Array(0..<jobsPerThread))
        }
    }

    @Test func afterStopNothingIsTaken() throws {
        let thread = try LoopThread(name: "test")
        thread.stop()
        #expect(!thread.submit { _ in Issue.record("a job ran after stop") })
        thread.join()
        #expect(!thread.submit { _ in Issue.record("a job ran after the end") })
        thread.stop()
        thread.join()
    }

    @Test func jobsRunOnTheNamedThread() async throws {
        try await withLoopThread("quash-loop-0") { thread in
            let name = try await thread.run { _ in
                // proc(5): the name of the thread that reads it.
                let file = unsafe open("/proc/thread-self/comm", O_RDONLY)
                defer { close(file) }
                var name = [UInt8](repeating: 0, count: 32)
                let count = unsafe read(file, &name, name.count)
                return String(decoding: name[..<max(count, 0)], as: UTF8.self)
            }
            #expect(name == "quash-loop-0\n")
        }
    }

    @Test func aJobMaySubmitAnother() async throws {
        try await withLoopThread { thread in
            let done = Awaited<Int>()
            thread.submit { _ in thread.submit { _ in done.set(7) } }
            let value = try await done.wait()
            #expect(value == 7)
        }
    }

    @Test func theEndOfALoopClosesWhatIsOpenOnIt() async throws {
        let closed = Awaited<LoopError?>()
        let thread = try LoopThread(name: "test")
        let address = try BoundAddress(.tcp(host: "127.0.0.1", port: 0))
        try await thread.run { loop in
            _ = try Listener(on: loop, at: address) { _ in Recorder() }
            let timer = Timer(on: loop) { Issue.record("a timer of an hour fired") }
            timer.start(after: .seconds(3600))
            Connection.connect(on: loop, to: address.endpoint, delegate: Recorder(closed: closed))
        }
        thread.stop()
        thread.join()
        #expect(try await closed.wait()?.code == .loopEnded)
        // The port is free again.
        _ = try BoundAddress(address.endpoint)
    }

    @Test func aThreadThatNobodyKeepsEndsByItself() async throws {
        let ended = Awaited<LoopError?>()
        do {
            let thread = try LoopThread(name: "test")
            thread.submit { loop in
                Connection.connect(
                    on: loop, to: .tcp(host: "127.0.0.1", port: 1), delegate: Recorder(closed: ended))
            }
        }
        _ = try await ended.wait()
    }
}
