import QuashCrypto
import QuashHTTP
import QuashLoop
import TestSupport
import Testing

@testable import QuashServer

@Suite("A validator's listeners") struct GatewayListenerTests {
    @Test("Gateways on the same machine ask over a unix socket")
    func unixSocket() throws {
        let fleet = try Fleet(validators: 0)
        let path = fleet.folder.path("validator.sock")
        let validator = try fleet.addValidator(["--listen", "unix:\(path)"])
        try fleet.waitUntilReady()
        #expect(validator.addresses.contains("unix:\(path)"))
        let token = try fleet.signIn().access
        let client = try BlockingHTTPClient()
        for (bearer, status) in [(token, 204), ("x", 401)] {
            let url = HTTPURL(endpoint: .unix(path: path), target: "/authz/auth-request")
            let response = try client.send(
                HTTPClient.Request(.get, url, fields: ["Authorization": "Bearer \(bearer)"]))
            #expect(response.status.code == status)
        }
    }

    @Test("With a certificate the listeners speak TLS; with an authority of clients, only to clients of it")
    func tlsWithAndWithoutClientCertificates() throws {
        let fleet = try Fleet(validators: 0)
        let files = try TLSFiles(in: fleet.folder)
        let server = ["--tls-cert-file", files.certificate, "--tls-key-file", files.key]
        try fleet.addValidator(server)
        try fleet.addValidator(server + ["--tls-client-ca-file", files.authority])
        try fleet.waitUntilReady()
        let token = try fleet.signIn().access
        let anyone = try files.client()
        let member = try files.client(certificate: TestCertificates.client, key: TestCertificates.clientKey)
        let stranger = try files.client(certificate: TestCertificates.server, key: TestCertificates.serverKey)

        for validator in fleet.validators {
            for (address, path, status) in [
                (validator.addresses[0], "/authz/auth-request", 204), (validator.adminAddresses[0], "/livez", 200),
            ] {
                func ask(_ client: BlockingHTTPClient, _ scheme: String = "https") throws(HTTPError) -> Int {
                    let url = try HTTPURL("\(scheme)://\(address)\(path)")
                    let request = HTTPClient.Request(.get, url, fields: ["Authorization": "Bearer \(token)"])
                    return try client.send(request).status.code
                }
                #expect(try ask(member) == status)
                #expect(throws: HTTPError.self) { try ask(anyone, "http") }
                if validator === fleet.validators[0] {
                    #expect(try ask(anyone) == status)
                } else {
                    #expect(throws: HTTPError.self) { try ask(anyone) }
                    // A certificate of the right authority that is for servers is no client's.
                    #expect(throws: HTTPError.self) { try ask(stranger) }
                }
            }
        }
    }

    @Test("While Redis is away a gateway is told to go on asking, until the lease ends")
    func readinessEndsWithTheLease() throws {
        let fleet = try Fleet(validatorSettings: Fleet.shortLease)
        try fleet.waitUntilReady()
        let token = try fleet.signIn().access
        #expect(try fleet.ask(.get, "/readyz").status == .ok)
        fleet.redis.kill9()
        var heldUnready = 0
        let hasEnded = try poll(within: .seconds(20)) {
            let status = try fleet.ask(.get, "/readyz").status
            if try fleet.decide(token).status == .noContent, status != .ok { heldUnready += 1 }
            return status == .serviceUnavailable
        }
        #expect(hasEnded && heldUnready == 0)
        try fleet.ask(.get, "/readyz").expectUnavailable()
        #expect(try fleet.decide(token).status == .serviceUnavailable)

        try fleet.redis.restart()
        #expect(try poll(within: .seconds(20)) { try fleet.ask(.get, "/readyz").status == .ok })
        // A lease alone is not enough: a validator without keys.
        let keyless = try ValidatorNode(
            ValidatorConfiguration(
                arguments: [
                    "--redis-url", fleet.redis.url, "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0",
                    "--jwks-url", "http://127.0.0.1:\(try freePort())/none", "--drain", "1s",
                ], environment: [:]), log: Fleet.silent)
        defer { keyless.stop() }
        let checks = "http://\(keyless.adminAddresses[0])/readyz?verbose"
        #expect(try poll(within: .seconds(20)) { try fleet.web.call(.get, checks).text.contains("[+] lease ok") })
        try fleet.web.call(.get, "http://\(keyless.addresses[0])/readyz").expectUnavailable()
    }

    @Test("/livez, /readyz, /readyz?verbose and /metrics, ready and not")
    func healthAndMetrics() throws {
        let fleet = try Fleet(validatorSettings: ["--lease", "500ms", "--renew-interval", "100ms"])
        try fleet.waitUntilReady()
        let token = try fleet.signIn().access
        #expect(try fleet.decide(token).status == .noContent)
        #expect(try fleet.decide("x").status == .unauthorized)
        func health(_ path: String, _ method: HTTPMethod = .get) throws -> HTTPResponse {
            try fleet.web.call(method, "http://\(fleet.validators[0].adminAddresses[0])\(path)")
        }
        #expect(try health("/livez").text == "ok\n")
        #expect(try health("/readyz").text == "ready\n")
        let verbose = try health("/readyz?verbose").text
        for check in ["keys", "feed", "lease", "draining"] {
            #expect(verbose.contains("[+] \(check) ok\n"), "\(verbose)")
        }
        let metrics = try health("/metrics")
        #expect(metrics.values(of: "content-type") == ["text/plain; version=0.0.4; charset=utf-8"])
        #expect(metrics.text.contains("quash_decisions_total{result=\"accepted\""))
        for path in ["/livez", "/readyz", "/metrics"] {
            let head = try health(path, .head)
            #expect(head.status == .ok && head.body.isEmpty)
            try health(path, .post).expectProblem(405, naming: "GET, HEAD")
        }
        try health("/authz/auth-request").expectProblem(404, naming: "/livez")

        fleet.redis.kill9()
        #expect(try poll { try health("/readyz").text.contains("[-] lease: ") })
        #expect(try health("/readyz").status == .serviceUnavailable)
        #expect(try health("/livez").status == .ok)
    }

    @Test("/livez has no answer while a loop that serves gateways hangs")
    func livenessIsThatOfEveryLoop() throws {
        let fleet = try Fleet()
        let live = "http://\(fleet.validators[0].adminAddresses[0])/livez"
        #expect(try fleet.web.call(.get, live).status == .ok)
        #expect(fleet.validators[0].threads.count == 4, "two that serve, the feed and the admin")
        let end = Semaphore()
        fleet.validators[0].threads[0].submit { _ in end.wait() }
        #expect(throws: HTTPError.self) { try fleet.web.call(.get, live, timeout: .milliseconds(500)) }
        end.signal()
        #expect(try fleet.web.call(.get, live).status == .ok)
    }

    @Test("A lease that ended is 503 with Retry-After on every path, for a good token and never a 401 for it")
    func aLeaseThatEndedIsUnavailable() throws {
        let fleet = try Fleet(validatorSettings: ["--lease", "500ms", "--renew-interval", "100ms"])
        try fleet.waitUntilReady()
        let token = try fleet.signIn().access
        fleet.redis.kill9()
        var statuses: Set<Int> = []
        #expect(
            try poll {
                statuses.insert(try fleet.decide(token).status.code)
                return statuses.contains(503)
            })
        #expect(statuses.isSubset(of: [204, 503]))
        for (path, _) in GatewayPathTests.paths {
            let response = try fleet.decide(token, path: path)
            response.expectUnavailable()
            #expect(response.values(of: "x-auth-subject").isEmpty)
            // A token that no lease would make good is refused all the same.
            #expect(try fleet.decide("x", path: path).status == .unauthorized)
        }
        try fleet.redis.restart()
        #expect(try poll(within: .seconds(20)) { try fleet.decide(token).status == .noContent })
    }
}

/// The files of `TestCertificates`, and clients that show them.
private struct TLSFiles {
    let certificate, key, authority: String
    private let folder: TemporaryFolder

    init(in folder: TemporaryFolder) throws {
        self.folder = folder
        certificate = try folder.write("server.pem", TestCertificates.server)
        key = try folder.write("server.key", TestCertificates.serverKey)
        authority = try folder.write("ca.pem", TestCertificates.authority)
    }

    func client(certificate: String? = nil, key: String = "") throws -> BlockingHTTPClient {
        let identity = try certificate.map { certificate in
            try TLSContext.Identity(
                certificateChainPath: folder.write("client.pem", certificate),
                privateKeyPath: folder.write("client.key", key))
        }
        return try BlockingHTTPClient(
            tls: .client(trust: .certificateAuthorities(path: authority), identity: identity))
    }
}
