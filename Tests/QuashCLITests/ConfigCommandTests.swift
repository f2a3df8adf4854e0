import QuashJSON
import TestSupport
import Testing

@Suite("Checking a configuration")
struct ConfigCommandTests {
    let quash: QuashProgram
    let key: String

    init() throws {
        quash = try QuashProgram()
        key = try quash.folder.write("signing.pem", TestKeys.privateKey)
    }

    private func settings(_ result: QuashProgram.Result) throws -> [String: (value: String?, source: String?)] {
        let list = try #require(result.json?["settings"]?.array, "\(result.errors)")
        return Dictionary(
            uniqueKeysWithValues: list.map { ($0["name"]?.string ?? "", ($0["value"]?.string, $0["source"]?.string)) })
    }

    @Test func everyValueIsToldWithItsSource() throws {
        let file = try quash.folder.write("quash.yaml", "lease: 7s\nredis-url: redis://:hunter2@redis.example\n")
        let result = try quash(
            [
                "config", "check", "issuer", "--signing-key-file", key, "--outbox-file", "outbox", "--config=\(file)",
                "-o", "json", "--drain", "9s",
            ],
            environment: ["QUASH_LOG_LEVEL": "debug", "QUASH_ADMIN_TOKEN": "0123456789abcdef"])
        #expect(result.exit == .code(0))
        let settings = try settings(result)
        #expect(settings["lease"]! == ("7s", "\(file):1"))
        #expect(settings["drain"]! == ("9s", "flag --drain"))
        #expect(settings["log-level"]! == ("debug", "environment QUASH_LOG_LEVEL"))
        #expect(settings["access-ttl"]! == ("15m", "default"))
        #expect(settings["admin-token"]! == ("***", "environment QUASH_ADMIN_TOKEN"))
        #expect(settings["redis-url"]! == ("redis://:***@redis.example:6379/0", "\(file):2"))
        #expect(!result.output.contains("hunter2"))
    }

    @Test func theTableIsForPeople() throws {
        let result = try quash("config", "check", "issuer", "--signing-key-file", key, "--outbox-file", "outbox")
        #expect(result.exit == .code(0))
        #expect(result.output.hasPrefix("SETTING"))
        #expect(result.output.contains("\nrotation-grace"))
    }

    @Test func everyProblemIsALineAndNothingElseIsSaid() throws {
        let result = try quash(
            ["config", "check", "validator", "--lease", "soon", "--drain", "later"], environment: ["QUASH_LOPS": "1"])
        #expect(result.exit == .code(2))
        #expect(result.output == "")
        #expect(result.problems.count == 4)
        #expect(result.problems.contains { $0.contains("QUASH_LOOPS") })
    }

    @Test func theReferenceIsTheDocumentation() throws {
        let result = try quash("config", "reference")
        #expect(result.exit == .code(0))
        #expect(result.output.hasPrefix("# Configuration\n"))
        #expect(result.output.contains("| `rotation-grace` | issuer |"))
    }
}
