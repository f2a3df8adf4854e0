import Glibc
import QuashLoop
import TestSupport

/// A gateway in a process of its own, with the configuration that is shipped, in front of validators and an
/// application. It ends with the value.
final class RunningGateway {
    let kind: GatewayKind
    let port: UInt16
    private let folder: TemporaryFolder
    private let process: ChildProcess
    private var connection: GatewayConnection?

    /// - Parameters:
    ///   - validators: the lines of the configuration that name one are repeated for each.
    ///   - application: its port.
    ///   - scope: what every token must grant; Envoy cannot ask for that.
    ///   - cachesDecisions: whether what is shipped is spoiled by a cache of decisions, which only nginx can have here.
    init(
        _ kind: GatewayKind, validators: [Endpoint], application: UInt16, scope: String? = nil,
        cachesDecisions: Bool = false
    ) throws {
        self.kind = kind
        folder = try TemporaryFolder()
        port = try freePort()
        let site = Site(
            folder: folder, port: port, validators: validators, application: application, scope: scope,
            cachesDecisions: cachesDecisions)
        let command =
            switch kind {
            case .nginx: try Self.nginx(site)
            case .haproxy: try Self.haproxy(site)
            case .caddy: try Self.caddy(site)
            case .envoy: try Self.envoy(site)
            }
        process = try ChildProcess(
            command, environment: ["HOME": folder.path, "XDG_DATA_HOME": folder.path, "XDG_CONFIG_HOME": folder.path])
        guard poll(within: .seconds(20), { !process.isRunning || (try? RawClient(port: port)) != nil }),
            process.isRunning
        else { throw TestSupportError("\(kind.rawValue) does not start: \(log)") }
    }

    /// What it wrote.
    var log: String { process.output + TemporaryFolder.read(folder.path("nginx.log")) }

    /// Asks as a client of the gateway does that keeps its connection.
    func call(_ request: GatewayRequest) throws -> GatewayResponse {
        // A gateway may close a connection between two requests; that a client sees before it sends.
        if let connection, connection.isUsable { return try connection.call(request) }
        let fresh = try GatewayConnection(port: port)
        connection = fresh
        return try fresh.call(request)
    }

    /// Asks once, and gives the status.
    func status(_ token: String?) throws -> Int { try call(GatewayRequest(token: token)).status }

    // MARK: The configurations

    private struct Site {
        let folder: TemporaryFolder
        let port: UInt16
        let validators: [Endpoint]
        let application: UInt16
        let scope: String?
        let cachesDecisions: Bool
    }

    private static func nginx(_ site: Site) throws -> [String] {
        var file = try ShippedConfiguration("nginx/nginx.conf")
        try file.repeatLines(
            with: "validator-1:8081",
            site.validators.map { endpoint in
                { $0.replacing("validator-1:8081", with: GatewayKind.nginx.spelling(of: endpoint)) }
            })
        try file.replace("server application:8090;", with: "server 127.0.0.1:\(site.application);")
        try file.replace("listen 8000;", with: "listen 127.0.0.1:\(site.port);")
        // Where nginx keeps files is decided when it is built, and may need root.
        let paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map { name in
            "\(name)_temp_path \(site.folder.path(name));"
        }
        try file.replace("http {\n", with: "http {\n\(paths.joined(separator: "\n"))\n")
        if let scope = site.scope {
            try file.replace("/authz/auth-request;", with: "/authz/auth-request?scope=\(scope);")
        }
        if site.cachesDecisions {
            let zone = "proxy_cache_path \(site.folder.path("decisions")) keys_zone=decisions:1m;"
            try file.replace("http {\n", with: "http {\n\(zone)\n")
            let question = "proxy_pass http://validator/authz/auth-request;"
            try file.replace(
                question,
                with: question + " proxy_cache decisions; proxy_cache_key $http_authorization;"
                    + " proxy_cache_valid 200 204 5s; proxy_ignore_headers Cache-Control Expires Vary;")
        }
        let configuration = try site.folder.write("nginx.conf", file.text)
        // Of one process: when a test is killed, no worker of a killed master stays behind.
        return [
            try GatewayKind.nginx.program, "-p", site.folder.path, "-e", site.folder.path("nginx.log"), "-c",
            configuration, "-g", "daemon off; master_process off; pid \(site.folder.path("nginx.pid"));",
        ]
    }

    private static func haproxy(_ site: Site) throws -> [String] {
        // Abstract sockets are one namespace for all that run on this machine.
        let name = "quash-validators-\(site.port)"
        var script = try ShippedConfiguration("haproxy/quash.lua")
        try script.replace("abns@quash-validators", with: "abns@\(name)")
        if let scope = site.scope {
            try script.replace("/authz/forward-auth\"", with: "/authz/forward-auth?scope=\(scope)\"")
        }
        var file = try ShippedConfiguration("haproxy/haproxy.cfg")
        try file.replace("abns@quash-validators", with: "abns@\(name)")
        try file.replace("/etc/haproxy/quash.lua", with: try site.folder.write("quash.lua", script.text))
        try file.repeatLines(
            with: "validator-1:8081",
            site.validators.enumerated().map { number, endpoint in
                { line in
                    line.replacing("validator-1:8081", with: GatewayKind.haproxy.spelling(of: endpoint))
                        .replacing("server validator-1 ", with: "server validator-\(number + 1) ")
                }
            })
        try file.replace("application:8090", with: "127.0.0.1:\(site.application)")
        try file.replace("bind :8000", with: "bind 127.0.0.1:\(site.port)")
        return [try GatewayKind.haproxy.program, "-db", "-f", try site.folder.write("haproxy.cfg", file.text)]
    }

    private static func caddy(_ site: Site) throws -> [String] {
        var file = try ShippedConfiguration("caddy/Caddyfile")
        let validators = site.validators.map(GatewayKind.caddy.spelling).joined(separator: " ")
        try file.replace("validator-1:8081", with: validators)
        try file.replace("application:8090", with: "127.0.0.1:\(site.application)")
        try file.replace(":8000 {\n", with: ":\(site.port) {\n\tbind 127.0.0.1\n")
        if let scope = site.scope {
            try file.replace("uri /authz/forward-auth?", with: "uri /authz/forward-auth?scope=\(scope)")
        }
        let configuration = try site.folder.write("Caddyfile", file.text)
        return [try GatewayKind.caddy.program, "run", "--config", configuration, "--adapter", "caddyfile"]
    }

    private static func envoy(_ site: Site) throws -> [String] {
        var file = try ShippedConfiguration("envoy/envoy.yaml")
        let shipped = "socket_address: { address: validator-1, port_value: 8081 }"
        try file.repeatLines(
            with: shipped,
            site.validators.map { endpoint in
                { $0.replacing(shipped, with: GatewayKind.envoy.spelling(of: endpoint)) }
            })
        let isUnix = site.validators.contains { if case .unix = $0 { true } else { false } }
        // A path is no name that could be resolved.
        if isUnix { try file.replace("type: STRICT_DNS", with: "type: STATIC", count: 2) }
        try file.replace(
            "address: application, port_value: 8090", with: "address: 127.0.0.1, port_value: \(site.application)")
        try file.replace("address: 0.0.0.0, port_value: 8000", with: "address: 127.0.0.1, port_value: \(site.port)")
        return [
            try GatewayKind.envoy.program, "--concurrency", "1", "--disable-hot-restart", "--log-level", "error", "-c",
            try site.folder.write("envoy.yaml", file.text),
        ]
    }
}
