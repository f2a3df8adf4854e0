import QuashHTTP
import QuashJSON
import TestSupport
import Testing

@testable import QuashServer

/// What a client without a credential can make an issuer do: little, and without delaying others.
@Suite("Strangers at an issuer", .sharedFleet) struct StrangersTests {
    private let fleet: Fleet

    init() throws { fleet = try Fleet.current }

    private func connect(_ address: String) throws -> RawClient {
        try RawClient(port: try #require(address.split(separator: ":").last.flatMap { UInt16($0) }))
    }

    private static func form(_ target: String, fields: String = "", bytes: Int) -> String {
        "POST \(target) HTTP/1.1\r\nHost: localhost\r\n\(fields)Content-Type: application/x-www-form-urlencoded\r\n"
            + "Content-Length: \(bytes)\r\n\r\n"
    }

    @Test(
        "A wrong or missing credential is refused by the head, before any content is read",
        arguments: [
            ("admin", "/admin/v1/revocations", ""),
            ("admin", "/admin/v1/sessions", "Authorization: Bearer wrong\r\n"),
            ("admin", "/metrics", ""),
            ("public", "/logout", ""),
            ("public", "/logout", "Authorization: Basic Z2F0ZXdheTp3cm9uZw==\r\n"),
            ("public", "/logout", "Authorization: Bearer not token68 !\r\n"),
            ("public", "/oauth2/introspect", "Authorization: Bearer wrong\r\n"),
            ("public", "/oauth2/introspect", "Authorization: Basic Z2F0ZXdheTp3cm9uZw==\r\n"),
            ("public", "/oauth2/token", "Authorization: Basic Z2F0ZXdheTp3cm9uZw==\r\n"),
            ("public", "/oauth2/revoke", "Authorization: Digest a\r\n"),
        ])
    func refusedByTheHead(listener: String, target: String, credential: String) throws {
        let addresses = listener == "admin" ? fleet.issuer.adminAddresses : fleet.issuer.addresses
        let client = try connect(addresses[0])
        // None of the content is sent: an issuer that waits for it never answers.
        client.send(Self.form(target, fields: credential, bytes: 30_000))
        let answer = client.readToEnd()
        #expect(answer.hasPrefix("HTTP/1.1 401 "), "\(answer)")
        #expect(answer.contains("\r\nWWW-Authenticate: ") && answer.contains("\r\nConnection: close\r\n"))
    }

    @Test("A good credential is not refused by the head")
    func notRefusedByTheHead() throws {
        let pair = try fleet.signIn("head")
        let client = try connect(fleet.issuer.addresses[0])
        client.send(Self.form("/logout", fields: "Authorization: Bearer \(pair.access)\r\n", bytes: 11))
        client.send("wait=stored")
        #expect(client.read { $0.contains("\"status\":\"stored\"") }.hasPrefix("HTTP/1.1 200 "))
    }

    @Test(
        "Forged tokens wait for their turns; too many are answered 503, never 401, and others are served",
        .serialized,
        arguments: ["/logout", "/oauth2/token", "/oauth2/revoke"])
    func aFloodOfForgedTokens(target: String) throws {
        let good = try fleet.signIn("flooded")
        let forged = try Self.forgedToken(bytes: 7000)
        let request: String
        switch target {
        case "/logout":
            request = "POST /logout HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nAuthorization: Bearer \(forged)\r\n\r\n"
        case "/oauth2/token":
            let body = "grant_type=refresh_token&refresh_token=\(forged)"
            request = Self.form(target, bytes: body.utf8.count) + body
        default:
            let body = "token=\(forged)"
            request = Self.form(target, bytes: body.utf8.count) + body
        }
        // As many of each as may be in flight: together they take more memory than those may that wait.
        let each = 16
        let crowd = try (0..<100).map { _ in try connect(fleet.issuer.addresses[0]) }
        for client in crowd { client.send(String(repeating: request, count: each)) }
        #expect(poll(within: .seconds(20)) { (try? fleet.refresh(good.refresh))?.status == .ok })
        var counts: [String: Int] = [:]
        for client in crowd {
            let answers = client.read { text in
                text.ranges(of: "HTTP/1.1 ").count >= each && (text.hasSuffix("}") || text.hasSuffix("\r\n\r\n"))
            }
            for part in answers.split(separator: "HTTP/1.1 ") {
                counts[String(part.prefix(3)), default: 0] += 1
                if part.hasPrefix("503") { #expect(part.contains("\r\nRetry-After: 1\r\n")) }
            }
        }
        let refused = ["/logout": "401", "/oauth2/token": "400", "/oauth2/revoke": "200"][target] ?? ""
        #expect(Set(counts.keys) == [refused, "503"], "\(counts)")
        #expect(counts.values.reduce(0, +) == crowd.count * each)
        let page = try fleet.web.call(.get, fleet.adminURL + "/metrics").text
        #expect(!page.contains("quash_requests_shed_total{shortage=\"verifications\"} 0\n"))
    }

    /// With the header that a good one has, and a long signature part that no key has made.
    private static func forgedToken(bytes: Int) throws -> String {
        let forge = try TokenForge()
        let token = try forge.token(
            header: forge.header(), payload: "{\"a\":\"\(String(repeating: "a", count: bytes / 4 * 3))\"}")
        return String(token.dropLast(4)) + "AAAA"
    }
}
