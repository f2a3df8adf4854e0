import Quash
import QuashCrypto
import QuashHTTP
import QuashJSON
import QuashRedis
import TestSupport
import Testing

@testable import QuashServer

/// The users that are shipped for Redis can do their work, and nothing else.
@Suite struct AccessControlTests {
    private static let passwords = ["ISSUER": "issuer-secret", "VALIDATOR": "validator-secret"]

    /// The lines of the file as it is shipped, with these passwords.
    private static func users() throws -> [String] {
        var text = String(decoding: try Repository.read("docker/redis/users.acl"), as: UTF8.self)
        for (name, password) in passwords {
            let digest = SHA256.digest(of: Array(password.utf8).span)
            text = text.replacing("\(name)_SHA256", with: digest.map { hexadecimal($0) }.joined())
        }
        return text.split(separator: "\n").filter { !$0.hasPrefix("#") }.map(String.init)
    }

    private static func hexadecimal(_ byte: UInt8) -> String { (byte < 16 ? "0" : "") + String(byte, radix: 16) }

    private static func options(_ settings: [String: String] = [:]) throws -> RedisServer.Options {
        RedisServer.Options(settings: settings, users: try users())
    }

    // MARK: Their work

    /// The whole of it: sign-in, rotation, ending, confirmation, a lost subscription, a restart, a cold start, and a
    /// Redis that lost everything.
    @Test func theRolesDoTheirWork() throws {
        let settings = ["appendonly": "yes", "appendfsync": "always"]
        let log = LogRecorder()
        let fleet = try Fleet(
            validators: 2, redis: try Self.options(settings), settings: Fleet.shortLease,
            validatorUser: "quash-validator:\(Self.passwords["VALIDATOR"]!)",
            issuerUser: "quash-issuer:\(Self.passwords["ISSUER"]!)", log: log.logger)
        try fleet.waitUntilReady()
        let first = try fleet.signIn("alice")
        let second = try Fleet.tokens(fleet.refresh(first.refresh))
        #expect(try fleet.sessions(of: "alice") == [first.session])
        let confirmed = try fleet.logout(second.access, body: "everywhere=true&wait=confirmed")
        #expect(confirmed.json?["status"]?.string == "confirmed")
        #expect(try fleet.statuses(of: second.access) == [401, 401])
        #expect(log.lines.all.allSatisfy { !$0.error.contains("Redis refused") })
        let pair = try fleet.signIn("bob")
        #expect(try fleet.refresh(first.refresh).isInvalidGrant)
        try fleet.redis.cli("CLIENT", "KILL", "TYPE", "pubsub")
        let position = try fleet.revokeUntilStored("{\"sub\":\"nobody\"}")
        try fleet.waitUntilApplied(position)
        try fleet.redis.restart()
        #expect(try fleet.allAnswer(204, for: pair.access))
        // Nobody but Redis has the sessions.
        #expect(poll { (try? fleet.refresh(pair.refresh))?.status == .ok })
        try fleet.redis.restart(withoutData: true)
        try fleet.addValidator()
        try fleet.waitUntilReady()
        #expect(try fleet.statuses(of: second.access) == [401, 401, 401])
        #expect(try fleet.allAnswer(204, for: pair.access))
    }

    /// Its right to write is for what Redis reads from its own file, and for nobody who connects.
    @Test func theDefaultUserIsOff() throws {
        let redis = try RedisServer.start(try Self.options())
        let wire = try RedisWire(redis)
        for command in [["PING"], ["SET", "a", "b"], ["SUBSCRIBE", "{quash}:feed"]] {
            try wire.send(command)
            #expect(try wire.receive()?.line == "-NOAUTH")
        }
        for password in ["", "default", "a"] {
            try wire.send(["AUTH", "default", password])
            #expect(try wire.receive()?.line == "-WRONGPASS")
        }
    }

    // MARK: And nothing else

    /// What a dry run of a command says: nil when it would be allowed.
    private func refusal(_ user: String, _ words: [String], _ root: RedisWire) throws -> String? {
        try root.send(["ACL", "DRYRUN", user] + words)
        let answer = try root.receive()?.line ?? "none"
        return answer == "OK" ? nil : answer
    }

    private func root() throws -> RedisWire {
        try RedisWire(try RedisServer.start(try Self.options()), user: RedisServer.cliUser)
    }

    /// Every command and subcommand of the server, each with as many arguments as it takes at least.
    private func commands(_ root: RedisWire) throws -> [[String]] {
        func commands(_ value: RESPValue) -> [[String]] {
            (value.elements ?? []).flatMap { command -> [[String]] in
                guard let parts = command.elements, let name = parts[0].text, let arity = parts[1].integer else {
                    return []
                }
                let words = name.split(separator: "|").map(String.init)
                let filler = [String](repeating: "1", count: max(0, Int(abs(arity)) - words.count))
                let below = parts.count > 9 ? commands(parts[9]) : []
                return below.isEmpty ? [words + filler] : below
            }
        }
        return commands(try root.call("COMMAND"))
    }

    private static let always = [
        "client setname", "evalsha", "get", "getrange", "hdel", "hget", "hgetall", "hset", "info", "ping",
        "publish", "role", "script load", "subscribe", "time", "unsubscribe", "xrange",
    ]
    private static let writers = [
        "append", "del", "exists", "expire", "expireat", "expiretime", "hincrby", "hkeys", "hlen", "hsetnx", "incr",
        "renamenx", "set", "strlen", "xadd", "zadd", "zcard", "zrange", "zrem", "zremrangebyscore",
    ]
    /// What Redis asks no permission for.
    private static let free = ["auth", "hello", "quit", "reset"]

    @Test func theyRunTheCommandsOfTheirWorkAlone() throws {
        let root = try root()
        let commands = try commands(root)
        #expect(commands.count > 300)
        for (user, expected) in [
            ("quash-validator", Self.always), ("quash-issuer", Self.always + Self.writers),
        ] {
            var allowed: Set<String> = []
            for words in commands {
                let refusal = try refusal(user, words, root) ?? ""
                if !refusal.contains("no permissions to run the") {
                    let isContainer = ["client", "script"].contains(words[0])
                    allowed.insert(words.prefix(isContainer ? 2 : 1).joined(separator: " "))
                }
            }
            #expect(allowed.subtracting(Self.free) == Set(expected), "\(user)")
        }
    }

    @Test(arguments: [
        // key, validator reads, validator writes, issuer reads and writes
        ("{quash}:epoch", true, false, true), ("{quash}:log", true, false, true), ("{quash}:live", true, false, true),
        ("{quash}:live:1:0", true, false, true), ("{quash}:nodes", true, true, true),
        ("{quash}:restored", true, false, true), ("quash:session:{a}", false, false, true),
        ("quash:subject:{a}", false, false, true), ("quash:other", false, false, false),
        ("other", false, false, false), ("x{quash}:nodes", false, false, false),
    ])
    func theyReachTheKeysOfTheirWorkAlone(key: String, reads: Bool, writes: Bool, issuer: Bool) throws {
        let root = try root()
        #expect(try (refusal("quash-validator", ["HGETALL", key], root) == nil) == reads)
        #expect(try (refusal("quash-validator", ["GETRANGE", key, "0", "1"], root) == nil) == reads)
        #expect(try (refusal("quash-validator", ["HSET", key, "a", "b"], root) == nil) == writes)
        #expect(try (refusal("quash-validator", ["HDEL", key, "a"], root) == nil) == writes)
        #expect(try (refusal("quash-validator", ["EVALSHA", "a", "1", key], root) == nil) == writes)
        for command in [["GET", key], ["SET", key, "a"], ["DEL", key], ["EVALSHA", "a", "1", key]] {
            #expect(try (refusal("quash-issuer", command, root) == nil) == issuer, "\(command)")
        }
    }

    @Test(arguments: [
        // channel; who may subscribe and publish
        ("{quash}:feed", ["quash-issuer", "quash-validator"], ["quash-issuer"]),
        ("{quash}:acks", ["quash-issuer"], ["quash-issuer", "quash-validator"]),
        ("{quash}:other", [], []), ("other", [], []), ("__keyspace@0__:a", [], []),
    ])
    func theyHearAndSpeakOnTheirChannelsAlone(channel: String, hears: [String], speaks: [String]) throws {
        let root = try root()
        for user in ["quash-issuer", "quash-validator", "default"] {
            #expect(try (refusal(user, ["SUBSCRIBE", channel], root) == nil) == hears.contains(user), "\(user)")
            #expect(try (refusal(user, ["PUBLISH", channel, "a"], root) == nil) == speaks.contains(user), "\(user)")
            #expect(try refusal(user, ["PSUBSCRIBE", "*"], root) != nil)
        }
    }
}
