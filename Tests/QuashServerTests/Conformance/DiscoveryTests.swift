import QuashCrypto
import QuashHTTP
import QuashJSON
import QuashJWT
import TestSupport
import Testing

@testable import QuashServer

@Suite("RFC 8414 and RFC 7517: what the issuer says of itself", .sharedFleet("--issuer-url", "https://issuer.test"))
struct DiscoveryTests {
    private static let metadataPath = "/.well-known/oauth-authorization-server"

    @Test("RFC 8414 §2, §3.2: the metadata names the issuer as it was configured, and its endpoints")
    func metadataNamesTheEndpoints() throws {
        let fleet = try Fleet.current
        let response = try fleet.web.call(.get, fleet.publicURL + Self.metadataPath)
        #expect(response.status == .ok)
        #expect(response.values(of: "content-type") == ["application/json"])
        let json = try #require(response.json)
        // §3.3: identical, so neither more nor less of a slash at its end.
        #expect(json["issuer"]?.string == "https://issuer.test")
        #expect(json["token_endpoint"]?.string == "https://issuer.test/oauth2/token")
        #expect(json["revocation_endpoint"]?.string == "https://issuer.test/oauth2/revoke")
        #expect(json["introspection_endpoint"]?.string == "https://issuer.test/oauth2/introspect")
        #expect(json["jwks_uri"]?.string == "https://issuer.test/.well-known/jwks.json")
        #expect(json["grant_types_supported"] == ["refresh_token"])
        // §2 requires it, and §3.2 forbids empty lists, though there is no authorization endpoint.
        #expect(json["response_types_supported"] == ["none"])
        #expect(json.object?.members.allSatisfy { $0.value.array?.isEmpty != true } == true)
        let methods: JSONValue = ["client_secret_basic", "client_secret_post", "none"]
        #expect(json["token_endpoint_auth_methods_supported"] == methods)
        #expect(json["revocation_endpoint_auth_methods_supported"] == methods)
        #expect(
            json["introspection_endpoint_auth_methods_supported"] == ["client_secret_basic", "client_secret_post"])
    }

    @Test("RFC 9068 §2.2, RFC 8414 §2: tokens carry the issuer of the metadata, character by character")
    func tokensNameTheSameIssuer() throws {
        let fleet = try Fleet.current
        let pair = try fleet.signIn("erin-issuer")
        #expect(try fleet.introspect(pair.access).json?["iss"]?.string == "https://issuer.test")
    }

    @Test("RFC 8414 §3.1: every endpoint that is named is there, and GET and HEAD alone read what is published")
    func publishedDocumentsAreReadOnly() throws {
        let fleet = try Fleet.current
        for path in [Self.metadataPath, "/.well-known/jwks.json"] {
            let get = try fleet.web.call(.get, fleet.publicURL + path)
            let head = try fleet.web.call(.head, fleet.publicURL + path)
            #expect(head.status == .ok && head.body.isEmpty)
            #expect(head.values(of: "content-length") == get.values(of: "content-length"))
            for method in [HTTPMethod.post, .put, .delete] {
                let response = try fleet.web.call(method, fleet.publicURL + path, body: "x")
                #expect(response.status == .methodNotAllowed)
                #expect(response.values(of: "allow") == ["GET, HEAD"])
            }
        }
    }

    @Test("RFC 9110 §15.5.5: an unknown path is 404, whatever the method, the body and its length")
    func unknownPathsAreNotFound() throws {
        let fleet = try Fleet.current
        for path in [
            "/", "/oauth2", "/oauth2/token/", "/oauth2/authorize", "/admin/v1/nodes", "/metrics", "/OAUTH2/token",
        ] {
            #expect(try fleet.web.call(.get, fleet.publicURL + path).status == .notFound)
            #expect(try fleet.web.form(fleet.publicURL + path, "token=x").status == .notFound)
        }
    }

    @Test(
        "RFC 7517 §4, §5, RFC 7518 §6.3.1: the key set has the public key, all of its members and none of the private")
    func theKeySetIsPublic() throws {
        let fleet = try Fleet.current
        let response = try fleet.web.call(.get, fleet.publicURL + "/.well-known/jwks.json")
        #expect(response.status == .ok)
        #expect(response.values(of: "content-type") == ["application/jwk-set+json"])
        #expect(response.values(of: "cache-control") == ["public, max-age=60"])
        #expect(response.json?.object?.members.map(\.name) == ["keys"])
        let keys = try #require(response.json?["keys"]?.array)
        #expect(keys.count == 1)
        let key = try #require(keys.first)
        #expect(key.object?.members.map(\.name) == ["kty", "use", "alg", "kid", "n", "e"])
        #expect(key["kty"]?.string == "RSA")
        #expect(key["use"]?.string == "sig")
        #expect(key["alg"]?.string == "RS256")
        #expect(key["e"]?.string == "AQAB")
        let modulus = try #require(key["n"]?.string.flatMap { Base64URL.decode($0) })
        #expect(modulus.count == 256 && modulus[0] & 0x80 != 0)
    }

    @Test("RFC 7638 §3: its kid is the SHA-256 thumbprint, and tokens name it (RFC 7515 §4.1.4)")
    func keysAreNamedByTheirThumbprint() throws {
        let fleet = try Fleet.current
        let keys = try fleet.web.call(.get, fleet.publicURL + "/.well-known/jwks.json").json?["keys"]?.array
        let key = try #require(keys?.first)
        let (n, e) = (try #require(key["n"]?.string), try #require(key["e"]?.string))
        let digest = SHA256.digest(of: Array(#"{"e":"\#(e)","kty":"RSA","n":"\#(n)"}"#.utf8).span)
        #expect(key["kid"]?.string == Base64URL.encode(digest.span))
        let pair = try fleet.signIn("erin-kid")
        let header = try #require(pair.access.split(separator: ".").first.flatMap { Base64URL.decode(String($0)) })
        let expected: JSONValue = ["alg": "RS256", "typ": "at+jwt", "kid": try #require(key["kid"])]
        #expect(try JSONValue(parsing: header.span) == expected)
    }
}

@Suite("RFC 8414 §3.1: where the metadata is") struct MetadataPathTests {
    @Test("an issuer with a path has it behind the well-known name, and without a URL there is no metadata")
    func thePathOfTheIssuerFollows() throws {
        let fleet = try Fleet(validators: 0, issuerSettings: ["--issuer-url", "https://example.test/auth"])
        let wellKnown = "/.well-known/oauth-authorization-server"
        let response = try fleet.web.call(.get, fleet.publicURL + wellKnown + "/auth")
        #expect(response.json?["issuer"]?.string == "https://example.test/auth")
        #expect(response.json?["token_endpoint"]?.string == "https://example.test/auth/oauth2/token")
        #expect(try fleet.web.call(.get, fleet.publicURL + wellKnown + "/other").status == .notFound)
        #expect(try fleet.web.call(.get, fleet.publicURL + wellKnown).status == .notFound)

        let nameless = try Fleet(validators: 0)
        #expect(try nameless.web.call(.get, nameless.publicURL + wellKnown).status == .notFound)
    }
}
