import Testing

@testable import QuashLoop

@Suite struct ConnectionTests {
    /// Both sides on one loop: what `serve` and `call` make of it, and how each side ended.
    private func pair(
        _ kind: Kind, limits: ConnectionLimits = ConnectionLimits(), endsWithServer: Bool = false,
        serve: @escaping @Sendable (Recorder) -> Void, call: @escaping @Sendable (Recorder) -> Void
    ) async throws -> (server: LoopError?, client: LoopError?) {
        let served = Awaited<LoopError?>()
        let called = Awaited<LoopError?>()
        return try await withLoopThread { thread in
            let address = try BoundAddress(kind.endpoint())
            try await thread.run { loop in
                _ = try Listener(on: loop, at: address, limits: limits) { _ in
                    let recorder = Recorder(closed: served)
                    serve(recorder)
                    return recorder
                }
                let recorder = Recorder(closed: called)
                call(recorder)
                Connection.connect(on: loop, to: address.endpoint, limits: limits, delegate: recorder)
            }
            let server = try await served.wait()
            if endsWithServer { thread.stop() }
            return (server, try await called.wait())
        }
    }

    @Test(arguments: Kind.allCases)
    func echoesAndReportsTheEnd(kind: Kind) async throws {
        let ends = try await pair(kind) { server in
            server.onBytes = { $0.write($1) }
        } call: { client in
            client.onOpen = { $0.write(Array("hello".utf8)) }
            client.onBytes = { connection, _ in
                if client.received == Array("hello".utf8) { connection.close() }
            }
        }
        #expect(ends.server?.code == .endOfStream)
        #expect(ends.client == nil)
    }

    @Test(arguments: Kind.allCases)
    func aWriteThatTheKernelDoesNotTakeAtOnceArrivesWholeAndReportsItsEnd(kind: Kind) async throws {
        let bytes = pattern(5_000_000)
        let drained = Awaited<Int>()
        let limits = ConnectionLimits(maxQueuedBytes: 10_000_000)
        let ends = try await pair(kind, limits: limits) { server in
            server.onOpen = { connection in
                connection.pauseReading()
                #expect(connection.write(bytes) == false)
                #expect(connection.queuedBytes > 0)
                // What is written while something waits comes after it.
                #expect(connection.write([1, 2, 3]) == false)
            }
            server.onDrain = { connection in
                drained.set(connection.queuedBytes)
                connection.closeAfterFlush()
            }
        } call: { client in
            client.onEnd = { connection in
                #expect(client.received == bytes + [1, 2, 3])
                connection.close()
            }
        }
        #expect(try await drained.wait() == 0)
        #expect(ends.client == nil)
        #expect(ends.server == nil)
    }

    @Test(arguments: Kind.allCases)
    func aPeerThatDoesNotReadIsCutAtTheLimitOfTheQueue(kind: Kind) async throws {
        let ends = try await pair(kind, limits: ConnectionLimits(maxQueuedBytes: 100_000), endsWithServer: true) {
            server in
            server.onOpen = { connection in
                let chunk = [UInt8](repeating: 7, count: 50_000)
                for _ in 0..<1_000 where !server.closed.isSet {
                    connection.write(chunk)
                    #expect(connection.queuedBytes <= 100_000)
                }
            }
        } call: { client in
            client.onOpen = { $0.pauseReading() }
        }
        #expect(ends.server?.code == .limit)
    }

    @Test(arguments: Kind.allCases)
    func aPeerThatEndsItsSideStillGetsItsAnswer(kind: Kind) async throws {
        let ends = try await pair(kind) { server in
            server.onEnd = { connection in
                #expect(server.received == Array("question".utf8))
                connection.write(Array("answer".utf8))
                connection.closeAfterFlush()
            }
        } call: { client in
            client.onOpen = { connection in
                connection.write(Array("question".utf8))
                connection.closeAfterFlush()
            }
        }
        #expect(ends.server == nil)
        #expect(ends.client == nil)
    }

    @Test(arguments: Kind.allCases)
    func closingWithUnreadBytesAfterAFlushDoesNotDestroyTheAnswer(kind: Kind) async throws {
        let flood = [UInt8](repeating: 1, count: 400_000)
        let ends = try await pair(kind) { server in
            server.onBytes = { connection, _ in
                connection.pauseReading()
                connection.write(Array("refused".utf8))
                connection.closeAfterFlush(deadline: .seconds(10))
            }
        } call: { client in
            client.onOpen = { $0.write(flood) }
            client.onEnd = { connection in
                #expect(client.received == Array("refused".utf8))
                connection.close()
            }
        }
        #expect(ends.server == nil)
        #expect(ends.client == nil)
    }

    @Test func aPeerThatNeverEndsItsSideIsClosedAtTheDeadline() async throws {
        let ends = try await pair(.tcp) { server in
            server.onOpen = { $0.closeAfterFlush(deadline: .milliseconds(20)) }
        } call: { client in
            client.onEnd = { _ in }
            // Only once the server is gone does a write of the client break.
            client.onOpen = { connection in
                let timer = Timer(on: connection.loop) { connection.write([1]) }
                timer.start(after: .milliseconds(1), repeating: .milliseconds(1))
                client.onDrain = { _ in timer.close() }
            }
        }
        #expect(ends.server == nil)
        #expect(ends.client?.code == .reset)
    }

    @Test(arguments: Kind.allCases)
    func readingStopsWhilePaused(kind: Kind) async throws {
        let ends = try await pair(kind) { server in
            server.onOpen = { connection in
                connection.pauseReading()
                let timer = Timer(on: connection.loop) {
                    #expect(server.received.isEmpty)
                    connection.resumeReading()
                }
                timer.start(after: .milliseconds(30))
                server.onEnd = {
                    timer.close()
                    #expect(server.received == [1, 2, 3])
                    $0.close()
                }
            }
        } call: { client in
            client.onOpen = {
                $0.write([1, 2, 3])
                $0.closeAfterFlush()
            }
        }
        #expect(ends.server == nil)
    }

    @Test(arguments: Kind.allCases)
    func closingWithinACallbackStopsEverythingElse(kind: Kind) async throws {
        let ends = try await pair(kind) { server in
            server.onBytes = { connection, _ in
                connection.close()
                connection.close(because: LoopError(.limit, "a second reason"))
                #expect(connection.write([1]) == false)
                connection.pauseReading()
                connection.resumeReading()
                connection.closeAfterFlush()
            }
        } call: { client in
            client.onOpen = { $0.write([1]) }
        }
        #expect(ends.server == nil)
        #expect(ends.client != nil)
    }
}

@Suite struct ConnectTests {
    private func connect(to endpoint: Endpoint, timeout: Duration = .seconds(10)) async throws -> LoopError? {
        try await withLoopThread { thread in
            let closed = Awaited<LoopError?>()
            try await thread.run { loop in
                let recorder = Recorder(closed: closed)
                recorder.onOpen = { _ in Issue.record("the connection opened") }
                Connection.connect(on: loop, to: endpoint, timeout: timeout, delegate: recorder)
                #expect(!closed.isSet)
            }
            return try await closed.wait()
        }
    }

    @Test func aRefusedConnectionIsReported() async throws {
        let address = try BoundAddress(.tcp(host: "127.0.0.1", port: 0)).endpoint
        let error = try await connect(to: address)
        #expect(error?.code == .refused)
        #expect(error?.name == "ECONNREFUSED")
        #expect(error?.description == "cannot connect to \(address): connection refused")
    }

    @Test func aMissingUnixSocketIsReported() async throws {
        let error = try await connect(to: .unix(path: "/tmp/quash-nobody-is-here.sock"))
        #expect(error?.name == "ENOENT")
    }

    @Test func aPathThatIsTooLongIsReportedInsteadOfCut() async throws {
        let error = try await connect(to: .unix(path: "/tmp/" + String(repeating: "x", count: 200)))
        #expect(error?.code == .invalidEndpoint)
    }

    @Test func aNameWithoutAnAddressIsReported() async throws {
        // RFC 6761 §6.4: `.invalid` never resolves.
        let error = try await connect(to: .tcp(host: "nobody.invalid", port: 80))
        #expect(error?.code == .unresolved)
        #expect(error?.description.hasPrefix("cannot find the address of nobody.invalid:80: ") == true)
    }

    @Test func eachAddressIsTriedUntilOneTakesTheConnection() async throws {
        let closed = Awaited<LoopError?>()
        try await withLoopThread { thread in
            let silent = try SilentListener()
            let refusing = try BoundAddress(.tcp(host: "127.0.0.1", port: 0)).endpoint
            let address = try BoundAddress(.tcp(host: "127.0.0.1", port: 0))
            let list = try [refusing.port, silent.port, address.endpoint.port].map { port in
                try #require(SocketAddress(numericHost: "127.0.0.1", port: port))
            }
            try await thread.run { loop in
                _ = try Listener(on: loop, at: address) { _ in Recorder() }
                let recorder = Recorder(closed: closed)
                recorder.onOpen = { $0.close() }
                // The silent one may use half of the time that is left.
                let connection = Connection.prepare(
                    on: loop, to: address.endpoint, timeout: .milliseconds(400), delegate: recorder)
                connection.connector?.tryEach(list)
            }
            #expect(try await closed.wait() == nil)
            _ = silent
        }
    }

    @Test func theLastFailureIsReportedWhenNoAddressTakesTheConnection() async throws {
        let error = try await withLoopThread { thread in
            let closed = Awaited<LoopError?>()
            let refusing = try BoundAddress(.tcp(host: "127.0.0.1", port: 0)).endpoint
            let address = try #require(SocketAddress(numericHost: "127.0.0.1", port: refusing.port))
            try await thread.run { loop in
                let connection = Connection.prepare(
                    on: loop, to: refusing, timeout: .seconds(10), delegate: Recorder(closed: closed))
                connection.connector?.tryEach([address, address])
            }
            return try await closed.wait()
        }
        #expect(error?.code == .refused)
    }

    @Test func aNameIsResolved() async throws {
        let closed = Awaited<LoopError?>()
        let opened = Awaited<Bool>()
        try await withLoopThread { thread in
            let address = try BoundAddress(.tcp(host: "127.0.0.1", port: 0))
            guard case .tcp(_, let port) = address.endpoint else { return }
            try await thread.run { loop in
                _ = try Listener(on: loop, at: address) { _ in Recorder() }
                let recorder = Recorder(closed: closed)
                recorder.onOpen = {
                    opened.set(true)
                    $0.close()
                }
                Connection.connect(on: loop, to: .tcp(host: "localhost", port: port), delegate: recorder)
            }
            #expect(try await closed.wait() == nil)
            #expect(opened.isSet)
        }
    }

    @Test func aConnectionThatNobodyAnswersTimesOut() async throws {
        let silent = try SilentListener()
        let port = silent.port
        let error = try await connect(to: .tcp(host: "127.0.0.1", port: port), timeout: .milliseconds(100))
        #expect(error?.code == .timedOut)
        #expect(error?.description == "cannot connect to 127.0.0.1:\(port): no answer within 0.1 seconds")
        _ = silent
    }

    @Test func aConnectionClosedWhileItConnectsIsReportedOnce() async throws {
        for host in ["127.0.0.1", "localhost"] {
            try await withLoopThread { thread in
                let closed = Awaited<LoopError?>()
                try await thread.run { loop in
                    let recorder = Recorder(closed: closed)
                    recorder.onOpen = { _ in Issue.record("a closed connection opened") }
                    let connection = Connection.connect(on: loop, to: .tcp(host: host, port: 1), delegate: recorder)
                    connection.close()
                    #expect(!closed.isSet)
                }
                #expect(try await closed.wait() == nil)
            }
        }
    }
}
