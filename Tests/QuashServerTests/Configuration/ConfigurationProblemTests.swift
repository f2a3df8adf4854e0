import QuashRedis
import TestSupport
import Testing

@testable import QuashServer

/// Every mistake is told in one line: which setting, which value, from where, and what to do.
@Suite("Mistakes in a configuration")
struct ConfigurationProblemTests {
    let fixture: ConfigurationFixture

    init() throws {
        fixture = try ConfigurationFixture()
    }

    @Test(arguments: [
        (
            ["--access-ttl", "15 minutes"],
            #"access-ttl "15 minutes" (flag --access-ttl) is not a duration; write a whole"#
        ),
        (["--access-ttl", "2d"], #"access-ttl "2d" (flag --access-ttl) is out of range; give 1s to 1d"#),
        (["--rotation-grace=61s"], #"rotation-grace "61s" (flag --rotation-grace) is out of range; give 0s to 1m"#),
        (["--refresh-ttl", "31d"], #"refresh-ttl "31d" (flag --refresh-ttl) is out of range; give 1s to 30d"#),
        (
            ["--max-revocations", "many"],
            #"max-revocations "many" (flag --max-revocations) is not a whole number; write digits"#
        ),
        (
            ["--max-revocations", "-5"],
            #"max-revocations "-5" (flag --max-revocations) is not a whole number; write digits"#
        ),
        (["--max-revocations", "1"], #"max-revocations "1" (flag --max-revocations) is out of range; give 1000 to"#),
        (["--listen", "8080"], #"listen "8080" (flag --listen) is not an address; write host:port"#),
        (["--listen", "a:1,,b:2"], #"listen "a:1,,b:2" (flag --listen) has an empty entry; take out the comma"#),
        (["--listen", "a:1,a:1"], #"listen "a:1,a:1" (flag --listen) has an entry twice; name each once"#),
        (
            ["--log-level", "inof"],
            #"log-level "inof" (flag --log-level) is none of its values; did you mean info? write"#
        ),
        (
            ["--log-format", "xml"],
            #"log-format "xml" (flag --log-format) is none of its values; write one of auto, json"#
        ),
        (
            ["--issuer-url", "issuer.example"],
            #"issuer-url "issuer.example" (flag --issuer-url) is refused: cannot use the URL: it begins with ne"#
        ),
        (["--node-id", "a b"], #"node-id "a b" (flag --node-id) is not a plain name; write 1 to 64"#),
        (["--audience", "a b"], #"audience "a b" (flag --audience) has a blank or a character outside ASCII; write"#),
        (
            ["--clients-file", "/nowhere"],
            #"clients-file "/nowhere" (flag --clients-file) cannot be found (No such file"#
        ),
        (
            ["--clients-file", "/tmp"],
            #"clients-file "/tmp" (flag --clients-file) is not a file; give the path of a file"#
        ),
        (["--config", "/nowhere.yaml"], #"config "/nowhere.yaml" (flag --config) cannot be found (No such file or"#),
        (["--lease", ""], #"lease "" (flag --lease) is empty; give a value, duration, 100ms to 5m"#),
        (["--lease"], "flag --lease has no value; give one, duration, 100ms to 5m"),
        (["--lease", "--drain", "1s"], "flag --lease has no value; give one"),
        (["--lease", "5s", "--lease", "6s"], "flag --lease is given 2 times; give it once"),
        (["--lisen", "a:1"], #"unknown flag "--lisen"; did you mean --listen? `quash issuer --help` lists them all"#),
        (["--colour", "red"], #"unknown flag "--colour"; `quash issuer --help` lists them all"#),
        (["lease=5s"], #"unexpected argument "lease=5s": give settings as --name value"#),
        (["-l", "5s"], #"unexpected argument "-l": give settings as --name value"#),
        (["--loops", "2"], "flag --loops is for quash validator, not for quash issuer; take it out"),
        (["--redis-password", "x"], "redis-password is not taken as a flag: every user of this machine can read it"),
        (
            ["--lease", "1s"],
            #"lease "1s" (flag --lease), renew-interval "1s" (default): a lease lasts at least two renewals; "#
        ),
        (
            ["--access-ttl", "2h", "--refresh-ttl", "1h"],
            #"access-ttl "2h" (flag --access-ttl), refresh-ttl "1h" (flag"#
        ),
        (
            ["--admin-listen", "0.0.0.0:9080"],
            #"admin-listen "0.0.0.0:9080" (flag --admin-listen), admin-token-file (not"#
        ),
        (
            ["--listen", "127.0.0.1:9080"],
            #"listen "127.0.0.1:9080" (flag --listen), admin-listen "127.0.0.1:9080" (default)"#
        ),
    ])
    func ofFlags(arguments: [String], start: String) throws {
        let problems = fixture.problems(arguments)
        let line = try #require(problems.first)
        #expect(line.hasPrefix(start))
        #expect(line.contains("; ") || line.contains(": "))
        // An unknown flag's value is told as well: it is unclear whether it belongs to the flag.
        #expect(problems.count == 1 || arguments[0] == "-l")
        #expect(!problems.contains { $0.contains("\n") })
    }

    @Test(arguments: [
        ("QUASH_LEASE", "x", #"lease "x" (environment QUASH_LEASE) is not a duration; write a whole number"#),
        ("QUASH_LEASE", "", #"lease "" (environment QUASH_LEASE) is empty; give a value"#),
        (
            "QUASH_LEASSE", "5s",
            #"unknown environment variable "QUASH_LEASSE"; did you mean QUASH_LEASE? `quash issuer"#
        ),
        ("QUASH_PORT", "8080", #"unknown environment variable "QUASH_PORT"; "#),
        ("QUASH_ADMIN_TOKEN", "short", "admin-token (environment QUASH_ADMIN_TOKEN) has 5 bytes; give at least 16"),
        (
            "QUASH_ADMIN_TOKEN_FILE", "/nowhere",
            #"admin-token-file "/nowhere" (environment QUASH_ADMIN_TOKEN_FILE) cannot"#
        ),
    ])
    func ofTheEnvironment(name: String, value: String, start: String) throws {
        let problems = fixture.problems([], environment: [name: value])
        #expect(problems.count == 1)
        #expect(problems.first?.hasPrefix(start) == true, "\(problems)")
    }

    @Test(arguments: [
        ("lease: 5", #"lease "5" (FILE:1) is not a duration; write a whole number and one of"#),
        ("\nleese: 5s", #"FILE:2: unknown key "leese"; did you mean lease? `quash issuer --help` lists them all"#),
        ("lease: 5s\ndrain: 1s\nlease: 6s", #"FILE:3: "lease" is given a second time, first in line 1; keep one"#),
        ("lease: [5s]", "FILE:1: lease takes one value, not a list; write lease: value"),
        ("listen: []", "FILE:1: listen is an empty list; give an entry or take the key out"),
        ("config: other.yaml", "FILE:1: config cannot be inside the file itself; take it out"),
        ("admin-token: 0123456789abcdef", "FILE:1: admin-token does not belong into a file that is copied; set"),
        ("lease: {a: b}", #"FILE:1: the value of "lease" is nested; write one value, or a list of values"#),
        ("lease: 5s\n  drain: 1s", "FILE:2: not YAML: "),
        ("lease:", "FILE:1: a setting has no value; give one, or take the line out"),
    ])
    func ofTheFile(yaml: String, start: String) throws {
        let problems = try fixture.problems(yaml: yaml)
        #expect(problems.count == 1)
        #expect(problems.first?.hasPrefix(start) == true, "\(problems)")
    }

    @Test func allAreToldAtOnce() throws {
        let file = try fixture.folder.write("quash.yaml", "leese: 1s\ndrain: x\n")
        let problems = ConfigurationFixture.problems {
            try IssuerConfiguration(
                arguments: ["--lease", "soon", "--config", file],
                environment: ["QUASH_NOPE": "1", "QUASH_LOG_LEVEL": "loud"])
        }
        #expect(problems.count == 7)
        for part in [
            "QUASH_NOPE", "leese", "\"soon\"", "\"loud\"", "\"x\"", "signing-key-file (path", "outbox-file (path",
        ] {
            #expect(problems.filter { $0.contains(part) }.count == 1, "\(part) in \(problems)")
        }
    }

    @Test func aValidatorNeedsExactlyOneSourceOfKeys() throws {
        let none = ConfigurationFixture.problems { try ValidatorConfiguration(environment: [:]) }
        #expect(none.count == 1)
        #expect(
            none.first?.hasPrefix("jwks-url (not set), jwks-file (not set): a validator takes its keys from exactly")
                == true)
        let both = ConfigurationFixture.problems { try fixture.validator(["--jwks-url", "https://a/b"]) }
        #expect(both.count == 1)
        #expect(both.first?.contains("exactly one of jwks-url and jwks-file; give one of them") == true)
    }

    @Test func whatBelongsTogetherIsGivenTogether() {
        let key = fixture.key
        #expect(
            fixture.problems(["--tls-cert-file", key]).first?.contains("belong together; give both or neither") == true)
        #expect(fixture.problems(["--tls-client-ca-file", key]).first?.contains("with tls-cert-file alone; ") == true)
        #expect(
            fixture.problems(["--redis-ca-file", key]).first?.contains("or rediss-sentinel:// URL alone; write") == true
        )
        #expect(
            fixture.problems([
                "--redis-ca-file", key, "--redis-url", "rediss-sentinel://h/mymaster", "--fence", "12s",
            ]) == [])
        #expect(
            fixture.problems(["--redis-url", "redis://:x@h"], environment: ["QUASH_REDIS_PASSWORD": "x"]).first?
                .hasPrefix("redis-url \"redis://:***@h:6379/0\" (flag --redis-url), redis-password \"***\" (env")
                == true)
    }

    @Test func filesAreReadBeforeTheStart() throws {
        let empty = try fixture.folder.write("empty", "")
        #expect(
            fixture.problems(["--tls-cert-file", "/nowhere", "--tls-key-file", empty]).first?
                .hasPrefix("tls-cert-file \"/nowhere\" (flag --tls-cert-file) cannot be found") == true)
        let keys = ConfigurationFixture.problems {
            try IssuerConfiguration(
                arguments: ["--signing-key-file", empty, "--outbox-file", "outbox"], environment: [:])
        }
        #expect(keys.count == 1)
        #expect(keys.first?.contains("cannot be used: it holds no private key in PEM; `quash keys generate`") == true)
        let set = ConfigurationFixture.problems {
            try ValidatorConfiguration(arguments: ["--jwks-file", empty], environment: [:])
        }
        #expect(set.count == 1)
        #expect(set.first?.hasPrefix("jwks-file \"\(empty)\" (flag --jwks-file) cannot be used: ") == true)
    }

    @Test func anAdministrationOnTheNetworkNeedsACredential() throws {
        for address in [
            "0.0.0.0:9080", "10.0.0.1:9080", "[::]:9080", "localhost.example:9080", "127.0.0.1.example:9080",
        ] {
            #expect(fixture.problems(["--admin-listen", address]).count == 1, "\(address)")
            #expect(
                fixture.problems(["--admin-listen", address], environment: ["QUASH_ADMIN_TOKEN": "0123456789abcdef"])
                    == [])
        }
        for address in ["127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "localhost:1", "unix:/run/admin"] {
            #expect(fixture.problems(["--admin-listen", address]) == [], "\(address)")
        }
        // A validator's tells health and metrics to whoever asks, and changes nothing.
        #expect(throws: Never.self) { try fixture.validator(["--admin-listen", "0.0.0.0:9081"]) }
    }

    @Test func sentinelsAreNamedInTheirOwnForm() throws {
        let url = "redis-sentinel://quash:x@a,b:1/mymaster"
        let shown = "redis-sentinel://quash:***@a:26379,b:1/mymaster/0"
        #expect(try fixture.issuer(["--redis-url", url, "--fence", "12s"]).common.redisURL.description == shown)
        #expect(try fixture.validator([], environment: ["QUASH_REDIS_URL": url]).common.redisURL.description == shown)
        let problems = fixture.problems(["--redis-url", "redis-sentinel://a:1,b", "--fence", "12s"])
        #expect(problems.count == 1)
        #expect(problems.first?.contains("names no master") == true)
        #expect(problems.first?.contains("write redis-sentinel://[[user]:password@]host[:port][,host") == true)
    }

    @Test func aFeedBehindSentinelsNeedsAFence() {
        let url = ["--redis-url", "redis-sentinel://h/mymaster"]
        for fence in [[], ["--fence", "0s"], ["--fence", "2s"]] {
            let problems = fixture.problems(url + fence)
            #expect(problems.count == 1)
            #expect(problems.first?.contains("set fence to min-replicas-max-lag") == true, "\(problems)")
        }
        #expect(fixture.problems(url + ["--fence", "3s"]).isEmpty)
        #expect(fixture.problems(["--fence", "2s"]).count == 1)
        #expect(fixture.problems(["--redis-url", "redis://h/1"]).first?.contains("give each feed a Redis") == true)
    }

    @Test func noPasswordIsEverTold() {
        for url in [
            "redis://:hunter2@:0", "redis://user:hunter2@h:99999", "redis:hunter2", "http://user:hunter2@h",
            "redis://hunter2:x", "redis-sentinel://:hunter2@h", "redis-sentinel://user:hunter2@a,b,/m",
        ] {
            let problems = fixture.problems(["--redis-url", url])
            #expect(problems.count == 1)
            #expect(!problems.contains { $0.contains("hunter2@") || $0.contains(":hunter2") }, "\(problems)")
        }
        let long = fixture.problems([], environment: ["QUASH_ADMIN_TOKEN": "short secret"])
        #expect(!long.contains { $0.contains("short secret") })
    }

    @Test func aSecretInAFileThatOthersMayReadIsRefused() throws {
        let file = try fixture.folder.write("token", "0123456789abcdef")
        try ChildProcess.run(["chmod", "644", file])
        let problems = fixture.problems(["--admin-token-file", file])
        #expect(problems.count == 1)
        #expect(problems.first?.contains("has mode 644") == true)
        #expect(problems.first?.contains("chmod 600") == true)
    }

    @Test func whatIsTooLargeIsRefused() throws {
        #expect(
            fixture.problems(["--node-id", String(repeating: "x", count: 5000)]).first?.contains("is too long; give at")
                == true)
        let entries = (0..<65).map { "a:\($0)" }.joined(separator: ",")
        #expect(fixture.problems(["--listen", entries]).first?.contains("has 65 entries; give at most 64") == true)
        let file = String(repeating: "#", count: ConfigurationLimits.maxFileBytes + 1)
        #expect(try fixture.problems(yaml: file).first == "FILE: has more than 65536 bytes; correct --config")
    }
}
