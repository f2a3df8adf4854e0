import QuashHTTP
import TestSupport
import Testing

@testable import QuashServer

/// Traefik and APISIX cannot be had here: what their documentation says that they ask is asked of a real validator, and
/// what their configurations take from its answer is there.
@Suite("Gateways that are played", .sharedFleet) struct ContractTests {
    private static let identity = ["X-Auth-Subject", "X-Auth-Session", "X-Auth-Jti", "X-Auth-Expires", "X-Auth-Scope"]

    private static func document(_ path: String) throws -> YAMLNode {
        try YAMLReader.read(String(decoding: Repository.read("docker/gateways/\(path)"), as: UTF8.self))
    }

    /// A gateway as its configuration makes it.
    struct Played: Sendable, CustomTestStringConvertible {
        let name: String
        /// The file, and where in it the plugin's settings are.
        let settings: @Sendable () throws -> YAMLNode
        let address: String
        /// What it copies: from the client's request, from an acceptance to the upstream's request, and from a refusal
        /// to the client; everything where that is nil.
        let requestList: String
        let upstreamList: String
        let clientList: String?
        /// What its HTTP client says of itself.
        let own: FieldLines

        var testDescription: String { name }
    }

    static let traefik = Played(
        name: "Traefik",
        settings: {
            let http = try #require(try document("traefik/quash.yaml")["http"])
            let router = try #require(http["routers"]?["application"])
            // Every request of the router goes through it.
            #expect(router["middlewares"]?.texts == ["quash", "no-tunnel"])
            #expect(router["rule"]?.text == "PathPrefix(`/`) && !Method(`CONNECT`)")
            #expect(http["services"]?[try #require(router["service"]?.text)] != nil)
            return try #require(http["middlewares"]?["quash"]?["forwardAuth"])
        }, address: "address", requestList: "authRequestHeaders", upstreamList: "authResponseHeaders", clientList: nil,
        own: ["User-Agent": "Go-http-client/1.1", "Accept-Encoding": "gzip"])

    static let apisix = Played(
        name: "APISIX",
        settings: {
            let routes = try #require(try document("apisix/apisix.yaml")["routes"]).elements
            #expect(routes.map { $0["uri"]?.text } == ["/*"])
            return try #require(routes.first?["plugins"]?["forward-auth"])
        }, address: "uri", requestList: "request_headers", upstreamList: "upstream_headers",
        clientList: "client_headers", own: ["User-Agent": "lua-resty-http/0.17.1 (Lua) ngx_lua/10025"])

    /// The path and the query of what it asks.
    private func target(of gateway: Played) throws -> String {
        let address = try #require(try gateway.settings()[gateway.address]?.text)
        return try #require(address.firstMatch(of: /^http:\/\/validator-1:8081(\/.*)$/)).1.description
    }

    /// The request of `forwardAuth` and of `forward-auth`: a GET without content, with what they say of the client's
    /// request in fields, and of the client's fields those that the configuration lists.
    private func ask(
        _ gateway: Played, token: String?, method: String = "POST", uri: String = "/orders/7?sort=up"
    ) throws -> HTTPResponse {
        let settings = try gateway.settings()
        var fields = gateway.own
        fields.append("X-Forwarded-Method", method)
        fields.append("X-Forwarded-Proto", "https")
        fields.append("X-Forwarded-Host", "gateway.example")
        fields.append("X-Forwarded-Uri", uri)
        fields.append("X-Forwarded-For", "192.0.2.7")
        #expect(settings[gateway.requestList]?.texts == ["Authorization"])
        if let token { fields.append("Authorization", "Bearer \(token)") }
        return try Fleet.current.ask(.get, try target(of: gateway), fields)
    }

    @Test(
        "What the upstream is told is in the answer, every field of it, also when it is empty",
        arguments: [traefik, apisix])
    func acceptance(gateway: Played) throws {
        let fleet = try Fleet.current
        let names = try #require(try gateway.settings()[gateway.upstreamList]).texts
        try #require(names == Self.identity)
        for scope in ["", "read write"] {
            let pair = try fleet.signIn("nadia", more: scope.isEmpty ? "" : #","scope":"\#(scope)""#)
            for (method, uri) in [("POST", "/orders/7?sort=up"), ("GET", "/?scope=admin"), ("QUASH", "//%2e%2e/%zz")] {
                let response = try ask(gateway, token: pair.access, method: method, uri: uri)
                #expect(response.status == .ok)
                let copied = names.map { response.values(of: $0.lowercased()) }
                #expect(copied.allSatisfy { $0.count == 1 })
                #expect(copied[0] == ["nadia"] && copied[1] == [pair.session] && copied[4] == [scope])
            }
        }
    }

    @Test("A refusal goes to the client with its challenge", arguments: [traefik, apisix])
    func refusal(gateway: Played) throws {
        let copied = try gateway.clientList.map { try #require(try gateway.settings()[$0]).texts }
        if let copied { #expect(copied == ["WWW-Authenticate", "Cache-Control", "Retry-After"]) }
        let revoked = try Fleet.current.signIn("nadia-revoked").access
        #expect(try Fleet.current.revokeToken(revoked).status == .ok)
        #expect(try Fleet.current.allAnswer(401, for: revoked))
        for token in [nil, "x", revoked] {
            let response = try ask(gateway, token: token)
            #expect(response.status == .unauthorized)
            let error = token == nil ? "" : ", error=\"invalid_token\""
            #expect(response.values(of: "www-authenticate") == ["Bearer realm=\"quash\"\(error)"])
            #expect(response.values(of: "cache-control") == ["no-store"])
            #expect(Self.identity.allSatisfy { response.values(of: $0.lowercased()).isEmpty })
        }
    }

    @Test("Traefik: a client's own fields are stripped in every spelling, and forwarding fields not believed")
    func traefikStripsWhatClientsSay() throws {
        let settings = try Self.traefik.settings()
        #expect(settings["trustForwardHeader"]?.text == "false")
        let expression = try #require(settings["authResponseHeadersRegex"]?.text)
        // Go's RE2 and Swift read this one alike.
        let pattern = try Regex(expression)
        for separator in "-_.!#$%&'*+^`|~" {
            for name in ["X\(separator)Auth\(separator)Subject", "x\(separator)auth-scope", "X-AUTH\(separator)JTI"] {
                #expect(name.contains(pattern), "\(name)")
            }
        }
        for name in ["Authorization", "X-Request-Id", "Content-Type", "Cookie", "X-Forwarded-For"] {
            #expect(!name.contains(pattern), "\(name)")
        }
        // An empty value removes a field.
        let middlewares = try Self.document("traefik/quash.yaml")["http"]?["middlewares"]
        #expect(middlewares?["no-tunnel"]?["headers"]?["customRequestHeaders"]?["Upgrade"]?.text == "")
        // Nothing else of an acceptance is copied by it.
        let token = try Fleet.current.signIn("nadia").access
        let response = try ask(Self.traefik, token: token)
        let matched = response.fields.map(\.name).filter { $0.contains(pattern) }
        #expect(matched.sorted() == Self.identity.sorted())
    }

    @Test("APISIX: fails closed, with a status that no client takes for a refusal, and knows no underscores")
    func apisixFailsClosed() throws {
        let settings = try Self.apisix.settings()
        #expect(settings["status_on_error"]?.text == "503")
        #expect(settings["allow_degradation"]?.text == "false")
        #expect(settings["request_method"]?.text == "GET")
        let configuration = try Self.document("apisix/config.yaml")
        #expect(configuration["nginx_config"]?["http"]?["underscores_in_headers"]?.text == "off")
    }

    @Test("A lease that has ended goes to the client as 503 with Retry-After", arguments: [traefik, apisix])
    func noLease(gateway: Played) throws {
        let fleet = try Fleet(validatorSettings: ["--lease", "500ms", "--renew-interval", "100ms"])
        try fleet.waitUntilReady()
        let token = try fleet.signIn().access
        fleet.redis.kill9()
        let bearer: FieldLines = ["Authorization": "Bearer \(token)"]
        let target = try target(of: gateway)
        #expect(try poll { try fleet.ask(.get, target, bearer).status == .serviceUnavailable })
        try fleet.ask(.get, target, bearer).expectUnavailable()
    }
}
