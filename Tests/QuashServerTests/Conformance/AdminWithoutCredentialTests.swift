import QuashHTTP
import TestSupport
import Testing

@testable import QuashServer

/// An issuer whose administration listens on loopback without a credential: a browser on the machine can reach it.
@Suite struct AdminWithoutCredentialTests {
    @Test func noWebPageCanAdministrate() throws {
        let folder = try TemporaryFolder()
        let redis = try RedisServer.start()
        let issuer = try Issuer(
            IssuerConfiguration(
                arguments: [
                    "--redis-url", redis.url, "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0",
                    "--signing-key-file", folder.write("signing.pem", TestKeys.privateKey),
                    "--outbox-file", folder.path("outbox"),
                ], environment: [:]),
            log: Fleet.silent)
        defer { issuer.stop() }
        let web = try WebClient()
        let target = "http://\(issuer.adminAddresses[0])/admin/v1/sessions"
        try #require(poll { issuer.isReady })
        #expect(try web.call(.post, target, body: #"{"sub":"alice"}"#).status == .ok)
        let foreign = try web.call(
            .post, target, fields: ["Origin": "https://evil.example"], body: #"{"sub":"alice"}"#)
        #expect(foreign.status == .unauthorized)
        let follows = "http://\(issuer.adminAddresses[0])/admin/v1/status"
        for (site, status) in [("cross-site", 401), ("same-site", 401), ("same-origin", 200), ("none", 200)] {
            #expect(try web.call(.get, follows, fields: ["Sec-Fetch-Site": site]).status.code == status, "\(site)")
        }
        #expect(
            try web.call(.get, "http://\(issuer.adminAddresses[0])/status").text.contains(#"data-credential="none""#))
        // A name of the page's own that resolves to this machine.
        let port = issuer.adminAddresses[0].split(separator: ":")[1]
        let output = try ChildProcess.run([
            "curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-d", #"{"sub":"alice"}"#,
            "-H", "Host: evil.example:\(port)", target,
        ])
        #expect(output == "401")
    }
}
