import Glibc
import QuashCrypto
import TestSupport
import Testing

@testable import QuashServer

/// What `docker/` says, held against the repository and against itself, without a Docker engine.
@Suite("The image and the compose file") struct DeploymentTests {
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

    @Test func theReaderReadsWhatItSaysAndRefusesTheRest() throws {
        let document = try YAMLReader.read(
            "# c\na: &x\n  b: 1\n  c: [d, \"e, f\"]\n\ng:\n  <<: *x\n  b: two words\nh:\n"
                + "i:\n  - j: 1\n    k:\n      l: 2\n  - j: 3\nm: 4\n")
        #expect(document["a"]?["b"]?.text == "1")
        #expect(document["g"]?["c"]?.texts == ["d", "e, f"])
        #expect(document["g"]?["b"]?.text == "two words")
        #expect(document["h"] == .null)
        #expect(document["i"]?.elements.map { $0["j"]?.text } == ["1", "3"])
        #expect(document["i"]?.elements.first?["k"]?["l"]?.text == "2" && document["m"]?.text == "4")
        for text in [
            "a", "a:b", "a: *x", "a: [b", "a: [b, [c]]", "a: {b: c}", "a: |\n  b", "a: b\na: c", "  a: b\nc: d",
            "a: 'b'",
            "a:\n  - b", "a:\n  - b: c\n   d: e", "a:\n  - b: c\n  d: e", "a:\n- b: c", "- a: b", "a: b # c", "a: \"b",
            "a:\n  b: c\n d: e", "\ta: b",
        ] {
            #expect(throws: TestSupportError.self, "\(text)") { try YAMLReader.read(text) }
        }
    }

    @Test("Every service, secret, volume and file that is named is there")
    func referencesExist() throws {
        #expect(Set(services.keys).isSuperset(of: ["redis", "issuer", "validator-1", "application", "gateway"]))
        for (name, service) in services {
            for other in service["depends_on"]?.texts ?? [] {
                #expect(services[other] != nil, "\(name) waits for \(other)")
            }
            for secret in service["secrets"]?.texts ?? [] {
                #expect(compose["secrets"]?[secret] != nil, "\(name): \(secret)")
            }
            for volume in service["volumes"]?.texts ?? [] {
                let source = volume.prefix { $0 != ":" }
                let isThere =
                    source.hasPrefix("./")
                    ? Self.exists("docker/\(source.dropFirst(2))")
                    : compose["volumes"]?.map.keys.contains(String(source)) == true
                #expect(isThere, "\(name): \(volume)")
            }
            if let build = service["build"] {
                #expect(build["context"]?.text == "..")
                #expect(Self.exists(try #require(build["dockerfile"]?.text)))
            } else {
                #expect(service["image"]?.text?.contains(":") == true, "\(name) has an image without a version")
            }
            #expect(service["read_only"]?.text == "true" && service["cap_drop"]?.texts == ["ALL"], "\(name)")
            // Without capabilities, an image's entry point cannot become another user than the one it starts as.
            #expect(service["build"] != nil || service["user"]?.text != nil, "\(name) starts as root")
        }
        // Nobody commits a secret.
        for (name, secret) in compose["secrets"]?.map ?? [:] {
            let file = try #require(secret["file"]?.text)
            #expect(file.hasPrefix("./secrets/"), "\(name)")
            #expect(try Repository.trackedFiles().allSatisfy { !$0.hasPrefix("docker/secrets/") })
        }
    }

    @Test("The environment of each role is a configuration that this very code starts with")
    func environmentsAreConfigurations() throws {
        let folder = try TemporaryFolder()
        let files = [
            "signing-key": TestKeys.privateKey, "admin-token": Fleet.adminToken, "redis-issuer": "a",
            "redis-validator": "b",
        ]
        var roles: [Role: Int] = [:]
        for (name, service) in services {
            guard let role = role(of: service) else { continue }
            roles[role, default: 0] += 1
            var environment: [String: String] = [:]
            for (variable, value) in try #require(service["environment"]).map {
                var text = try #require(value.text)
                if let secret = text.split(separator: "/run/secrets/").first.map(String.init),
                    "/run/secrets/\(secret)" == text
                {
                    #expect(service["secrets"]?.texts.contains(secret) == true, "\(name) is not given \(secret)")
                    text = try folder.write(secret, try #require(files[secret]))
                }
                // The volume of the outbox, whose folder the image has.
                environment[variable] = text.replacing("/var/lib/quash/", with: folder.path(""))
            }
            switch role {
            case .issuer: _ = try IssuerConfiguration(environment: environment)
            case .validator: _ = try ValidatorConfiguration(environment: environment)
            }
        }
        #expect(roles == [.issuer: 1, .validator: 3])
    }

    /// The ports on which a service listens for others, by what its own files say.
    private func ports(of name: String) throws -> Set<String> {
        guard let service = services[name] else { return [] }
        if let listen = service["environment"]?["QUASH_LISTEN"]?.text, listen.hasPrefix("0.0.0.0:") {
            return [String(listen.dropFirst("0.0.0.0:".count))]
        }
        if let file = service["volumes"]?.texts.first(where: { $0.hasPrefix("./") && $0.contains("nginx.conf") }) {
            let text = try Self.text("docker/" + file.dropFirst(2).prefix { $0 != ":" })
            return Set(text.matches(of: /listen ([0-9]+);/).map { String($0.1) })
        }
        return name == "redis" ? ["6379"] : []
    }

    @Test("Every address, in the compose file and in the configurations it mounts, is one that a service listens on")
    func addressesAreListenedOn() throws {
        var addresses: [String] = []
        for service in services.values {
            for value in service["environment"]?.map.values.compactMap(\.text) ?? [] {
                addresses += value.matches(of: /[a-z]+:\/\/(?:[a-z-]+@)?([a-z0-9-]+:[0-9]+)/).map { String($0.1) }
            }
        }
        addresses += try Self.text("docker/gateways/nginx/nginx.conf").matches(of: /server ([a-z0-9-]+:[0-9]+)[ ;]/)
            .map { String($0.1) }
        #expect(Set(addresses) == ["redis:6379", "issuer:8080", "validator-1:8081", "application:8090"])
        for address in addresses {
            let parts = address.split(separator: ":").map(String.init)
            #expect(try ports(of: parts[0]).contains(parts[1]), "nobody listens on \(address)")
        }
        for (name, service) in services {
            for port in service["ports"]?.texts ?? [] {
                #expect(port.hasPrefix("127.0.0.1:"), "\(name) is published beyond this machine")
                #expect(try ports(of: name).contains(String(port.split(separator: ":")[2])), "\(name): \(port)")
            }
        }
    }

    @Test("nginx takes the configurations that are mounted")
    func nginxTakesItsConfigurations() throws {
        #expect(
            try NginxGateway.flaw(
                of: "docker/gateways/nginx/nginx.conf",
                replacing: [
                    ("server validator-1:8081 ", "server 127.0.0.1:8081 "),
                    ("server application:8090;", "server 127.0.0.1:8090;"),
                ]) == nil)
        #expect(try NginxGateway.flaw(of: "docker/application/nginx.conf", replacing: []) == nil)
        #expect(
            try NginxGateway.flaw(of: "docker/application/nginx.conf", replacing: [("listen 8090;", "lisen 8090;")])
                != nil)
    }

    @Test("The Dockerfile copies what is there, from stages that are there, and all that its build reads")
    func theDockerfileCopiesWhatIsThere() throws {
        let ignore = try Self.text("docker/Dockerfile.dockerignore").split(separator: "\n").filter { $0.first == "!" }
        let sent = ignore.map { String($0.dropFirst()) }
        var (stages, copied): ([String], [String]) = ([], [])
        for line in try Self.text("docker/Dockerfile").split(separator: "\n") {
            let words = line.split(separator: " ").map(String.init)
            switch words.first {
            case "FROM":
                #expect(words[1].contains(":"), "an image without a version")
                if words.count == 4 { stages.append(words[3]) }
            case "COPY" where words[1].hasPrefix("--from="):
                #expect(stages.contains(String(words[1].dropFirst("--from=".count))))
            case "COPY":
                #expect(Self.exists(words[1]) && sent.contains(words[1]), "\(words[1])")
                copied.append(words[1])
            default: break
            }
        }
        #expect(Set(copied) == Set(sent))
        // A link must not lead out of what is copied.
        for file in try Repository.files() where copied.contains(where: { file == $0 || file.hasPrefix($0 + "/") }) {
            guard let target = unsafe realpath("\(Repository.root)/\(file)", nil) else { continue }
            defer { unsafe free(target) }
            let path = unsafe String(cString: target).dropFirst(Repository.root.count + 1)
            #expect(copied.contains { path == $0 || path.hasPrefix($0 + "/") }, "\(file) leads to \(path)")
        }
    }

    @Test(
        "The image builds with the packages that scripts/setup installs, and runs as the user that the secrets are for")
    func packagesAndUsersAgree() throws {
        let dockerfile = try Self.text("docker/Dockerfile")
        let setup = try Self.text("scripts/setup")
        let packages = { (text: String) in Set(text.matches(of: /lib[a-z0-9]+-dev/).map { String($0.0) }) }
        #expect(!packages(dockerfile).isEmpty && packages(dockerfile) == packages(setup))
        let user = try #require(dockerfile.firstMatch(of: /--uid ([0-9]+)/)?.1)
        #expect(dockerfile.contains("\nUSER \(user)\n"))
        #expect(try Self.text("docker/compose.yaml").contains("sudo chown \(user) secrets/*"))
        #expect(dockerfile.contains("ENTRYPOINT [\"/usr/bin/quash\"]"))
        #expect(dockerfile.contains("COPY --from=build /quash /usr/bin/quash"))
    }
}
