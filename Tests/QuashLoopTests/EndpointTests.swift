import QuashLoop
import Testing

@Suite struct EndpointTests {
    @Test(arguments: [
        ("127.0.0.1:8080", Endpoint.tcp(host: "127.0.0.1", port: 8080)),
        ("redis.example:6379", .tcp(host: "redis.example", port: 6379)),
        ("[::1]:65535", .tcp(host: "::1", port: 65535)),
        ("0.0.0.0:0", .tcp(host: "0.0.0.0", port: 0)),
        ("unix:/run/quash.sock", .unix(path: "/run/quash.sock")),
    ])
    func reads(text: String, endpoint: Endpoint) throws {
        #expect(try Endpoint(text) == endpoint)
        #expect(endpoint.description == text)
    }

    @Test(arguments: [
        "", "localhost", ":80", "localhost:", "localhost:+80", "localhost:65536", "localhost:8o", "::1:80", "[]:80",
        "unix:", "a b:80", "unix:" + String(repeating: "p", count: 108), "unix:/a\0b",
    ])
    func refuses(text: String) {
        let error = #expect(throws: LoopError.self) { try Endpoint(text) }
        #expect(error?.code == .invalidEndpoint)
    }

    @Test func anErrorNamesTheTextAndSaysWhatToDo() {
        let error = #expect(throws: LoopError.self) { try Endpoint("localhost") }
        #expect(
            error?.description
                == "cannot use the address \"localhost\": a port is missing: write host:port, "
                + "[address]:port or unix:/path"
        )
    }
}
