import Foundation

/// How each server that is measured is started. What cannot be started, or answers wrongly, is absent from the results
/// and named there.
struct Peer: Sendable {
    static let quash = "quash"
    static let quashUnix = "quash, unix socket"
    static let quashCold = "quash, no token cache"
    static let nginx = "nginx return 204"
    static let authRequest = "nginx auth_request + quash"
    static let haproxy = "haproxy"
    static let nginxLua = "nginx + lua, cached"
    static let nodeCached = "node, cached"
    static let nodeRedis = "node + redis"
    static let fastAPI = "fastapi + redis"
    static let envoy = "envoy jwt_authn, no revocation"
    static let envoyLua = "envoy jwt_authn + lua"

    let name: String
    let start: @Sendable (Lab) throws -> Subject

    /// The peers, without Quash itself.
    static let all = [
        Peer(name: nginx, start: startNginx),
        Peer(name: haproxy, start: startHAProxy),
        Peer(name: nginxLua, start: startNginxLua),
        Peer(name: nodeCached, start: startNodeCached),
        Peer(name: nodeRedis, start: startNodeRedis),
        Peer(name: fastAPI, start: startFastAPI),
        Peer(name: envoy, start: { try startEnvoy($0, envoy, "envoy.yaml") }),
        Peer(name: envoyLua, start: { try startEnvoy($0, envoyLua, "envoy-lua.yaml") }),
    ]

    // MARK: nginx

    private static func startNginx(_ lab: Lab) throws -> Subject {
        let port = try Target.freePort()
        let file = try lab.configuration("nginx-204", "nginx.conf", ["PORT": "\(port)", "FOLDER": lab.folder.path])
        var subject = try server(lab, nginx, "nginx-204", ["nginx", "-e", "stderr", "-c", file], port)
        subject.validates = false
        subject.revokes = false
        return subject
    }

    /// nginx and the validator that it asks, on one core.
    static func startAuthRequest(_ lab: Lab, validator: ServerProcess, socket: Target) throws -> Subject {
        guard case .unix(let path) = socket else { throw Failure("the validator has no unix socket") }
        let port = try Target.freePort()
        let file = try lab.configuration(
            "nginx-auth-request", "nginx.conf",
            ["PORT": "\(port)", "FOLDER": lab.folder.path, "VALIDATOR": path])
        return try server(
            lab, authRequest, "nginx-auth-request", ["nginx", "-e", "stderr", "-c", file], port, with: [validator])
    }

    private static func startNginxLua(_ lab: Lab) throws -> Subject {
        let modules = ["/usr/lib/nginx/modules", "/usr/share/nginx/modules"].first {
            FileManager.default.fileExists(atPath: "\($0)/ngx_http_lua_module.so")
        }
        guard let modules else { throw Failure("there is no Lua module for nginx") }
        let port = try Target.freePort()
        let file = try lab.configuration(
            "nginx-lua", "nginx.conf",
            [
                "PORT": "\(port)", "FOLDER": lab.folder.path, "KEY": lab.tokens.publicKeyFile, "PEERS": lab.peers,
                "REVOKED": try lab.revokedFile(), "MODULES": modules,
            ])
        return try server(lab, nginxLua, "nginx-lua", ["nginx", "-e", "stderr", "-c", file], port)
    }

    // MARK: HAProxy

    private static func startHAProxy(_ lab: Lab) throws -> Subject {
        let port = try Target.freePort()
        let file = try lab.configuration(
            "haproxy", "haproxy.cfg",
            ["PORT": "\(port)", "KEY": lab.tokens.publicKeyFile, "REVOKED": try lab.revokedFile(suffix: " 1")])
        return try server(lab, haproxy, "haproxy", ["haproxy", "-db", "-f", file], port)
    }

    // MARK: Node

    private static func startNodeCached(_ lab: Lab) throws -> Subject {
        let port = try Target.freePort()
        return try server(
            lab, nodeCached, "node-cached",
            ["node", "\(lab.peers)/node/cached.js", "\(port)", lab.tokens.publicKeyFile, try lab.revokedFile()], port)
    }

    private static func startNodeRedis(_ lab: Lab) throws -> Subject {
        let port = try Target.freePort()
        let (redis, socket) = try startRevocationStore(lab, "node-redis-store")
        return try server(
            lab, nodeRedis, "node-redis",
            ["node", "\(lab.peers)/node/redis.js", "\(port)", lab.tokens.publicKeyFile, socket], port, with: [redis])
    }

    /// A Redis of a peer's own that knows the revocations; its time counts as the peer's.
    private static func startRevocationStore(
        _ lab: Lab, _ name: String
    ) throws -> (process: ServerProcess, socket: String) {
        let (redis, socket) = try lab.startRedis(name, core: Lab.serverCore)
        let commands = lab.revokedIDs.map { "SET revoked:\($0) 1 EX 21600\n" }.joined()
        try Command.run(["sh", "-c", "redis-cli -s \(socket) >/dev/null"], input: commands)
        return (redis, socket)
    }

    // MARK: Python and Envoy, from a venv

    private static func startFastAPI(_ lab: Lab) throws -> Subject {
        let python = "\(lab.builds)/.build-python/bin/python"
        guard FileManager.default.fileExists(atPath: python) else {
            throw Failure("its packages are not installed: run bench/setup")
        }
        let port = try Target.freePort()
        let (redis, socket) = try startRevocationStore(lab, "fastapi-store")
        return try server(
            lab, fastAPI, "fastapi",
            [
                python, "-m", "uvicorn", "app:app", "--app-dir", "\(lab.peers)/fastapi", "--host", "127.0.0.1",
                "--port", "\(port)", "--workers", "1", "--loop", "uvloop", "--http", "httptools", "--no-access-log",
                "--log-level", "warning", "--timeout-keep-alive", "75",
            ],
            port, with: [redis],
            environment: [
                "PUBLIC_KEY": lab.tokens.publicKeyFile, "REDIS_SOCKET": socket, "PYTHONDONTWRITEBYTECODE": "1",
            ])
    }

    private static func startEnvoy(_ lab: Lab, _ name: String, _ configuration: String) throws -> Subject {
        guard let binary = envoyBinary(lab) else {
            throw Failure("its binary is not installed: run bench/setup")
        }
        let port = try Target.freePort()
        let file = try lab.configuration(
            "envoy", configuration,
            ["PORT": "\(port)", "KEYS": lab.tokens.keySetFile, "REVOKED": try lab.revokedFile()])
        var subject = try server(
            lab, name, configuration,
            [binary, "-c", file, "--concurrency", "1", "--disable-hot-restart", "--log-level", "warning"], port)
        subject.revokes = name == envoyLua
        return subject
    }

    /// Where the wheel has put it.
    static func envoyBinary(_ lab: Lab) -> String? {
        let packages = "\(lab.builds)/.build-envoy/lib"
        let versions = (try? FileManager.default.contentsOfDirectory(atPath: packages)) ?? []
        return versions.map { "\(packages)/\($0)/site-packages/envoy/_bin/envoy" }
            .first(where: FileManager.default.isExecutableFile)
    }

    /// Starts a server that is to listen at `port`, and waits until it answers.
    private static func server(
        _ lab: Lab, _ name: String, _ file: String, _ arguments: [String], _ port: UInt16,
        with others: [ServerProcess] = [], environment: [String: String] = [:]
    ) throws -> Subject {
        let process = try ServerProcess(
            name, arguments, core: Lab.serverCore, environment: environment, log: lab.folder.path("\(file).out"))
        let target = Target.tcp(port: port)
        try lab.waitUntil(process) { (try? Exchange(target).get("/")) != nil }
        return Subject(name: name, target: target, path: "/", processes: [process] + others)
    }
}
