import QuashCrypto
import QuashLoop
import TestSupport
import Testing

@testable import QuashHTTP

/// What many clients, or one with many requests, may take of a server: turns, memory, and no content without leave.
@Suite struct OverloadTests {
    private func get(_ target: String, _ fields: String = "") -> String {
        "GET \(target) HTTP/1.1\r\nHost: h\r\n\(fields)\r\n"
    }

    private func post(_ target: String, bytes: Int) -> String {
        "POST \(target) HTTP/1.1\r\nHost: h\r\nContent-Length: \(bytes)\r\n\r\n"
    }

    // MARK: Content

    @Test(arguments: ["Content-Length: 100000", "Transfer-Encoding: chunked"])
    func aRequestThatIsRefusedByItsHeadIsAnsweredBeforeItsContentComes(framing: String) async throws {
        let buffers = BufferBudget()
        let server = try await TestServer(buffers: buffers)
        let client = try RawClient(server.endpoint)
        client.send(get("/first") + "POST /closed HTTP/1.1\r\nHost: h\r\n\(framing)\r\n\r\n")
        let answers = client.readToEnd()
        #expect(answers.count(of: "HTTP/1.1 200") == 1)
        #expect(answers.content.contains("HTTP/1.1 401 Unauthorized\r\n"))
        #expect(answers.contains("\r\nConnection: close\r\n"))
        #expect(answers.hasSuffix("not you"))
        #expect(try await server.paths == ["/first"])
        #expect(buffers.keptBytes == 0)
    }

    @Test(arguments: ["", "Content-Length: 0\r\n"])
    func aRequestWithoutContentIsLeftToItsRouteAndTheConnectionStays(framing: String) async throws {
        let server = try await TestServer()
        let client = try RawClient(server.endpoint)
        client.send("POST /closed HTTP/1.1\r\nHost: h\r\n\(framing)\r\n" + get("/next"))
        #expect(client.read { $0.hasSuffix("/next") }.count(of: "HTTP/1.1 200") == 2)
    }

    @Test func whatIsRefusedByItsHeadHasNoContentKept() async throws {
        let buffers = BufferBudget()
        let server = try await TestServer(buffers: buffers)
        let client = try RawClient(server.endpoint)
        client.send(post("/closed", bytes: 10_000_000))
        #expect(client.send([UInt8](repeating: 0x61, count: 10_000_000)))
        #expect(client.readToEnd().statusCode == 401)
        #expect(buffers.keptBytes == 0)
    }

    // MARK: Memory

    @Test func unfinishedRequestsOfAllConnectionsHaveOneBudget() async throws {
        let refusals = Locked(0)
        let buffers = BufferBudget(limitBytes: 100_000) { refusals.withLock { $0 += 1 } }
        let server = try await TestServer(buffers: buffers)
        let clients = try (0..<3).map { _ in try RawClient(server.endpoint) }
        for client in clients {
            let before = buffers.keptBytes
            client.send(post("/echo", bytes: 50_000))
            client.send([UInt8](repeating: 0x61, count: 40_000))
            // The third has no room; it is answered, and nothing of it is kept.
            if client === clients[2] { break }
            #expect(try await server.waits { buffers.keptBytes >= before + 40_000 })
        }
        let refused = clients[2].readToEnd()
        #expect(refused.statusCode == 503)
        #expect(refused.contains("\r\nRetry-After: 1\r\n") && refused.contains("\r\nConnection: close\r\n"))
        #expect(refusals.withLock { $0 } == 1)
        // A small request is served meanwhile.
        let other = try RawClient(server.endpoint)
        other.send(post("/echo", bytes: 5) + "hello")
        #expect(other.read { $0.hasSuffix("hello") }.statusCode == 200)
        for client in clients.prefix(2) {
            client.send([UInt8](repeating: 0x61, count: 10_000))
            #expect(client.read { $0.content.utf8.count >= 50_000 }.statusCode == 200)
        }
        #expect(try await server.waits { buffers.keptBytes == 0 })
    }

    @Test(arguments: ["Content-Length: 50000", "Transfer-Encoding: chunked"])
    func aConnectionThatClosesGivesItsRoomBack(framing: String) async throws {
        let buffers = BufferBudget()
        let server = try await TestServer(buffers: buffers)
        do {
            let client = try RawClient(server.endpoint)
            client.send("POST /echo HTTP/1.1\r\nHost: h\r\n\(framing)\r\n\r\nc350\r\n")
            client.send([UInt8](repeating: 0x61, count: 40_000))
            #expect(try await server.waits { buffers.keptBytes >= 40_000 })
        }
        #expect(try await server.waits { buffers.keptBytes == 0 })
    }

    // MARK: Turns

    @Test func manyRequestsOnOneConnectionDoNotDelayOthers() async throws {
        let server = try await TestServer()
        let (many, one) = (try RawClient(server.endpoint), try RawClient(server.endpoint))
        try await server.waitForConnections(2)
        try await server.whileStopped {
            many.send((0..<100).map { get("/many\($0)") }.joined())
            one.send(get("/one"))
        }
        #expect(one.read { $0.hasSuffix("/one") }.statusCode == 200)
        let answers = many.read { $0.hasSuffix("/many99") }
        #expect(answers.count(of: "HTTP/1.1 200") == 100)
        let paths = try await server.paths
        #expect(paths.filter { $0 != "/one" } == (0..<100).map { "/many\($0)" })
        #expect(try #require(paths.firstIndex(of: "/one")) <= 16)
    }

    @Test func aPeerThatEndedItsSideGetsTheAnswersThatWait() async throws {
        let server = try await TestServer()
        let client = try RawClient(server.endpoint)
        client.send((0..<100).map { get("/\($0)") }.joined())
        client.endSending()
        #expect(client.readToEnd().count(of: "HTTP/1.1 200") == 100)
    }

    /// Over TLS the end may come in the same bytes as the requests, while those wait for their turns.
    @Test func aTLSPeerThatEndedItsSideIsServedAndThenLetGo() async throws {
        let folder = try TemporaryFolder()
        let certificate = try folder.write("server.pem", TestCertificates.server)
        let key = folder.path("server.key")
        try SecretFile.create(path: key, contents: Array(TestCertificates.serverKey.utf8))
        let authority = try folder.write("authority.pem", TestCertificates.authority)
        let server = try await TestServer(
            tls: .server(identity: TLSContext.Identity(certificateChainPath: certificate, privateKeyPath: key)))
        let requests = Array((0..<100).map { get("/\($0)") }.joined().utf8)
        let client = try LoopThread(name: "client")
        defer {
            client.stop()
            client.join()
        }
        let tls = try TLSContext.client(trust: .certificateAuthorities(path: authority))
        let caller = Caller()
        _ = try await client.run { [endpoint = server.endpoint] loop in
            Connection.connect(on: loop, to: endpoint, tls: tls, serverName: "quash.test", delegate: caller)
            return true
        }
        try await caller.opened.wait()
        let sent = Semaphore()
        try await server.whileStopped {
            client.submit { _ in
                caller.connection?.write(requests)
                caller.connection?.closeAfterFlush(deadline: .seconds(60))
                sent.signal()
            }
            sent.wait()
        }
        try await server.waitForPaths(100)
        try await server.waitForConnections(0)
    }

    @Test func whatArrivedBeforeADrainIsAnsweredThoughItWaits() async throws {
        var limits = HTTPLimits()
        limits.maxRequestsAtOnce = 1
        let server = try await TestServer(limits: limits)
        let (client, other) = (try RawClient(server.endpoint), try RawClient(server.endpoint))
        try await server.waitForConnections(2)
        try await server.whileStopped {
            client.send((1...3).map { get("/\($0)") }.joined())
            // It is answered in the same turn as the first of those, while the others wait.
            other.send(get("/drain"))
        }
        let answers = client.readToEnd()
        #expect(answers.count(of: "HTTP/1.1 200") == 3)
        #expect(answers.hasSuffix("\r\n\r\n/3"))
    }

    @Test func aCrowdAtOneServerDoesNotKeepAnotherOnTheLoopWaiting() async throws {
        var limits = HTTPLimits()
        limits.maxRequestsPerTurn = 4
        let server = try await TestServer(limits: limits)
        let other = try await server.serveAlso(limits)
        let crowd = try (0..<40).map { _ in try RawClient(server.endpoint) }
        let one = try RawClient(other)
        try await server.waitForConnections(40)
        // A first request makes sure that the connection is accepted.
        one.send(get("/first"))
        _ = one.read { $0.hasSuffix("/first") }
        try await server.whileStopped {
            for (number, client) in crowd.enumerated() { client.send(get("/\(number)") + get("/again\(number)")) }
            one.send(get("/one"))
        }
        #expect(one.read { $0.hasSuffix("/one") }.statusCode == 200)
        for (number, client) in crowd.enumerated() {
            #expect(client.read { $0.hasSuffix("/again\(number)") }.count(of: "HTTP/1.1 200") == 2)
        }
        let paths = try await server.paths.dropFirst()
        #expect(Array(paths.prefix(12)).contains("/one"), "\(paths)")
    }
}

/// A client's connection, of which everything but the flag belongs to its loop.
private final class Caller: ConnectionDelegate, @unchecked Sendable {
    let opened = Flag()
    private(set) var connection: Connection?

    func connectionOpened(_ connection: Connection) {
        self.connection = connection
        opened.set()
    }

    func connection(_ connection: Connection, received bytes: UnsafeRawBufferPointer) {}

    func connectionDrained(_ connection: Connection) {}

    func connectionClosed(_ connection: Connection, because reason: LoopError?) { self.connection = nil }
}
