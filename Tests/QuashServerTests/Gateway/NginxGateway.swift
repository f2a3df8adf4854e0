import Glibc
import QuashHTTP
import QuashLoop
import TestSupport

/// A real nginx with the configuration that is shipped, its addresses replaced, in front of an application that echoes
/// what it is told. It listens on a unix socket in a folder of its own, and ends with the value.
final class NginxGateway {
    private let folder: TemporaryFolder
    private let process: ChildProcess
    private let client: BlockingHTTPClient
    private let socket: String

    /// - Parameters:
    ///   - query: appended to what the validator is asked, as somebody who wants scopes would write it.
    ///   - location: one more, as somebody would write it who has more than one application.
    init(validator: String, application: String, query: String = "", location: String = "") throws {
        folder = try TemporaryFolder()
        client = try BlockingHTTPClient()
        socket = folder.path("nginx.sock")
        let configuration = try Self.configuration(
            "docker/gateways/nginx/nginx.conf",
            replacing: [
                ("server validator-1:8081 ", "server \(validator) "),
                ("server application:8090;", "server \(application);"),
                ("listen 8000;", "listen unix:\(socket);"),
                ("/authz/auth-request;", "/authz/auth-request\(query);"),
                ("location / {", "\(location) location / {"),
            ], in: folder)
        process = try ChildProcess(
            Self.program(configuration, in: folder, directives: "daemon off; master_process off;"))
        guard poll(within: .seconds(10), { unsafe access(socket, F_OK) == 0 || !process.isRunning }), process.isRunning
        else { throw TestSupportError("nginx does not start: \(process.output)\(log)") }
    }

    var log: String { TemporaryFolder.read(folder.path("nginx.log")) }

    /// Makes a request as a client of the gateway.
    func call(
        _ method: HTTPMethod = .get, _ path: String = "/", token: String? = nil, fields: FieldLines = [:],
        body: String = ""
    ) throws -> HTTPResponse {
        var fields = fields
        if let token { fields.append("Authorization", "Bearer \(token)") }
        return try client.send(
            HTTPClient.Request(
                method, HTTPURL(endpoint: .unix(path: socket), target: path), fields: fields, body: Array(body.utf8)))
    }

    /// Lets nginx itself judge a configuration file of the repository (`nginx -t`).
    ///
    /// - Returns: what it says, when it refuses; nil when it takes it.
    static func flaw(of path: String, replacing addresses: [(shipped: String, here: String)]) throws -> String? {
        let folder = try TemporaryFolder()
        let configuration = try configuration(path, replacing: addresses, in: folder)
        let child = try ChildProcess(program(configuration, in: folder, directives: "") + ["-t"])
        return try child.waitForExit() == .code(0) ? nil : child.output + TemporaryFolder.read(folder.path("nginx.log"))
    }

    /// The command line. Of one process: when a test is killed, no worker of a killed master stays behind.
    private static func program(
        _ configuration: String, in folder: TemporaryFolder, directives: String
    ) -> [String] {
        let isInstalled = unsafe access("/usr/sbin/nginx", X_OK) == 0
        return [
            isInstalled ? "/usr/sbin/nginx" : "nginx", "-p", folder.path, "-e", folder.path("nginx.log"), "-c",
            configuration, "-g", "\(directives) pid \(folder.path("nginx.pid"));",
        ]
    }

    /// The file with its addresses replaced, and with its temporary files in `folder`; otherwise as it is shipped.
    private static func configuration(
        _ path: String, replacing addresses: [(shipped: String, here: String)], in folder: TemporaryFolder
    ) throws -> String {
        var text = String(decoding: try Repository.read(path), as: UTF8.self)
        for (shipped, here) in addresses {
            guard text.contains(shipped) else { throw TestSupportError("\(path) does not have «\(shipped)»") }
            text.replace(shipped, with: here)
        }
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map { name in
            "\(name)_temp_path \(folder.path(name));"
        }
        text.replace("http {\n", with: "http {\n\(temporary.joined(separator: "\n"))\n", maxReplacements: 1)
        return try folder.write("nginx.conf", text)
    }
}

/// An application behind a gateway: it answers the header fields that it got, one a line, and its body.
/// `/status/<code>` answers that status, as an application does that has an opinion of its own.
final class EchoApplication {
    private let server: HTTPServerThread
    var address: String { server.address }

    init() throws {
        server = try HTTPServerThread(name: "echo", at: .tcp(host: "127.0.0.1", port: 0)) { Echo() }
    }

    private final class Echo: HTTPResponder {
        func bodyLimitBytes(for request: borrowing HTTPRequest) -> Int { 1 << 20 }

        func respond(to request: borrowing HTTPRequest, _ exchange: HTTPExchange) {
            let path = request.path.text
            let prefix = "/status/"
            let status = path.hasPrefix(prefix) ? Int(path.dropFirst(prefix.count)).map { HTTPStatus($0) } : nil
            var lines = ""
            for index in 0..<request.fieldCount {
                lines += "\(request.fieldName(at: index).text.lowercased()): \(request.fieldValue(at: index).text)\n"
            }
            let fields: FieldLines = status == .unauthorized ? ["WWW-Authenticate": "Custom"] : [:]
            exchange.send(status ?? .ok, fields: fields, body: Array("\(lines)\n\(request.body.text)".utf8))
        }
    }
}
