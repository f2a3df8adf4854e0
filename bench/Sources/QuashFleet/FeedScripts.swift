import FleetParts
import Foundation
import Quash

/// The shipped scripts of the feed, called by this program as an issuer and a validator call them.
struct FeedScripts {
    private let redis: RedisConnection
    let epoch: String
    private let revokeName: [UInt8]
    private let renewName: [UInt8]
    private let expiry: UInt32

    /// - Parameter redis: one at which an issuer is ready.
    init(_ redis: RedisConnection) throws {
        self.redis = redis
        let stored = try redis.call("GET", "{quash}:epoch").string ?? ""
        guard let nonce = stored.split(separator: " ").first else { throw FleetFailure("no epoch is there") }
        epoch = String(nonce)
        revokeName = try Self.load("revoke", redis)
        renewName = try Self.load("renew", redis)
        expiry = try Self.expiry(redis)
    }

    /// In the period of the live set that holds most: what an issuer revokes now expires there, and a commit looks at
    /// all of its period.
    private static func expiry(_ redis: RedisConnection) throws -> UInt32 {
        let directory = try redis.call("HGETALL", "{quash}:live").elements ?? []
        var greatest: (bytes: Int, period: Int) = (0, 0)
        for index in stride(from: 0, to: directory.count - 1, by: 2) {
            guard let period = directory[index].number, let bytes = directory[index + 1].number else { continue }
            if bytes > greatest.bytes { greatest = (bytes, period) }
        }
        guard greatest.bytes > 0 else { throw FleetFailure("the live set is empty") }
        return UInt32(greatest.period) * UInt32(LivePage.periodSeconds) + UInt32(LivePage.periodSeconds) / 2
    }

    /// Redis names a script by its SHA-1, so one that the roles have used must be there already: else this would not be
    /// what is shipped.
    private static func load(_ name: String, _ redis: RedisConnection) throws -> [UInt8] {
        let folder = URL(fileURLWithPath: #filePath)
            .appending(path: "../../../../Sources/QuashServer/Scripts").standardized
        let parts = try ["check", name].map {
            try String(contentsOf: folder.appending(path: "\($0).lua"), encoding: .utf8)
        }
        let known = try redis.info("memory", "number_of_cached_scripts")
        let reply = try redis.call("SCRIPT", "LOAD", "#!lua flags=allow-oom\n" + parts.joined())
        guard try redis.info("memory", "number_of_cached_scripts") == known, case .bytes(let digest) = reply else {
            throw FleetFailure("the script \(name) is not the one that the roles run")
        }
        return digest
    }

    private static func text(_ value: some CustomStringConvertible) -> [UInt8] { Array(value.description.utf8) }

    /// A commit of these tokens.
    func revoke(_ jti: [String], isAwaited: Bool = false) -> [UInt8] {
        let record = RevocationCodec.encode(
            jti.map { Revocation(key: .token($0), expiresAtSeconds: expiry) })
        return RESP.command([
            Self.text("EVALSHA"), revokeName, Self.text(1), Self.text("{quash}:nodes"), Self.text(epoch), [],
            Self.text(isAwaited ? 1 : 0), Self.text(100_000), Self.text(LivePage.chunkBytes),
            Self.text(LivePage.periodSeconds), Self.text(600), record,
            Self.text(LivePage.period(ofExpiry: expiry)), record,
        ])
    }

    /// A renewal of a node that has everything up to `applied`.
    func renew(node: String, applied: Int, acknowledges: Bool = false) -> [UInt8] {
        RESP.command([
            Self.text("EVALSHA"), renewName, Self.text(1), Self.text("{quash}:nodes"), Self.text(node),
            Self.text(epoch), Self.text(applied), Self.text(5000), [], Self.text("bench"), Self.text(500),
            Self.text(acknowledges ? 1 : 0),
        ])
    }

    /// The sequence that a commit was given.
    static func sequence(_ reply: RESPValue) throws -> Int {
        guard let parts = reply.elements, parts.count == 4, parts[0].string == "stored",
            let sequence = parts[2].number
        else { throw FleetFailure("a commit was answered \(reply)") }
        return sequence
    }

    func head() throws -> Int { try redis.call("GET", "{quash}:seq").number ?? 0 }
}

/// Identifiers that nobody used before, of the length of those that Quash makes.
struct Identifiers {
    private var next = UInt64.random(in: 0..<(1 << 40))
    private let run = String(UInt64.random(in: (1 << 60)...UInt64.max), radix: 36)

    mutating func one() -> String {
        next += 1
        return "\(run)-\(next)"
    }

    mutating func some(_ count: Int) -> [String] { (0..<count).map { _ in one() } }
}
