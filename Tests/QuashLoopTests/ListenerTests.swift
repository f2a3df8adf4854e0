import Glibc
import QuashLoop
import Testing

@Suite struct ListenerTests {
    @Test func aSecondListenerOnTheSameAddressIsRefused() throws {
        let first = try BoundAddress(.tcp(host: "127.0.0.1", port: 0), listeners: 3)
        guard case .tcp(_, let port) = first.endpoint else { return }
        #expect(port != 0)
        for host in ["127.0.0.1", "0.0.0.0"] {
            let error = #expect(throws: LoopError.self) {
                try BoundAddress(.tcp(host: host, port: port), listeners: 2)
            }
            #expect(error?.code == .addressInUse)
            #expect(
                error?.description
                    == "cannot listen on \(host):\(port): address already in use; stop the process that holds it or "
                    + "choose another address")
        }
    }

    @Test func aUnixSocketOnWhichSomebodyAnswersIsRefusedAndAStaleOneReplaced() throws {
        let path = temporaryPath("stale")
        let endpoint = Endpoint.unix(path: path)
        do {
            let first = try BoundAddress(endpoint)
            let error = #expect(throws: LoopError.self) { try BoundAddress(endpoint) }
            #expect(error?.code == .addressInUse)
            _ = first
        }
        #expect(unsafe access(path, F_OK) == -1)

        // A socket file without a listener, as a killed process leaves it.
        let stale = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: path.utf8) }
        let status = unsafe withUnsafePointer(to: address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe bind(stale, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        #expect(status == 0)
        close(stale)
        #expect(unsafe access(path, F_OK) == 0)
        let second = try BoundAddress(endpoint)
        var information = stat()
        #expect(unsafe stat(path, &information) == 0)
        #expect(information.st_mode & 0o777 == 0o660)
        _ = second
    }

    @Test func aFileThatIsNoSocketIsNeverRemoved() throws {
        let path = temporaryPath("file")
        let descriptor = unsafe open(path, O_CREAT | O_WRONLY, 0o600)
        close(descriptor)
        defer { unsafe _ = unlink(path) }
        let error = #expect(throws: LoopError.self) { try BoundAddress(.unix(path: path)) }
        #expect(error?.code == .addressInUse)
        #expect(unsafe access(path, F_OK) == 0)
    }

    @Test func aNameThatIsNotOfThisMachineIsRefused() {
        let error = #expect(throws: LoopError.self) { try BoundAddress(.tcp(host: "nobody.invalid", port: 0)) }
        #expect(error?.code == .unresolved)
        let foreign = #expect(throws: LoopError.self) { try BoundAddress(.tcp(host: "192.0.2.1", port: 0)) }
        #expect(foreign?.name == "EADDRNOTAVAIL")
    }

    @Test(arguments: Kind.allCases)
    func severalLoopsServeOneAddress(kind: Kind) async throws {
        let count = 200
        let served = Locked([0, 0])
        let address = try BoundAddress(kind.endpoint(), listeners: 2)
        try await withLoopThread { first in
            try await withLoopThread { second in
                for (number, thread) in [first, second].enumerated() {
                    try await thread.run { loop in
                        _ = try Listener(on: loop, at: address) { _ in
                            served.withLock { $0[number] += 1 }
                            return Recorder()
                        }
                    }
                }
                let closed = (0..<count).map { _ in Awaited<LoopError?>() }
                try await first.run { loop in
                    for closed in closed {
                        let recorder = Recorder(closed: closed)
                        recorder.onOpen = { $0.closeAfterFlush() }
                        Connection.connect(on: loop, to: address.endpoint, delegate: recorder)
                    }
                }
                for closed in closed { _ = try await closed.wait() }
            }
        }
        let counts = served.current
        #expect(counts[0] + counts[1] == count)
        // A unix socket is taken by whoever is awake first; TCP is spread by the kernel's hash of both ports.
        if kind == .tcp { #expect(counts[0] > count / 8 && counts[1] > count / 8) }
    }

    @Test(arguments: Kind.allCases)
    func atTheCapNothingIsAcceptedUntilAConnectionCloses(kind: Kind) async throws {
        let accepted = Locked(0)
        let address = try BoundAddress(kind.endpoint(), connections: ConnectionBudget(limit: 2))
        try await withLoopThread { thread in
            let greeted = (0..<5).map { _ in Awaited<Bool>() }
            let closed = (0..<5).map { _ in Awaited<LoopError?>() }
            try await thread.run { loop in
                let made = try Listener(on: loop, at: address) { _ in
                    accepted.withLock { $0 += 1 }
                    let recorder = Recorder()
                    recorder.onOpen = { $0.write([1]) }
                    return recorder
                }
                var open = 0
                for number in 0..<5 {
                    let recorder = Recorder(closed: closed[number])
                    recorder.onBytes = { connection, _ in
                        open += 1
                        #expect(open <= 2)
                        #expect(made.connectionCount <= 2)
                        greeted[number].set(true)
                        // Long enough for a listener without a cap to accept all five.
                        let timer = Timer(on: loop) { connection.close() }
                        timer.start(after: .milliseconds(20))
                        recorder.onClose = {
                            timer.close()
                            open -= 1
                        }
                    }
                    Connection.connect(on: loop, to: address.endpoint, delegate: recorder)
                }
            }
            for closed in closed { _ = try await closed.wait() }
            for greeted in greeted { #expect(greeted.isSet) }
            #expect(accepted.current == 5)
        }
    }

    @Test(arguments: Kind.allCases)
    func oneBudgetHoldsForEveryAddressAndACrowdAtOneDoesNotKeepTheOther(kind: Kind) async throws {
        let pauses = Locked(0)
        let bothPaused = Awaited<Bool>()
        let budget = ConnectionBudget(limit: 2) { shortage in
            #expect(shortage == .connections)
            if pauses.withLock({
                $0 += 1; return $0
            }) == 2 {
                bothPaused.set(true)
            }
        }
        let addresses = [
            try BoundAddress(kind.endpoint(), connections: budget),
            try BoundAddress(kind.endpoint(), connections: budget),
        ]
        // At which address each connection was accepted.
        let served = Locked<[Int]>([])
        try await withLoopThread { first in
            try await withLoopThread { second in
                for (number, thread) in [first, second].enumerated() {
                    try await thread.run { loop in
                        _ = try Listener(on: loop, at: addresses[number]) { _ in
                            served.withLock { $0.append(number) }
                            #expect(budget.open <= 2)
                            let recorder = Recorder()
                            recorder.onOpen = { $0.write([1]) }
                            return recorder
                        }
                    }
                }
                let closed = (0..<60).map { _ in Awaited<LoopError?>() }
                let holders = Locked<[Connection]>([])
                try await first.run { loop in
                    func connect(to number: Int, _ closed: Awaited<LoopError?>) {
                        let recorder = Recorder(closed: closed)
                        recorder.onBytes = { connection, _ in
                            // Two keep the places until both addresses wait; the second of them lets the other begin.
                            let count = holders.withLock { holders in
                                if holders.count < 2 { holders.append(connection) } else { connection.close() }
                                return holders.count
                            }
                            if count == 2, number == 0, !bothPaused.isSet { connectOther() }
                        }
                        Connection.connect(on: loop, to: addresses[number].endpoint, delegate: recorder)
                    }
                    func connectOther() { connect(to: 1, closed[59]) }
                    for number in 0..<59 { connect(to: 0, closed[number]) }
                }
                _ = try await bothPaused.wait()
                try await first.run { _ in for holder in holders.current { holder.close() } }
                for closed in closed { _ = try await closed.wait() }
            }
        }
        #expect(served.current.count == 60)
        let place = try #require(served.current.firstIndex(of: 1))
        #expect(place < 6, "the other address was served as number \(place)")
        #expect(budget.open == 0)
    }

    /// A handshake costs a private operation: a crowd must not have all of theirs before anything else is looked at.
    @Test(arguments: [(false, 64), (true, 4)])
    func aCrowdIsAcceptedAFewAtATime(isTLS: Bool, most: Int) async throws {
        let tls = isTLS ? try TLSFiles().server() : nil
        let address = try BoundAddress(.tcp(host: "127.0.0.1", port: 0))
        let accepted = Locked(0)
        // How many were accepted from one turn of the loop to the next.
        let steps = Locked<[Int]>([])
        let count = 150
        try await withLoopThread { first in
            try await withLoopThread { second in
                let opened = (0..<count).map { _ in Awaited<Bool>() }
                let (go, done) = (Semaphore(), Awaited<Bool>())
                try await first.run { loop in
                    _ = try Listener(on: loop, at: address, tls: tls) { _ in
                        accepted.withLock { $0 += 1 }
                        return Recorder()
                    }
                }
                first.submit { _ in go.wait() }
                try await second.run { loop in
                    for opened in opened {
                        let recorder = Recorder()
                        recorder.onOpen = { _ in opened.set(true) }
                        Connection.connect(on: loop, to: address.endpoint, delegate: recorder)
                    }
                }
                for opened in opened { _ = try await opened.wait() }
                @Sendable func look(at last: Int) {
                    let now = accepted.current
                    steps.withLock { $0.append(now - last) }
                    if now == count { return done.set(true) }
                    first.submit { _ in look(at: now) }
                }
                first.submit { _ in look(at: 0) }
                go.signal()
                _ = try await done.wait()
            }
        }
        #expect(steps.current.max() == most)
    }

    @Test func aClosedListenerRefusesAndKeepsItsConnections() async throws {
        try await withLoopThread { thread in
            let address = try BoundAddress(.tcp(host: "127.0.0.1", port: 0))
            let echoed = Awaited<LoopError?>()
            let refused = Awaited<LoopError?>()
            try await thread.run { loop in
                var listener: Listener?
                listener = try Listener(on: loop, at: address) { _ in
                    let recorder = Recorder()
                    recorder.onBytes = { connection, bytes in
                        listener?.close()
                        listener?.close()
                        Connection.connect(on: loop, to: address.endpoint, delegate: Recorder(closed: refused))
                        connection.write(bytes)
                    }
                    return recorder
                }
                let recorder = Recorder(closed: echoed)
                recorder.onOpen = { $0.write([9]) }
                recorder.onBytes = { connection, _ in connection.close() }
                Connection.connect(on: loop, to: address.endpoint, delegate: recorder)
            }
            #expect(try await echoed.wait() == nil)
            #expect(try await refused.wait()?.code == .refused)
        }
    }
}
