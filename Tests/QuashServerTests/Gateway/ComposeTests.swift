import Glibc
import TestSupport
import Testing

@testable import QuashServer

/// What `docker/compose.yaml` says, held against the files that it mounts, against itself, and against a redis-server
/// and roles that are started with what it gives them, without an engine.
@Suite("The compose file") struct ComposeTests {
    private static let gateways = ["nginx", "envoy", "caddy", "haproxy", "traefik"]

    private let compose: YAMLNode
    private let services: [String: YAMLNode]

    init() throws {
        compose = try YAMLReader.read(Self.text("docker/compose.yaml"))
        services = try #require(compose["services"]).map
    }

    private static func text(_ path: String) throws -> String {
        String(decoding: try Repository.read(path), as: UTF8.self)
    }

    private static func exists(_ path: String) -> Bool { unsafe access("\(Repository.root)/\(path)", F_OK) == 0 }

    private func role(of service: YAMLNode) -> Role? {
        service["command"]?.texts.first.flatMap { command in Role.allCases.first { "\($0)" == command } }
    }

    /// The files of the repository that a service sees, those of folders too.
    private func mounted(by service: YAMLNode) throws -> [String] {
        let sources = (service["volumes"]?.texts ?? []).filter { $0.hasPrefix("./") }
            .map { "docker/" + $0.dropFirst(2).prefix { $0 != ":" } }
        return try Repository.files().filter { file in sources.contains { file == $0 || file.hasPrefix($0 + "/") } }
    }

    // MARK: Itself

    @Test("Every service, secret, volume, network and file that is named is there, and used")
    func referencesExist() throws {
        var used: [String: Set<String>] = ["secrets": [], "volumes": [], "networks": []]
        for (name, service) in services {
            let networks = Set(service["networks"]?.texts ?? [])
            #expect(!networks.isEmpty, "\(name) is on the default network, with everybody")
            for other in service["depends_on"]?.texts ?? [] {
                let isStarted = Set(services[other]?["profiles"]?.texts ?? []).isSubset(
                    of: service["profiles"]?.texts ?? [])
                #expect(services[other] != nil && isStarted, "\(name) waits for \(other)")
                #expect(!networks.isDisjoint(with: services[other]?["networks"]?.texts ?? []), "\(name) to \(other)")
            }
            for volume in service["volumes"]?.texts ?? [] {
                let parts = volume.split(separator: ":").map(String.init)
                if parts[0].hasPrefix("./") {
                    #expect(Self.exists("docker/\(parts[0].dropFirst(2))"), "\(name): \(volume)")
                    #expect(parts.count == 3 && parts[2] == "ro", "\(name) can change \(volume)")
                } else {
                    used["volumes"]?.insert(parts[0])
                }
            }
            used["secrets"]?.formUnion(service["secrets"]?.texts ?? [])
            used["networks"]?.formUnion(networks)
        }
        for (kind, names) in used { #expect(Set(compose[kind]?.map.keys.map(\.self) ?? []) == names, "\(kind)") }
    }

    @Test("Every service has the least that it needs, and an image whose version is said")
    func servicesAreHardened() throws {
        for (name, service) in services {
            if let build = service["build"] {
                // Its node-id: a container's own name is another each time, and an outbox is that of one issuer.
                #expect(service["hostname"]?.text == name)
                #expect(build["context"]?.text == "..")
                #expect(Self.exists(try #require(build["dockerfile"]?.text)))
            } else {
                #expect(service["image"]?.text?.contains(":") == true, "\(name) has an image without a version")
            }
            #expect(service["read_only"]?.text == "true" && service["cap_drop"]?.texts == ["ALL"], "\(name)")
            #expect(service["security_opt"]?.texts == ["no-new-privileges:true"], "\(name)")
            // Without capabilities, an image's entry point cannot become another user than the one it starts as.
            #expect(service["build"] != nil || service["user"]?.text != nil, "\(name) starts as root")
            for port in service["ports"]?.texts ?? [] {
                #expect(port.hasPrefix("127.0.0.1:"), "\(name) is published beyond this machine")
            }
        }
        // Nobody else speaks with Redis, and no gateway with the issuer.
        let onFeed = services.filter { $0.value["networks"]?.texts.contains("feed") == true }.keys
        #expect(Set(onFeed) == ["redis", "issuer", "validator-1", "validator-2", "validator-3"])
        #expect(compose["networks"]?["feed"]?["internal"]?.text == "true")
        #expect(services["issuer"]?["networks"]?.texts.contains("gateways") == false)
    }

    @Test("A profile for each gateway, whose service has its name, and one for observation")
    func thereIsAProfileForEachGateway() throws {
        for name in Self.gateways {
            #expect(services[name]?["profiles"]?.texts == [name])
            #expect(services[name]?["ports"]?.texts == ["127.0.0.1:8000:8000"])
        }
        let others = services.filter { !Self.gateways.contains($0.key) }
        let observing = others.filter { $0.value["profiles"]?.texts == ["observability"] }.keys
        #expect(Set(observing) == ["prometheus", "grafana"])
        #expect(others.allSatisfy { $0.value["profiles"] == nil || observing.contains($0.key) })
        // Those which can run at once do not want the same port.
        let published = others.values.flatMap { $0["ports"]?.texts ?? [] } + ["127.0.0.1:8000:8000"]
        #expect(Set(published.map { $0.split(separator: ":")[1] }).count == published.count)
    }

    // MARK: Addresses

    /// The ports on which a service listens for others, by what its own files say.
    private func ports(of name: String) throws -> Set<String> {
        guard let service = services[name] else { return [] }
        let environment = service["environment"]?.map ?? [:]
        if role(of: service) != nil {
            return Set(
                ["QUASH_LISTEN", "QUASH_ADMIN_LISTEN"].compactMap { environment[$0]?.text }
                    .filter { $0.hasPrefix("0.0.0.0:") }.map { String($0.dropFirst("0.0.0.0:".count)) })
        }
        switch name {
        case "redis": return ["6379"]
        case "prometheus": return ["9090"]
        case "grafana": return ["3000"]
        default: break
        }
        let said = try mounted(by: service).map(Self.text) + (service["command"]?.texts ?? [])
        let patterns = [
            /(?m)^\s*listen ([0-9]+);/, /(?m)^:([0-9]+) \{/, /(?m)^\s*bind :([0-9]+)$/,
            /address: 0\.0\.0\.0, port_value: ([0-9]+)/, /^--entrypoints\.web\.address=:([0-9]+)$/,
        ]
        return Set(said.flatMap { text in patterns.flatMap { text.matches(of: $0).map { String($0.1) } } })
    }

    /// What of `name:port` a text names, where the name is a service's.
    private func addresses(in text: String) -> Set<String> {
        var found: Set<String> = []
        for line in text.split(separator: "\n") where !line.drop(while: { $0 == " " || $0 == "\t" }).hasPrefix("#") {
            for match in line.matches(of: /([a-z][a-z0-9-]*):([0-9]+)/) where services[String(match.1)] != nil {
                found.insert(String(match.0))
            }
            for match in line.matches(of: /address: ([a-z][a-z0-9-]*), port_value: ([0-9]+)/) {
                found.insert("\(match.1):\(match.2)")
            }
        }
        return found
    }

    @Test(
        "Every address, in the compose file and in what it mounts, is one that a service listens on and is reached at")
    func addressesAreListenedOn() throws {
        var all: [String: Set<String>] = [:]
        for (name, service) in services {
            let said = try mounted(by: service).filter { !$0.hasSuffix(".test.yml") && !$0.hasSuffix(".json") }
            let texts = try said.map(Self.text) + (service["environment"]?.map.values.compactMap(\.text) ?? [])
            all[name] = texts.reduce(into: []) { $0.formUnion(addresses(in: $1)) }
            for address in all[name] ?? [] {
                let parts = address.split(separator: ":").map(String.init)
                #expect(try ports(of: parts[0]).contains(parts[1]), "\(name) asks \(address), where nobody listens")
                let networks = services[parts[0]]?["networks"]?.texts ?? []
                #expect(!Set(networks).isDisjoint(with: service["networks"]?.texts ?? []), "\(name) to \(address)")
            }
            for port in service["ports"]?.texts ?? [] {
                #expect(try ports(of: name).contains(String(port.split(separator: ":")[2])), "\(name): \(port)")
            }
        }
        for gateway in Self.gateways {
            #expect(all[gateway]?.isSuperset(of: ["validator-1:8081", "application:8090"]) == true, "\(gateway)")
        }
        let watched = (1...3).map { "validator-\($0):9081" } + ["issuer:9080"]
        #expect(all["prometheus"]?.isSuperset(of: watched) == true)
        #expect(all["grafana"] == ["prometheus:9090"])
        #expect(all["issuer"] == ["redis:6379"] && all["validator-1"] == ["redis:6379", "issuer:8080"])
    }

    // MARK: What it gives to the roles

    /// What `docker/prepare` makes, in a copy of its folder. It cannot give files to the users of the images here.
    private func prepare(in folder: TemporaryFolder) throws -> (secrets: String, owners: String) {
        let (copy, owners) = (folder.path("docker"), folder.path("owners"))
        try ChildProcess.run(["cp", "-R", "\(Repository.root)/docker", copy])
        try ChildProcess.run(["rm", "-rf", "\(copy)/secrets"])
        for (name, script) in [("chown", "echo \"$1 ${2##*/}\" >>\(owners)"), ("sudo", "exec \"$@\"")] {
            try ChildProcess.run(["chmod", "700", try folder.write(name, "#!/bin/sh\n\(script)\n")])
        }
        let path = try #require(unsafe getenv("PATH").map { unsafe String(cString: $0) })
        let environment = ["PATH": "\(folder.path("")):\(path)"]
        try ChildProcess.run(["\(copy)/prepare"], environment: environment)
        // What is there stays: nobody is locked out by asking twice.
        let token = TemporaryFolder.read("\(copy)/secrets/admin-token")
        try ChildProcess.run(["\(copy)/prepare"], environment: environment)
        #expect(TemporaryFolder.read("\(copy)/secrets/admin-token") == token && token.utf8.count == 65)
        return ("\(copy)/secrets", TemporaryFolder.read(owners))
    }

    /// The environment of a service, with the addresses and files of a test instead of those of containers.
    private func environment(
        of service: YAMLNode, secrets: String, replacing addresses: [(String, String)]
    ) throws -> [String: String] {
        let given = Set(service["secrets"]?.texts ?? [])
        return try #require(service["environment"]).map.mapValues { value in
            var text = try #require(value.text)
            if text.hasPrefix("/run/secrets/") {
                let name = String(text.dropFirst("/run/secrets/".count))
                #expect(given.contains(name), "it is not given \(name)")
                let file = try #require(compose["secrets"]?[name]?["file"]?.text)
                #expect(file.hasPrefix("./secrets/"))
                text = secrets + "/" + file.dropFirst("./secrets/".count)
            }
            for (here, there) in addresses { text = text.replacing(here, with: there) }
            return text
        }
    }

    @Test("What docker/prepare makes and the compose file gives lets an issuer, three validators and Redis work")
    func theRolesWorkWithWhatTheyAreGiven() throws {
        let folder = try TemporaryFolder()
        let (secrets, owners) = try prepare(in: folder)
        let files = Set(try #require(compose["secrets"]).map.values.compactMap { $0["file"]?.text })
        let made = try ChildProcess.run(["ls", secrets]).split(separator: "\n").map { "./secrets/\($0)" }
        #expect(Set(made) == files)
        // Those of Quash's image, whose user the Dockerfile says, and of Redis's.
        let user = try #require(Self.text("docker/Dockerfile").firstMatch(of: /--uid ([0-9]+)/)?.1)
        let expected = made.map { "\($0.hasSuffix("redis-users") ? "999" : "\(user)") \($0.dropFirst(10)).new" }
        #expect(Set(owners.split(separator: "\n").map(String.init)) == Set(expected))
        #expect(try Repository.trackedFiles().allSatisfy { !$0.hasPrefix("docker/secrets/") })

        // Redis as its command says.
        let words = try #require(services["redis"]?["command"]?.texts)
        #expect(words.first == "redis-server" && words.suffix(2) == ["--aclfile", "/run/secrets/redis-users"])
        var settings: [String: String] = [:]
        for index in stride(from: 1, to: words.count - 2, by: 2) {
            settings[String(words[index].dropFirst(2))] = words[index + 1]
        }
        #expect(settings["appendonly"] == "yes" && settings["maxmemory-policy"] == "noeviction")
        let users = TemporaryFolder.read("\(secrets)/redis-users").split(separator: "\n").map(String.init)
        let redis = try RedisServer.start(RedisServer.Options(settings: settings, users: users, listensOnTCP: true))
        let redisAddress = "127.0.0.1:\(try #require(redis.port))"

        var replacing = [("redis:6379", redisAddress), ("/var/lib/quash/", folder.path(""))]
        // `quash keys generate`, where the settings say, as docker/README.md tells to begin.
        let keys = try #require(services["issuer"]?["environment"]?["QUASH_SIGNING_KEY_FILE"]?.text)
        try #require(keys.hasPrefix("/var/lib/quash/"))
        try ChildProcess.run(
            [BuiltProgram.path("quash"), "keys", "generate"],
            environment: ["QUASH_SIGNING_KEY_FILE": keys.replacing("/var/lib/quash/", with: folder.path(""))])
        replacing += ["8080", "8081", "9080", "9081"].map { ("0.0.0.0:\($0)", "127.0.0.1:0") }
        let issuer = try Issuer(
            IssuerConfiguration(
                environment: environment(
                    of: try #require(services["issuer"]), secrets: secrets, replacing: replacing)), log: Fleet.silent)
        defer { issuer.stop() }
        replacing.append(("issuer:8080", issuer.addresses[0]))
        var validators: [ValidatorNode] = []
        defer { for validator in validators { validator.stop() } }
        for (name, service) in services where role(of: service) == .validator {
            var environment = try environment(of: service, secrets: secrets, replacing: replacing)
            environment["QUASH_NODE_ID"] = name
            validators.append(try ValidatorNode(ValidatorConfiguration(environment: environment), log: Fleet.silent))
        }
        #expect(validators.count == 3)
        let isReady = poll(within: .seconds(20)) { issuer.isReady && validators.allSatisfy(\.isReady) }
        #expect(isReady, "\(issuer.problems) \(validators.map(\.problems))")
    }
}
