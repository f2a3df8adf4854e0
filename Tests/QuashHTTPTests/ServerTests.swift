import QuashLoop
import TestSupport
import Testing

@testable import QuashHTTP

@Suite struct ServerTests {
    private func get(_ target: String, _ fields: String = "") -> String {
        "GET \(target) HTTP/1.1\r\nHost: h\r\n\(fields)\r\n"
    }

    @Test(arguments: [false, true]) func keepsAConnectionOverManyRequests(isUnix: Bool) async throws {
        let server = try await TestServer(isUnix ? .unix(path: temporaryPath()) : .tcp(host: "127.0.0.1", port: 0))
        let client = try RawClient(server.endpoint)
        for number in 0..<50 {
            client.send(get("/\(number)"))
            let answer = client.read { $0.hasSuffix("\r\n\r\n/\(number)") }
            #expect(answer.statusCode == 200)
            #expect(!answer.contains("Connection:"))
            #expect(answer.count(of: "Date: ") == 1)
        }
        client.send(get("/last", "Connection: close\r\n"))
        let answer = client.readToEnd()
        #expect(answer.contains("\r\nConnection: close\r\n"))
        #expect(answer.content == "/last")
    }

    @Test func aRouteSeesTheRequestWithoutACopy() async throws {
        let server = try await TestServer()
        let client = try RawClient(server.endpoint)
        let fields = "X-One: 1\r\nAuthorization: a\r\nx-one: 2\r\nauthorization: b\r\nConnection: close\r\n"
        client.send(get("/info?a=b&c", fields))
        #expect(client.readToEnd().content == "GET /info ?a=b&c h x=1 a=2 n=6 last=Connection")
    }

    @Test func aRequestThatArrivesByteByByteIsAnswered() async throws {
        let server = try await TestServer()
        let client = try RawClient(server.endpoint)
        for byte in Array(get("/slow", "Connection: close\r\n").utf8) { client.send([byte]) }
        #expect(client.readToEnd().content == "/slow")
    }

    @Test func sixteenRequestsAreInFlightAndTheSeventeenthWaits() async throws {
        let server = try await TestServer()
        let client = try RawClient(server.endpoint)
        let targets = (1...17).map { "/late\($0)" }
        client.send(targets.map { get($0) }.joined())
        try await server.waitForLate(16)
        // The last comes first, and still goes out last.
        try await server.release(count: 16)
        try await server.waitForLate(1)
        let first = client.read { $0.hasSuffix("/late16") }
        #expect(first.count(of: "HTTP/1.1 200") == 16)
        var rest = first[...]
        for target in targets.dropLast() {
            let range = try #require(rest.firstRange(of: "\r\n\r\n\(target)"))
            rest = rest[range.upperBound...]
        }
        try await server.release()
        #expect(client.read { $0.hasSuffix("/late17") }.content == "/late17")
    }

    @Test func headHasTheLengthAndNoContent() async throws {
        let server = try await TestServer()
        let client = try RawClient(server.endpoint)
        client.send("HEAD /big?1000 HTTP/1.1\r\nHost: h\r\n\r\n" + get("/next", "Connection: close\r\n"))
        let answers = client.readToEnd()
        #expect(answers.contains("\r\nContent-Length: 1000\r\n"))
        #expect(answers.content.statusCode == 200)
        #expect(answers.content.content == "/next")
    }

    @Test func aPreparedResponseIsSentAsItWasMade() async throws {
        let server = try await TestServer()
        let client = try RawClient(server.endpoint)
        client.send(get("/prepared") + get("/prepared", "Connection: close\r\n"))
        let answers = client.readToEnd()
        #expect(answers.hasPrefix("HTTP/1.1 204 No Content\r\nCache-Control: no-store\r\nDate: "))
        #expect(answers.content.hasPrefix("HTTP/1.1 204 No Content\r\n"))
        #expect(answers.hasSuffix(" GMT\r\nConnection: close\r\n\r\n"))
    }

    @Test func bodiesOfEveryFramingReachTheRoute() async throws {
        let server = try await TestServer()
        let client = try RawClient(server.endpoint)
        let body = String(repeating: "0123456789", count: 10_000)
        client.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n" + body)
        #expect(client.read { $0.content.utf8.count >= 100_000 }.content == body)
        var chunks = ""
        for start in stride(from: 0, to: 100_000, by: 12_500) {
            chunks += "30d4\r\n" + body.dropFirst(start).prefix(12_500) + "\r\n"
        }
        client.send(
            "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + "0\r\nT: 1\r\n\r\n")
        #expect(client.read { $0.content.utf8.count >= 100_000 }.content == body)
        client.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 100001\r\n\r\n" + body + "x")
        #expect(client.readToEnd().statusCode == 413)
    }

    @Test func aClientThatExpectsContinueGetsIt() async throws {
        let server = try await TestServer()
        let client = try RawClient(server.endpoint)
        client.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        #expect(client.read { $0.hasSuffix("\r\n\r\n") } == "HTTP/1.1 100 Continue\r\n\r\n")
        client.send("hi")
        #expect(client.read { $0.hasSuffix("hi") }.statusCode == 200)
        client.send("POST /none HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        #expect(client.readToEnd().statusCode == 413)
    }

    @Test func aRefusalReachesAClientThatIsStillSending() async throws {
        let server = try await TestServer()
        let client = try RawClient(server.endpoint)
        client.send("POST /none HTTP/1.1\r\nHost: h\r\nContent-Length: 40000000\r\n\r\n")
        // The server throws it away; closing at once would reset the connection under the client's hands.
        #expect(client.send([UInt8](repeating: 0x61, count: 40_000_000)))
        let answer = client.readToEnd()
        #expect(answer.statusCode == 413)
        #expect(answer.contains("\r\nConnection: close\r\n"))
        #expect(answer.content == "the content is longer than this resource takes\n")
    }

    @Test func aClientThatEndsItsSideIsStillAnswered() async throws {
        let server = try await TestServer()
        let client = try RawClient(server.endpoint)
        client.send(get("/late") + get("/now"))
        client.endSending()
        try await server.waitForLate(1)
        try await server.release()
        let answers = client.readToEnd()
        #expect(answers.count(of: "HTTP/1.1 200") == 2)
        #expect(answers.hasSuffix("\r\n\r\n/now"))
    }

    @Test func anAnswerToAClientThatIsGoneIsDropped() async throws {
        let server = try await TestServer()
        do {
            let client = try RawClient(server.endpoint)
            client.send(get("/late"))
            try await server.waitForLate(1)
            client.resetWhenClosed()
        }
        try await server.waitForConnections(0)
        #expect(try await server.lateIsOpen == [false])
        try await server.release()
        let next = try RawClient(server.endpoint)
        next.send(get("/next", "Connection: close\r\n"))
        #expect(next.readToEnd().content == "/next")
    }

    @Test func aSlowHeadIsCutAndOthersAreServedMeanwhile() async throws {
        var limits = HTTPLimits()
        limits.headTimeout = .milliseconds(300)
        let server = try await TestServer(limits: limits)
        let slow = try (0..<10).map { _ in try RawClient(server.endpoint) }
        for client in slow { client.send("GET / HTTP/1.1\r\nX: ") }
        let good = try RawClient(server.endpoint)
        good.send(get("/good"))
        #expect(good.read { $0.hasSuffix("/good") }.statusCode == 200)
        for client in slow {
            let answer = client.readToEnd()
            #expect(answer.statusCode == 408)
        }
    }

    @Test func anIdleConnectionIsClosed() async throws {
        var limits = HTTPLimits()
        limits.idleTimeout = .milliseconds(50)
        let server = try await TestServer(limits: limits)
        let silent = try RawClient(server.endpoint)
        #expect(silent.readToEnd() == "")
        let once = try RawClient(server.endpoint)
        once.send(get("/once"))
        #expect(once.readToEnd().content == "/once")
    }

    @Test func aClientThatDoesNotReadIsCut() async throws {
        var limits = HTTPLimits()
        limits.writeTimeout = .milliseconds(100)
        limits.maxQueuedBytes = 20_000_000
        let server = try await TestServer(limits: limits)
        let client = try RawClient(server.endpoint)
        client.send(get("/big?16000000"))
        try await server.waitForConnections(1)
        try await server.waitForConnections(0)
    }

    @Test func aLargeAnswerArrivesWhole() async throws {
        let server = try await TestServer()
        let client = try RawClient(server.endpoint)
        client.send(get("/big?3000000") + get("/after", "Connection: close\r\n"))
        let answers = client.readToEnd()
        #expect(answers.utf8.count > 3_000_000)
        #expect(answers.hasSuffix("\r\n\r\n/after"))
    }

    @Test func atTheCapAClientWaitsInsteadOfBeingDropped() async throws {
        let server = try await TestServer(maxConnections: 1)
        var first: RawClient? = try RawClient(server.endpoint)
        first?.send(get("/first"))
        #expect(first?.read { $0.hasSuffix("/first") }.statusCode == 200)
        var second: RawClient? = try RawClient(server.endpoint)
        let third = try RawClient(server.endpoint)
        second?.send(get("/second", "Connection: close\r\n"))
        third.send(get("/third", "Connection: close\r\n"))
        first = nil
        #expect(second?.readToEnd().content == "/second")
        second = nil
        #expect(third.readToEnd().content == "/third")
    }
}

@Suite struct DrainTests {
    private let late = "GET /late HTTP/1.1\r\nHost: h\r\n\r\n"

    @Test func answersWhatIsInFlightAndClosesIdleConnections() async throws {
        let server = try await TestServer()
        let idle = try RawClient(server.endpoint)
        let busy = try RawClient(server.endpoint)
        busy.send(late)
        try await server.waitForLate(1)
        try await server.waitForConnections(2)
        let done = try await server.drain(deadline: .seconds(20))
        #expect(idle.readToEnd() == "")
        #expect(!done.isSet)
        #expect(throws: RawClient.Refused.self) { try RawClient(server.endpoint) }
        try await server.release()
        let answer = busy.readToEnd()
        #expect(answer.contains("\r\nConnection: close\r\n"))
        #expect(answer.content == "/late")
        try await done.wait()
    }

    @Test func cutsWhatIsNotAnsweredByTheDeadline() async throws {
        let server = try await TestServer()
        let busy = try RawClient(server.endpoint)
        busy.send(late)
        try await server.waitForLate(1)
        let done = try await server.drain(deadline: .milliseconds(30))
        #expect(busy.readToEnd() == "")
        try await done.wait()
        #expect(try await server.lateIsOpen == [false])
    }

    @Test func isDoneAtOnceWithoutConnections() async throws {
        let server = try await TestServer()
        let done = try await server.drain(deadline: .seconds(20))
        #expect(done.isSet)
    }
}
