import QuashCrypto
import QuashLoop
import Testing

@Suite struct ConnectionTLSTests {
    let files: TLSFiles

    init() throws { files = try TLSFiles() }

    /// A TLS server and a client on one loop, as `serve` and `call` make them; `.plain` clients speak no TLS.
    private func pair(
        _ kind: Kind, server: TLSContext, client: TLSContext?, serverName: String = "quash.test",
        limits: ConnectionLimits = ConnectionLimits(), serve: @escaping @Sendable (Recorder) -> Void = { _ in },
        call: @escaping @Sendable (Recorder) -> Void = { _ in }
    ) async throws -> (server: LoopError?, client: LoopError?) {
        let served = Awaited<LoopError?>()
        let called = Awaited<LoopError?>()
        return try await withLoopThread { thread in
            let address = try BoundAddress(kind.endpoint())
            try await thread.run { loop in
                _ = try Listener(on: loop, at: address, tls: server, limits: limits) { _ in
                    let recorder = Recorder(closed: served)
                    serve(recorder)
                    return recorder
                }
                let recorder = Recorder(closed: called)
                call(recorder)
                Connection.connect(
                    on: loop, to: address.endpoint, tls: client, serverName: serverName, delegate: recorder)
            }
            return (try await served.wait(), try await called.wait())
        }
    }

    @Test(arguments: Kind.allCases, [false, true])
    func carriesBytesBothWaysAndEndsCleanly(kind: Kind, mutual: Bool) async throws {
        let bytes = pattern(600_000)
        let ends = try await pair(
            kind, server: try files.server(mutual: mutual), client: try files.client(withCertificate: mutual)
        ) { server in
            server.onBytes = { $0.write($1) }
        } call: { client in
            client.onOpen = { connection in
                for start in stride(from: 0, to: bytes.count, by: 100_000) {
                    connection.write(Array(bytes[start..<start + 100_000]))
                }
            }
            client.onBytes = { connection, _ in
                guard client.received.count == bytes.count else { return }
                #expect(client.received == bytes)
                connection.closeAfterFlush()
            }
        }
        // close_notify came: an end, not a loss.
        #expect(ends.server?.code == .endOfStream)
        #expect(ends.client == nil)
    }

    @Test func anImmediateCloseStillSaysCloseNotify() async throws {
        let ends = try await pair(.tcp, server: try files.server(), client: try files.client()) { server in
            server.onOpen = { $0.close() }
        }
        #expect(ends.client?.code == .endOfStream)
    }

    @Test func anEndWithoutCloseNotifyIsALoss() async throws {
        let ends = try await pair(.tcp, server: try files.server(), client: try files.client()) { server in
            // A reason other than nil is a failure, after which no regular end of TLS is claimed.
            server.onOpen = { $0.close(because: LoopError(.limit, "as if this process had died")) }
        } call: { client in
            client.onEnd = { _ in Issue.record("a truncated stream was taken for a whole one") }
        }
        #expect(ends.client?.code == .truncated)
    }

    @Test func aClientWithoutACertificateIsRefusedWhereOneIsDemanded() async throws {
        let ends = try await pair(
            .tcp, server: try files.server(mutual: true), client: try files.client()
        ) { server in
            server.onOpen = { _ in Issue.record("a connection without a client certificate opened") }
        }
        #expect(ends.server?.code == .tls)
        #expect(ends.client?.code == .tls)
    }

    @Test func aServerOfAnotherNameIsRefused() async throws {
        let ends = try await pair(
            .tcp, server: try files.server(), client: try files.client(), serverName: "other.test"
        ) { _ in
        } call: { client in
            client.onOpen = { _ in Issue.record("a connection to the wrong server opened") }
        }
        #expect(ends.client?.code == .tls)
        #expect(ends.client?.description.contains("hostname mismatch") == true)
        #expect(ends.server?.code == .tls)
    }

    @Test func aUnixSocketNeedsAServerName() async throws {
        let ends = try await withLoopThread { thread in
            let client = try files.client()
            let closed = Awaited<LoopError?>()
            thread.submit { loop in
                Connection.connect(
                    on: loop, to: .unix(path: "/tmp/none.sock"), tls: client, delegate: Recorder(closed: closed))
            }
            return try await closed.wait()
        }
        #expect(ends?.code == .tls)
    }

    @Test func aPlainClientIsNotAnswered() async throws {
        let ends = try await pair(.tcp, server: try files.server(), client: nil) { server in
            server.onOpen = { _ in Issue.record("a plain connection opened") }
        } call: { client in
            client.onOpen = { $0.write(Array("GET / HTTP/1.1\r\n\r\n".utf8)) }
        }
        #expect(ends.server?.code == .tls)
    }

    @Test func aHandshakeThatDoesNotEndTimesOut() async throws {
        let limits = ConnectionLimits(handshakeTimeout: .milliseconds(50))
        let ends = try await pair(.tcp, server: try files.server(), client: nil, limits: limits)
        #expect(ends.server?.code == .timedOut)
        #expect(ends.server?.description == "the peer did not finish the TLS handshake in 0.05 seconds")
    }

    @Test func aPeerThatDoesNotReadIsCutAtTheLimitOfTheQueue() async throws {
        let limits = ConnectionLimits(maxQueuedBytes: 100_000)
        let ends = try await pair(
            .tcp, server: try files.server(), client: try files.client(), limits: limits
        ) { server in
            server.onOpen = { connection in
                let chunk = [UInt8](repeating: 7, count: 50_000)
                for _ in 0..<1_000 { connection.write(chunk) }
            }
        } call: { client in
            client.onOpen = { connection in
                connection.pauseReading()
                let timer = Timer(on: connection.loop) { connection.resumeReading() }
                timer.start(after: .milliseconds(50))
                client.onClose = { timer.close() }
            }
        }
        #expect(ends.server?.code == .limit)
        #expect(ends.client?.code == .truncated || ends.client?.code == .reset)
    }
}
