import Glibc
import QuashCrypto
import QuashLoop
import Testing

import enum TestSupport.TestCertificates

@testable import QuashHTTP

@Suite struct URLTests {
    @Test(arguments: [
        ("http://h", "h", Endpoint.tcp(host: "h", port: 80), "/", false),
        ("https://h/a?b", "h", .tcp(host: "h", port: 443), "/a?b", true),
        (
            "http://127.0.0.1:8080/.well-known/jwks.json", "127.0.0.1:8080", .tcp(host: "127.0.0.1", port: 8080),
            "/.well-known/jwks.json", false
        ),
        ("https://[::1]:8443?x", "[::1]:8443", .tcp(host: "::1", port: 8443), "/?x", true),
        ("http://[::1]", "[::1]", .tcp(host: "::1", port: 80), "/", false),
    ])
    func reads(text: String, authority: String, endpoint: Endpoint, target: String, isSecure: Bool) throws {
        let url = try HTTPURL(text)
        #expect(url.authority == authority)
        #expect(url.endpoint == endpoint)
        #expect(url.target == target)
        #expect(url.isSecure == isSecure)
    }

    @Test(arguments: [
        "", "h", "ftp://h", "http://", "http:///a", "http://u:p@h/", "http://h/#f", "http://h/a b", "http://h/é",
        "http://h:port/", "http://h:65536/", "http://h:/", "http://a b/", "http://h\r\nX: y/", "HTTP://h",
    ])
    func refuses(text: String) {
        let error = #expect(throws: HTTPError.self) { try HTTPURL(text) }
        #expect(error?.code == .invalidURL)
    }
}

@Suite struct ClientTests {
    private func send(
        _ request: HTTPClient.Request, tls: TLSContext? = nil
    ) async throws -> Result<HTTPResponse, HTTPError> {
        let thread = try LoopThread(name: "client")
        defer {
            thread.stop()
            thread.join()
        }
        return await withCheckedContinuation { continuation in
            thread.submit { loop in
                HTTPClient(on: loop, tls: tls).send(request) { continuation.resume(returning: $0) }
            }
        }
    }

    /// Sends a GET to a server that answers with `answer`, whatever comes, and ends the connection.
    private func get(answer: String, maxBodyBytes: Int = 1_000) async throws -> Result<HTTPResponse, HTTPError> {
        let thread = try LoopThread(name: "script")
        defer {
            thread.stop()
            thread.join()
        }
        let address = try BoundAddress(.tcp(host: "127.0.0.1", port: 0))
        try await thread.run { loop in
            _ = try Listener(on: loop, at: address) { _ in Script(answer: answer) }
        }
        let url = HTTPURL(endpoint: address.endpoint, target: "/")
        return try await send(HTTPClient.Request(.get, url, maxBodyBytes: maxBodyBytes))
    }

    @Test(arguments: [false, true]) func getsAndPosts(isUnix: Bool) async throws {
        let server = try await TestServer(isUnix ? .unix(path: temporaryPath()) : .tcp(host: "127.0.0.1", port: 0))
        let info = try await send(
            HTTPClient.Request(
                .delete, HTTPURL(endpoint: server.endpoint, target: "/info?q"), fields: ["X-One": "1"]))
        let host = isUnix ? "localhost" : server.endpoint.description
        #expect(
            String(decoding: try info.get().body, as: UTF8.self)
                == "DELETE /info ?q \(host) x=1 a=0 n=3 last=Connection")
        let body = (0..<90_000).map { UInt8(truncatingIfNeeded: $0) }
        let echo = try await send(
            HTTPClient.Request(.post, HTTPURL(endpoint: server.endpoint, target: "/echo"), body: body))
        #expect(try echo.get().body == body)
        #expect(try echo.get().status == .ok)
        #expect(try echo.get().firstValue(of: "content-length") == "90000")
        let empty = try await send(HTTPClient.Request(.post, HTTPURL(endpoint: server.endpoint, target: "/echo")))
        #expect(try empty.get().body.isEmpty)
        let head = try await send(HTTPClient.Request(.head, HTTPURL(endpoint: server.endpoint, target: "/big?7")))
        #expect(try head.get().body.isEmpty)
        #expect(try head.get().firstValue(of: "content-length") == "7")
    }

    @Test func readsChunksInterimResponsesAndContentUpToTheEnd() async throws {
        let chunked = try await get(
            answer:
                "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"
        )
        #expect(try chunked.get().body == Array("hi".utf8))
        let untilEnd = try await get(answer: "HTTP/1.1 200 OK\r\n\r\nhello")
        #expect(try untilEnd.get().body == Array("hello".utf8))
    }

    @Test(arguments: [
        ("", HTTPError.Code.malformedResponse), ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi", .malformedResponse),
        ("nonsense\r\n\r\n", .malformedResponse),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n", .tooLarge),
    ])
    func aBadResponseIsAnError(answer: String, code: HTTPError.Code) async throws {
        let result = try await get(answer: answer)
        #expect(throws: HTTPError.self) { try result.get() }
        if case .failure(let error) = result { #expect(error.code == code) }
    }

    @Test func aServerThatDoesNotAnswerTimesOut() async throws {
        let server = try await TestServer()
        let url = HTTPURL(endpoint: server.endpoint, target: "/late?secret")
        let result = try await send(HTTPClient.Request(.get, url, timeout: .milliseconds(100)))
        guard case .failure(let error) = result else {
            Issue.record("a response came")
            return
        }
        #expect(error.code == .timedOut)
        #expect(error.description == "GET at \(server.endpoint) failed: no complete response within 0.1 seconds")
    }

    @Test func aRefusedConnectionIsReported() async throws {
        let endpoint = try BoundAddress(.tcp(host: "127.0.0.1", port: 0)).endpoint
        let result = try await send(HTTPClient.Request(.get, HTTPURL(endpoint: endpoint, target: "/")))
        guard case .failure(let error) = result else {
            Issue.record("a response came")
            return
        }
        #expect(error.code == .connection(.refused))
        #expect(error.description == "GET at \(endpoint) failed: cannot connect to \(endpoint): connection refused")
    }

    @Test func aCancelledRequestIsReportedOnce() async throws {
        let server = try await TestServer()
        let url = HTTPURL(endpoint: server.endpoint, target: "/late")
        let result = await withCheckedContinuation { continuation in
            server.thread.submit { loop in
                let call = HTTPClient(on: loop).send(HTTPClient.Request(.get, url)) {
                    continuation.resume(returning: $0)
                }
                call.cancel()
                call.cancel()
            }
        }
        guard case .failure(let error) = result else {
            Issue.record("a response came")
            return
        }
        #expect(error.code == .cancelled)
    }

    @Test func httpsVerifiesTheServer() async throws {
        let files = try [
            (TestCertificates.authority, 0o644), (TestCertificates.otherAuthority, 0o644),
            (TestCertificates.server, 0o644), (TestCertificates.serverKey, 0o600),
        ].map { text, mode in
            let path = temporaryPath()
            let descriptor = unsafe open(path, O_CREAT | O_WRONLY | O_EXCL, mode_t(mode))
            defer { close(descriptor) }
            try #require(unsafe write(descriptor, text, text.utf8.count) == text.utf8.count)
            return path
        }
        defer { for file in files { unsafe _ = unlink(file) } }
        let server = try await TestServer(
            tls: .server(identity: TLSContext.Identity(certificateChainPath: files[2], privateKeyPath: files[3])))
        let request = HTTPClient.Request(
            .get, HTTPURL(endpoint: server.endpoint, target: "/big?200000", isSecure: true))
        let trusted = try await send(request, tls: .client(trust: .certificateAuthorities(path: files[0])))
        #expect(try trusted.get().body.count == 200_000)
        let other = try await send(request, tls: .client(trust: .certificateAuthorities(path: files[1])))
        let none = try await send(request)
        for (result, code) in [(other, HTTPError.Code.connection(.tls)), (none, .invalidURL)] {
            guard case .failure(let error) = result else {
                Issue.record("a response came from a server that is not trusted")
                continue
            }
            #expect(error.code == code)
        }
    }
}

/// Answers the first bytes that come with a text, and ends the connection.
private final class Script: ConnectionDelegate {
    let answer: String

    init(answer: String) { self.answer = answer }

    func connectionOpened(_ connection: Connection) {}

    func connection(_ connection: Connection, received bytes: UnsafeRawBufferPointer) {
        connection.write(Array(answer.utf8))
        connection.closeAfterFlush()
    }

    func connectionDrained(_ connection: Connection) {}

    func connectionClosed(_ connection: Connection, because reason: LoopError?) {}
}
