import Glibc
import QuashCrypto
import TestSupport
import Testing

@testable import QuashServer

/// What the image and the application in `docker/` are made from, held against the repository, without an engine.
@Suite("The image") struct DeploymentTests {
    private static func text(_ path: String) throws -> String {
        String(decoding: try Repository.read(path), as: UTF8.self)
    }

    private static func exists(_ path: String) -> Bool { unsafe access("\(Repository.root)/\(path)", F_OK) == 0 }

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
        #expect(dockerfile.contains("\nUSER \(user):\(user)\n"))
        #expect(dockerfile.contains("image.version=\"\(BuildVersion.current)\""))
        #expect(try Self.text("docker/prepare").contains("make $name \(user) "))
        #expect(dockerfile.contains("ENTRYPOINT [\"/usr/bin/quash\"]"))
        #expect(dockerfile.contains("COPY --from=build /quash /usr/bin/quash"))
    }
}
