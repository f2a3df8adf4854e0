import Quash
import QuashCrypto
import QuashHTTP
import QuashJWT
import QuashLoop
import TestSupport
import Testing

@testable import QuashServer

/// Processes start in any order, and under any name.
@Suite struct StartOrderTests {
    /// Before the issuer, whose keys it needs, and before Redis: 503 until both are there, then all by itself.
    @Test func aValidatorMayStartFirst() throws {
        let folder = try TemporaryFolder()
        let redis = try RedisServer.start()
        redis.kill9()
        let port = try freePort()
        let common = ["--redis-url", redis.url, "--admin-listen", "127.0.0.1:0", "--drain", "1s"]
        let validator = try ValidatorNode(
            ValidatorConfiguration(
                arguments: common + [
                    "--listen", "127.0.0.1:0", "--jwks-url", "http://127.0.0.1:\(port)/.well-known/jwks.json",
                    "--loops", "1",
                ], environment: [:]),
            log: Fleet.silent)
        defer { validator.stop() }
        let web = try WebClient()
        let token = try Self.token()
        func status() throws -> Int {
            try web.call(
                .get, "http://\(validator.addresses[0])/authz/auth-request",
                fields: ["Authorization": "Bearer \(token)"]
            ).status.code
        }
        #expect(try status() == 503)
        #expect(!validator.isReady)

        let keyFile = folder.path("signing.pem")
        try SecretFile.create(path: keyFile, contents: Array(TestKeys.privateKey.utf8))
        let issuer = try Issuer(
            IssuerConfiguration(
                arguments: common + [
                    "--listen", "127.0.0.1:\(port)", "--signing-key-file", keyFile, "--outbox-file",
                    folder.path("outbox"),
                ], environment: [:]),
            log: Fleet.silent)
        defer { issuer.stop() }
        let adminAddress = validator.adminAddresses[0]
        let hasKeys = try poll(within: .seconds(20)) {
            try web.call(.get, "http://\(adminAddress)/readyz?verbose").text.contains("[+] keys ok")
        }
        #expect(hasKeys)
        // Keys alone are not enough.
        #expect(try status() == 503)
        #expect(!validator.isReady && !issuer.isReady)

        try redis.restart()
        #expect(poll(within: .seconds(20)) { validator.isReady && issuer.isReady })
        #expect(try status() == 204)
    }

    /// A token that the issuer of these tests could have signed.
    private static func token() throws -> String {
        let now = ClockReading.now().wall.seconds
        let signer = TokenSigner(try RSAPrivateKey(pem: Array(TestKeys.privateKey.utf8)))
        let id = TokenID(session: .random(), issuedAtMilliseconds: now * 1000)
        let claims = Claims(
            subject: "alice", issuedAt: NumericDate(seconds: now), expiresAt: NumericDate(seconds: now + 900),
            id: id.description)
        return String(decoding: try signer.sign(claims, type: .access), as: UTF8.self)
    }

    /// Two processes with one name are two nodes: neither's lease hides the other's position.
    @Test func twoValidatorsOfOneNameAreTwoNodes() throws {
        let fleet = try Fleet(validators: 0, settings: Fleet.shortLease)
        try fleet.addValidator(["--node-id", "twin"])
        try fleet.addValidator(["--node-id", "twin"])
        try fleet.waitUntilReady()
        let pair = try fleet.signIn()
        let position = try fleet.revokeUntilStored("{\"session\":\"\(pair.session)\"}")
        try fleet.waitUntilApplied(position)
        #expect(try fleet.statuses(of: pair.access) == [401, 401])
        let nodes = try #require(try fleet.registry()).nodes.filter { $0.name.hasPrefix("twin/") }
        #expect(nodes.count == 2)
    }

    /// A validator that leaves gives its lease back: nobody waits for it.
    @Test func aValidatorThatStopsLeavesTheRegistry() throws {
        let fleet = try Fleet(validators: 2, settings: ["--lease", "60s"])
        try fleet.waitUntilReady()
        #expect(try fleet.registry()?.nodes.count == 3)
        fleet.removeValidator()
        #expect(try fleet.registry()?.nodes.count == 2)
    }
}
