import QuashRedis
import TestSupport

/// A master and its replica, both real, which a test can part.
struct ReplicatedRedis {
    let first: RedisServer
    let second: RedisServer

    /// The first is the master, and the second has all of its data.
    init(_ settings: [String: String] = [:]) throws {
        first = try RedisServer.start(Self.options(settings))
        second = try RedisServer.start(Self.options(settings))
        try follow(second, first)
    }

    private static let link = "link"

    /// A server signs in to its master as a user of its own, so that it can be kept out and nobody else.
    /// It loads from a file, not from a socket: otherwise it counts as a replica only from its next second on.
    private static func options(_ settings: [String: String]) -> RedisServer.Options {
        let own = ["masteruser": link, "masterauth": "any", "repl-diskless-sync": "no", "hz": "100"]
        return RedisServer.Options(
            settings: own.merging(settings) { _, given in given }, users: ["user \(link) on nopass ~* &* +@all"],
            listensOnTCP: true)
    }

    /// Makes `replica` the replica of `master`, and waits until it has all of its data.
    func follow(_ replica: RedisServer, _ master: RedisServer) throws {
        guard let port = master.port else { throw TestSupportError("a master listens on TCP") }
        try replica.cli("REPLICAOF", "127.0.0.1", "\(port)")
        try waitUntilFollowing(replica, master)
    }

    private func waitUntilFollowing(_ replica: RedisServer, _ master: RedisServer) throws {
        let (upper, lower) = (try RedisWire(master), try RedisWire(replica))
        let isFollowing = try poll {
            guard try lower.info("master_link_status") == "up", try upper.info("connected_slaves") == "1" else {
                return false
            }
            return try upper.call("WAIT", "1", "10").integer == 1
        }
        guard isFollowing else { throw TestSupportError("the replica does not follow:\n\(replica.log)") }
    }

    /// Makes a replica a master.
    func promote(_ replica: RedisServer) throws { try replica.cli("REPLICAOF", "NO", "ONE") }

    /// Ends the connection of the first's replica, which is not let in again.
    func part() throws { try first.cli("ACL", "DELUSER", Self.link) }
}
