package import Quash
import QuashLoop
import QuashRedis

/// Listens to what is published on the feed, for people who watch it. It sees the fast path alone: what is lost there,
/// every validator fetches with its next renewal, and this does not.
package enum FeedTail {
    /// One commit as it was published.
    package struct Commit: Sendable {
        package let position: FeedPosition
        /// By the clock of Redis.
        package let committed: WallInstant
        /// How many validators a confirmation waits for; 0 when nobody waits.
        package let awaitingNodes: Int
        package let revocations: [Revocation]
    }

    /// What happens on the channel, and to the connection.
    package enum Event: Sendable {
        /// From here on nothing is missed, until `lost`.
        case listening
        case commit(Commit)
        /// An issuer says that its keys may have changed.
        case keysChanged
        /// Something else is published on the channel.
        case unreadable
        /// The connection is gone, or did not come about; it is tried again.
        case lost(reason: String)
    }

    /// Runs a loop on the calling thread until `heard` returns false.
    ///
    /// - Parameters:
    ///   - url: a Redis URL, as the setting `redis-url` takes it.
    ///   - caFile: the certificates, in PEM, that a `rediss://` server's must lead to; the system's when nil.
    /// - Throws: one line that says what is wrong with the URL, the password or the file.
    package static func run(
        url: String, password: Secret?, caFile: String?, heard: @escaping (Event) -> Bool
    ) throws {
        let redis = try RedisOptions(url: RedisURL(url), password: password?.text, authoritiesFile: caFile)
        let loop = try Loop()
        let subscriber = RedisSubscriber(on: loop, options: redis, channels: [FeedScript.channel]) { event in
            if !heard(Self.event(event)) { loop.stop() }
        }
        subscriber.start()
        loop.run()
        subscriber.close()
        loop.close()
    }

    private static func event(_ event: RedisSubscriber.Event) -> Event {
        switch event {
        case .subscribed: return .listening
        case .lost(let error): return .lost(reason: error.description)
        case .message(_, FeedScript.keysChanged): return .keysChanged
        case .message(_, let payload):
            guard let message = FeedMessage(payload), let revocations = try? RevocationCodec.decode(message.record)
            else {
                return .unreadable
            }
            return .commit(
                Commit(
                    position: message.position,
                    committed: WallInstant(milliseconds: message.committedMicroseconds / 1000),
                    awaitingNodes: message.awaitingNodes, revocations: revocations))
        }
    }
}
