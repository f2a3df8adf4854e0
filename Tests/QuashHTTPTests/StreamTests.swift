import QuashLoop
import TestSupport
import Testing

@testable import QuashHTTP

/// Responses that go on until somebody ends them.
@Suite struct StreamTests {
    private let request = "GET /stream HTTP/1.1\r\nHost: h\r\n\r\n"

    @Test func whatIsSentArrivesAtOnceAndTheEndEndsTheConnection() async throws {
        let server = try await TestServer()
        let client = try RawClient(server.endpoint)
        client.send(request)
        let head = client.read { $0.hasSuffix("\r\n\r\n") }
        #expect(head.hasPrefix("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nDate: "))
        #expect(head.contains("\r\nConnection: close\r\n") && !head.contains("Content-Length"))
        for number in 0..<3 {
            #expect(try await server.stream("data: \(number)\n\n") == 1)
            #expect(client.read { $0.hasSuffix("\n\n") } == "data: \(number)\n\n")
        }
        try await server.endStreams()
        #expect(client.readToEnd() == "")
        try await server.waitForStreams(1, closed: 1)
        #expect(try await server.stream("more") == 0)
        try await server.endStreams()
    }

    @Test func nothingAfterItsRequestIsRead() async throws {
        let server = try await TestServer()
        let client = try RawClient(server.endpoint)
        client.send(request + "GET /other HTTP/1.1\r\nHost: h\r\n\r\n")
        try await server.waitForStreams(1, closed: 0)
        _ = try await server.stream("x")
        try await server.endStreams()
        #expect(client.readToEnd().content == "x")
    }

    /// Those before it would be answered, but it would have to wait for them.
    @Test func noneBeginsWhileOtherAnswersAreDue() async throws {
        let server = try await TestServer()
        let client = try RawClient(server.endpoint)
        client.send("GET /late HTTP/1.1\r\nHost: h\r\n\r\n" + request)
        try await server.waitForLate(1)
        try await server.release()
        #expect(client.read { $0.contains("503") }.contains("/late"))
        try await server.waitForStreams(0, closed: 0)
    }

    @Test(arguments: [false, true]) func aClientThatIsGoneEndsIt(isReset: Bool) async throws {
        let server = try await TestServer()
        do {
            let client = try RawClient(server.endpoint)
            client.send(request)
            try await server.waitForStreams(1, closed: 0)
            if isReset { client.resetWhenClosed() }
        }
        try await server.waitForStreams(1, closed: 1)
        try await server.waitForConnections(0)
    }

    @Test func aDrainEndsItWithoutWaitingForTheDeadline() async throws {
        let server = try await TestServer()
        let client = try RawClient(server.endpoint)
        client.send(request)
        try await server.waitForStreams(1, closed: 0)
        let drained = try await server.drain(deadline: .seconds(3600))
        #expect(client.readToEnd().statusCode == 200)
        try await drained.wait()
        try await server.waitForStreams(1, closed: 1)
    }

    /// What a client does not read is left out, and does not pile up.
    @Test func aClientThatDoesNotReadCostsOneMessage() async throws {
        var limits = HTTPLimits()
        // Longer than the first look takes on a machine that is busy.
        limits.writeTimeout = .seconds(10)
        let server = try await TestServer(limits: limits)
        let client = try RawClient(server.endpoint)
        client.send(request)
        try await server.waitForStreams(1, closed: 0)
        let message = String(repeating: "x", count: 1 << 20)
        var refused = false
        for _ in 0..<100 where !refused { refused = try await server.stream(message) == 0 }
        #expect(refused)
        // Left out, and not the end of the connection for too much that waits.
        try await server.waitForStreams(1, closed: 0)
        // And after a time it is closed.
        try await server.waitForStreams(1, closed: 1)
    }
}
