import Logging
import Quash
import QuashLoop
import QuashRedis
import TestSupport
import Testing

@testable import QuashServer

@Suite("Where settings come from")
struct PrecedenceTests {
    let fixture: ConfigurationFixture

    init() throws {
        fixture = try ConfigurationFixture()
    }

    @Test func flagBeforeEnvironmentBeforeFileBeforeDefault() throws {
        let file = try fixture.folder.write("quash.yaml", "lease: 20s\ndrain: 21s\nclock-skew: 22s\n")
        let environment = ["QUASH_CONFIG": file, "QUASH_LEASE": "30s", "QUASH_DRAIN": "31s"]
        let common = try fixture.issuer(["--lease", "40s"], environment: environment).common
        #expect(common.lease == .seconds(40))
        #expect(common.drain == .seconds(31))
        #expect(common.clockSkew == .seconds(22))
        #expect(common.renewInterval == .seconds(1))

        let sources = Dictionary(uniqueKeysWithValues: common.settings.lines.map { ($0.name, $0.source) })
        #expect(sources["lease"] == "flag --lease")
        #expect(sources["drain"] == "environment QUASH_DRAIN")
        #expect(sources["clock-skew"] == "\(file):3")
        #expect(sources["renew-interval"] == "default")
    }

    @Test func everySettingCanBeGivenInEveryPlaceThatTheTableSays() throws {
        let file = try fixture.folder.write("some", "0123456789abcdef")
        let examples = [
            "config": try fixture.folder.write("empty.yaml", ""), "redis-url": "unix:///run/redis.sock",
            "listen": "[::1]:1,unix:/a",
            "admin-listen": "unix:/b", "issuer-url": "https://issuer.example", "audience": "a,b", "access-ttl": "1m",
            "refresh-ttl": "2m", "rotation-grace": "3s", "signing-key-file": fixture.key, "jwks-file": fixture.jwks,
            "jwks-url": "http://a/b",
            "node-id": "n", "loops": "3", "max-revocations": "1000", "token-cache": "16", "lease": "4s",
            "renew-interval": "2s", "fence": "3s", "clock-skew": "1s", "max-clock-deviation": "2s",
            "issue-tolerance": "4s", "drain": "0s",
            "log-level": "trace", "log-format": "text", "feed-unsealed": "keep",
        ]
        for setting in SettingsTable.all {
            let text = examples[setting.name] ?? file
            let role = try #require(setting.roles.sorted { $0.rawValue < $1.rawValue }.first)
            let value = try setting.parse([text]).text
            func check(_ arguments: [String], _ environment: [String: String]) {
                // What else is missing or does not fit together is not the matter here.
                let (values, problems) = SettingsReader.examine(
                    role: role, arguments: arguments, environment: environment)
                #expect(values.entry(setting)?.parsed.text == value, "\(problems)")
                #expect(!problems.contains { $0.contains("unknown") }, "\(problems)")
            }
            check([], [setting.variable: text])
            if setting.places != .environmentAlone {
                check([setting.flag, text], [:])
                check(["\(setting.flag)=\(text)"], [:])
            }
            if setting.places == .all {
                check(["--config", try fixture.folder.write("one.yaml", "\(setting.name): '\(text)'")], [:])
            }
        }
    }

    @Test func listsAreRepeatedFlagsCommasOrAYAMLList() throws {
        let expected: [Endpoint] = [.tcp(host: "127.0.0.1", port: 1), .unix(path: "/run/q")]
        let file = try fixture.folder.write("quash.yaml", "listen:\n  - 127.0.0.1:1\n  - unix:/run/q\n")
        let commas = "127.0.0.1:1, unix:/run/q"
        #expect(try fixture.issuer(["--listen", "127.0.0.1:1", "--listen", "unix:/run/q"]).common.listen == expected)
        #expect(try fixture.issuer(["--listen", commas]).common.listen == expected)
        #expect(try fixture.issuer(environment: ["QUASH_LISTEN": commas]).common.listen == expected)
        #expect(try fixture.issuer(["--config", file]).common.listen == expected)
    }

    @Test func settingsOfTheOtherRoleAreIgnoredInWhatIsShared() throws {
        let file = try fixture.folder.write(
            "quash.yaml", "signing-key-file: /nowhere\naccess-ttl: nonsense\nloops: 2\n")
        let validator = try fixture.validator(["--config", file], environment: ["QUASH_CLIENTS_FILE": "/nowhere/x"])
        #expect(validator.loops == 2)
        #expect(fixture.problems([], environment: ["QUASH_LOOPS": "nonsense"]) == [])
    }

    @Test(arguments: [
        ("PATH", "/bin"), ("QUASH_SERVER", "http://127.0.0.1:9080"), ("QUASH_SERVICE_HOST", "10.0.0.1"),
        ("QUASH_SERVICE_PORT_HTTP", "80"), ("QUASH_PORT", "tcp://10.0.0.1:80"), ("QUASH_PORT_80_TCP_ADDR", "10.0.0.1"),
        ("QUASH_ISSUER_SERVICE_HOST", "10.0.0.1"), ("QUASH_ISSUER_PORT_80_TCP", "tcp://10.0.0.1:80"),
    ])
    func variablesOfOthersAreLeftAlone(name: String, value: String) {
        #expect(fixture.problems([], environment: [name: value]) == [])
    }

    @Test func defaultsAreThoseOfTheRole() throws {
        let issuer = try fixture.issuer()
        #expect(issuer.common.listen == [.tcp(host: "127.0.0.1", port: 8080)])
        #expect(issuer.common.adminListen == [.tcp(host: "127.0.0.1", port: 9080)])
        #expect(issuer.accessTTL == .seconds(900))
        #expect(issuer.refreshTTL == .seconds(7 * 86_400))
        #expect(issuer.rotationGrace == .seconds(10))
        #expect(issuer.common.lease == .seconds(5))
        #expect(issuer.common.audience == [])
        #expect(issuer.common.issuerURL == nil)
        #expect(issuer.common.redisURL.description == "redis://127.0.0.1:6379/0")
        #expect(issuer.common.logLevel == .info)

        let validator = try fixture.validator()
        #expect(validator.common.listen == [.tcp(host: "127.0.0.1", port: 8081)])
        #expect(validator.common.adminListen == [.tcp(host: "127.0.0.1", port: 9081)])
        #expect(validator.loops == Loop.availableParallelism)
        #expect(!validator.common.nodeID.isEmpty)
        #expect(validator.keySource == .file(path: fixture.jwks))
    }

    @Test func secretsComeFromFilesOrTheEnvironmentAndAreNeverShown() throws {
        let secret = "correct-horse-battery"
        let file = try fixture.folder.write("token", "\(secret)\n")
        #expect(try fixture.issuer(environment: ["QUASH_REDIS_PASSWORD": secret]).common.redisPassword?.text == secret)
        #expect(try fixture.issuer(["--redis-password-file", file]).common.redisPassword?.text == secret)
        let configuration = try fixture.issuer(
            ["--redis-url", "redis://user:\(secret)@127.0.0.1"], environment: ["QUASH_ADMIN_TOKEN_FILE": file])
        #expect(configuration.common.adminToken?.text == secret)
        #expect(configuration.common.redisURL.password == secret)
        #expect(configuration.common.adminToken?.matches(Array(secret.utf8)) == true)
        #expect(configuration.common.adminToken?.matches(Array("wrong".utf8)) == false)

        var dumped = ""
        dump(configuration, to: &dumped)
        #expect(!dumped.contains(secret))
        #expect(!"\(configuration)".contains(secret))
        #expect(!"\(configuration.common.settings.lines)".contains(secret))
        let inEnvironment = try fixture.issuer(environment: ["QUASH_ADMIN_TOKEN": secret])
        #expect(inEnvironment.common.settings.lines.contains { $0.name == "admin-token" && $0.value == "***" })
        #expect(configuration.common.settings.lines.contains { $0.name == "admin-token-file" && $0.value == file })
    }

    @Test func aReloadTellsWhatItCannotTakeOver() throws {
        let before = try fixture.issuer(["--lease", "5s", "--log-level", "info"]).common.settings
        let after = try fixture.issuer(["--lease", "6s", "--log-level", "debug"]).common.settings
        #expect(after.fixedDifferences(from: before) == ["lease"])
        #expect(before.fixedDifferences(from: before) == [])
    }
}
