import QuashCrypto
import QuashHTTP
import QuashJSON
import TestSupport
import Testing

@testable import QuashServer

/// One issuer and one validator for all tests of a suite, made before the first and stopped after the last. For tests
/// that leave it working: each signs in subjects of its own. What breaks something has a `Fleet` of its own.
struct SharedFleet: SuiteTrait, TestScoping {
    let issuerSettings: [String]

    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @concurrent @Sendable () async throws -> Void
    ) async throws {
        let folder = try TemporaryFolder()
        let clients = try folder.write("clients.json", Self.clients)
        let fleet = try Fleet(issuerSettings: ["--clients-file", clients] + issuerSettings)
        try fleet.waitUntilReady()
        try await Fleet.$shared.withValue(Box(fleet: fleet), operation: function)
    }

    // SAFETY: nothing of a fleet changes after it was made, unless a validator is added, which no test of a suite does.
    @safe struct Box: @unchecked Sendable {
        let fleet: Fleet
    }

    /// Two confidential clients, one whose name and secret need every kind of encoding, and a public one.
    static let gateway = ClientCredentials(name: "gateway", secret: "a long random secret")
    static let billing = ClientCredentials(name: "billing", secret: "another long random secret")
    static let peculiar = ClientCredentials(name: "a:b c", secret: "50% + é:ü")
    static let publicClient = "spa"

    private static let clients = {
        let confidential = [gateway, billing, peculiar].map { client in
            #"{"client_id":"\#(client.name)","secret_sha256":"\#(client.secretDigest)"}"#
        }
        return #"{"clients":[\#(confidential.joined(separator: ",")),{"client_id":"\#(publicClient)"}]}"#
    }()
}

extension Trait where Self == SharedFleet {
    static var sharedFleet: SharedFleet { .sharedFleet() }

    static func sharedFleet(_ issuerSettings: String...) -> SharedFleet { SharedFleet(issuerSettings: issuerSettings) }
}

extension Fleet {
    @TaskLocal fileprivate static var shared: SharedFleet.Box?

    /// The fleet of the suite.
    static var current: Fleet {
        get throws { try #require(shared, "the suite has no .sharedFleet").fleet }
    }
}

/// How a client proves who it is.
struct ClientCredentials {
    let name: String
    let secret: String

    /// In lower-case hexadecimal digits, as the clients file has it.
    var secretDigest: String {
        SHA256.digest(of: Array(secret.utf8).span).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    /// The Authorization field of `client_secret_basic` (RFC 6749 §2.3.1: each form-encoded, then RFC 7617).
    var basic: FieldLines {
        ["Authorization": "Basic \(base64("\(formEncoded(name)):\(formEncoded(secret))"))"]
    }

    /// The parameters of `client_secret_post`, to append to a form.
    var post: String { "&client_id=\(formEncoded(name))&client_secret=\(formEncoded(secret))" }
}

/// `application/x-www-form-urlencoded` of one value: everything but letters and digits as `%XX`, and a space as `+`.
func formEncoded(_ text: String) -> String {
    text.utf8.map { byte in
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: String(UnicodeScalar(byte))
        case 0x20: "+"
        default: "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
        }
    }.joined()
}

/// Base64 with padding (RFC 4648 §4).
func base64(_ text: String) -> String {
    let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
    let bytes = Array(text.utf8)
    var encoded = ""
    for start in stride(from: 0, to: bytes.count, by: 3) {
        let group = bytes[start..<min(start + 3, bytes.count)]
        let bits = group.reduce(0) { $0 << 8 | Int($1) } << (8 * (3 - group.count))
        for position in 0..<4 {
            encoded.append(position <= group.count ? alphabet[bits >> (18 - 6 * position) & 63] : "=")
        }
    }
    return encoded
}

extension HTTPResponse {
    /// The values of every field called `name`, which is in lower case.
    func values(of name: String) -> [String] {
        fields.filter { $0.name.lowercased() == name }.map(\.value)
    }

    /// All that a client can tell answers apart by, as it was spelled and in its order, but for the date.
    var fingerprint: String {
        let lines = fields.filter { $0.name != "Date" }.map { "\($0.name): \($0.value)" }
        return (["\(status)"] + lines + ["", text]).joined(separator: "\n")
    }

    /// Expects an error of RFC 6749 §5.2, which is in JSON, never kept, and has nothing but its two members.
    func expectError(
        _ error: String, _ status: Int = 400, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(self.status.code == status, "\(text)", sourceLocation: sourceLocation)
        #expect(values(of: "content-type") == ["application/json"], sourceLocation: sourceLocation)
        #expect(values(of: "cache-control") == ["no-store"], sourceLocation: sourceLocation)
        #expect(json?["error"]?.string == error, "\(text)", sourceLocation: sourceLocation)
        #expect(
            json?.object?.members.map(\.name) == ["error", "error_description"], sourceLocation: sourceLocation)
        // RFC 6749 §5.2: %x20-21 / %x23-5B / %x5D-7E.
        let description = json?["error_description"]?.string ?? "\""
        #expect(
            description.utf8.allSatisfy { (0x20...0x7E).contains($0) && $0 != 0x22 && $0 != 0x5C },
            sourceLocation: sourceLocation)
    }

    /// Expects a failure that passes: 503 with Retry-After, which no client takes for a refusal.
    func expectUnavailable(sourceLocation: SourceLocation = #_sourceLocation) {
        #expect(status.code == 503, "\(text)", sourceLocation: sourceLocation)
        #expect(values(of: "retry-after") == ["1"], sourceLocation: sourceLocation)
        #expect(values(of: "cache-control") == ["no-store"], sourceLocation: sourceLocation)
        #expect(values(of: "www-authenticate").isEmpty, sourceLocation: sourceLocation)
    }
}
