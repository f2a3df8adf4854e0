import QuashCrypto
import QuashJSON
import QuashJWT

/// The OAuth clients that the issuer knows, out of the clients file:
///
/// ```json
/// {"clients": [{"client_id": "gateway", "secret_sha256": "<64 hexadecimal digits>"}, {"client_id": "spa"}]}
/// ```
///
/// One with a secret is confidential and must authenticate; one without is public (RFC 6749 §2.1). Only a hash of a
/// secret is kept: secrets are random and long, made by a machine, so no slow password hash is needed.
struct ClientRegistry: Sendable {
    static let maxClients = 10_000
    static let maxFileBytes = 4 << 20

    private let secrets: [String: SecretDigest?]

    /// Knows nobody: every client is public.
    init() { secrets = [:] }

    /// - Throws: one line that names what is wrong.
    init(parsing bytes: [UInt8], file: String) throws(StartFailure) {
        func problem(_ text: String) -> StartFailure { StartFailure("\(file): \(text)") }
        let document: JSONValue
        do {
            document = try JSONValue(parsing: bytes.span, maxBytes: Self.maxFileBytes)
        } catch {
            throw problem("\(error)")
        }
        guard let clients = document["clients"]?.array, document.object?.members.count == 1,
            clients.count <= Self.maxClients
        else {
            throw problem("expected {\"clients\": [...]} with at most \(Self.maxClients) clients, and nothing else")
        }
        var secrets: [String: SecretDigest?] = [:]
        for client in clients {
            guard let members = client.object?.members, let name = client["client_id"]?.string, !name.isEmpty,
                members.allSatisfy({ ["client_id", "secret_sha256"].contains($0.name) })
            else {
                throw problem("a client has a client_id, and a secret_sha256 unless it is public, and nothing else")
            }
            var secret: SecretDigest?
            if let hash = client["secret_sha256"] {
                guard let digest = hash.string.flatMap({ SecretDigest(hexadecimal: $0) }) else {
                    throw problem("the secret_sha256 of client \(name) is not 64 hexadecimal digits")
                }
                secret = digest
            }
            guard secrets.updateValue(secret, forKey: name) == nil else {
                throw problem("client \(name) is there twice")
            }
        }
        self.secrets = secrets
    }

    /// What a request said about the client it comes from.
    enum Authentication: Equatable {
        /// It is this client, and proved it as far as it has to.
        case client(String)
        /// Nothing was said.
        case anonymous
        /// Something was said that is wrong, or is not enough.
        case failed
        /// It was said in more than one way, or cannot be read: RFC 6749 §5.2 calls that an invalid request.
        case malformed
    }

    /// Judges what a request says, by HTTP Basic or in its form (RFC 6749 §2.3.1), never both.
    func authenticate(
        basic: Presented<(name: String, password: String)>, form: FormParameters
    ) -> Authentication {
        switch basic {
        case .otherScheme: return .failed
        case .malformed: return .malformed
        case .value(let credentials):
            guard form["client_secret"] == nil, form["client_id"] ?? credentials.name == credentials.name else {
                return .malformed
            }
            return check(credentials.name, secret: credentials.password)
        case .nothing:
            guard let name = form["client_id"] else { return form["client_secret"] == nil ? .anonymous : .failed }
            return check(name, secret: form["client_secret"])
        }
    }

    /// Whether the Authorization field of a request is wrong in itself, so that its form need not be read.
    func refuses(_ basic: Presented<(name: String, password: String)>) -> Bool {
        switch basic {
        case .nothing, .malformed: return false
        case .otherScheme: return true
        case .value(let credentials):
            if case .failed = check(credentials.name, secret: credentials.password) { return true }
            return false
        }
    }

    private func check(_ name: String, secret: String?) -> Authentication {
        switch secrets[name] {
        case .some(.some(let digest)):
            guard let secret, digest.matches(Array(secret.utf8)) else { return .failed }
            return .client(name)
        case .some(.none):
            return secret == nil || secret == "" ? .client(name) : .failed
        case .none:
            // A client that no file names has nothing to prove, and its name counts for no more than any other.
            return secret == nil && secrets.isEmpty ? .client(name) : .failed
        }
    }

    /// Whether a client of this name has proved who it is by authenticating, not just by saying so.
    func isConfidential(_ name: String) -> Bool {
        if case .some(.some) = secrets[name] { true } else { false }
    }
}
