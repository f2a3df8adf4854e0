import ArgumentParser
import QuashCrypto
import QuashHTTP
import QuashLoop
import QuashServer

/// Where the administration of an issuer is, and the credential for it.
struct ClientOptions: ParsableArguments {
    static let defaultServer = "http://127.0.0.1:9080"

    @OptionGroup var address: ServerOptions

    @Option(
        help: ArgumentHelp(
            "The file with the bearer credential (default: QUASH_ADMIN_TOKEN_FILE, or what QUASH_ADMIN_TOKEN holds).",
            valueName: "file"))
    var tokenFile: String?

    func client() throws(CommandFailure) -> AdminClient {
        let environment = ProcessEnvironment.current
        let server = try address.url(or: Self.defaultServer, environment: environment)
        let token = try token(environment)
        if token != nil, !server.isSecure, !server.isLocal {
            Terminal.complain(["warning: the credential goes to \(server.endpoint) unencrypted; use https"])
        }
        return AdminClient(server: server, token: token, tls: try address.tls(for: server))
    }

    private func token(_ environment: [String: String]) throws(CommandFailure) -> Secret? {
        let path = tokenFile ?? environment["QUASH_ADMIN_TOKEN_FILE"]
        let text = tokenFile == nil ? environment["QUASH_ADMIN_TOKEN"] : nil
        if path != nil && text != nil {
            throw CommandFailure(.usage, "QUASH_ADMIN_TOKEN and QUASH_ADMIN_TOKEN_FILE are both set; unset one of them")
        }
        do throws(SettingFlaw) {
            if let text { return try Secret(Array(text.utf8), .bearer) }
            if let path { return try SecretInFile(path: path, .bearer).secret }
            return nil
        } catch {
            let place = path.map { "the credential's file \(quoted($0))" } ?? "QUASH_ADMIN_TOKEN"
            throw CommandFailure(.usage, "\(place) \(error.reason); \(error.remedy)")
        }
    }
}

/// An address of the administration of either role, and how to trust it.
struct ServerOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "An http or https URL, or unix:/path (default: QUASH_SERVER, or \(ClientOptions.defaultServer)).",
            valueName: "url"))
    var server: String?

    @Option(
        help: ArgumentHelp(
            "Certificates of the authorities that may vouch for an https server; the system's when not given.",
            valueName: "file"))
    var caFile: String?

    @Option(help: ArgumentHelp("The certificate for a server that asks for one.", valueName: "file"))
    var certFile: String?

    @Option(help: ArgumentHelp("The private key of --cert-file.", valueName: "file"))
    var keyFile: String?

    func validate() throws {
        if (certFile == nil) != (keyFile == nil) { throw ValidationError("--cert-file and --key-file belong together") }
    }

    func url(or fallback: String, environment: [String: String]) throws(CommandFailure) -> HTTPURL {
        let (text, source) =
            server.map { ($0, "--server") } ?? environment["QUASH_SERVER"].map { ($0, "QUASH_SERVER") } ?? (
                fallback, "default"
            )
        do {
            if text.hasPrefix("unix:") { return HTTPURL(endpoint: try Endpoint(text), target: "/") }
            let url = try HTTPURL(text)
            guard url.target == "/" else {
                throw CommandFailure(.usage, "\(source) \(quoted(text)) has a path; write http://host:port")
            }
            return url
        } catch let failure as CommandFailure {
            throw failure
        } catch {
            throw CommandFailure(.usage, "\(source) \(quoted(text)): \(error); write http://host:port or unix:/path")
        }
    }

    func tls(for url: HTTPURL) throws(CommandFailure) -> TLSContext? {
        guard url.isSecure else { return nil }
        do throws(CryptoError) {
            var identity: TLSContext.Identity?
            if let certFile, let keyFile {
                identity = TLSContext.Identity(certificateChainPath: certFile, privateKeyPath: keyFile)
            }
            return try .client(
                trust: caFile.map { .certificateAuthorities(path: $0) } ?? .systemRoots, identity: identity)
        } catch {
            throw CommandFailure(.usage, "\(error)")
        }
    }
}

extension HTTPURL {
    /// Whether what goes there stays on this machine.
    fileprivate var isLocal: Bool { endpoint.isLocal }
}
