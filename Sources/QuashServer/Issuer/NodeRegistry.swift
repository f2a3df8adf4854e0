import Quash
import QuashRedis

/// Reads the lease registry: who is out there, how far each has applied the feed, and how long it may go on.
final class NodeRegistry {
    private let client: RedisClient

    init(client: RedisClient) {
        self.client = client
    }

    /// - Parameter answer: the fleet; nil while no epoch is open.
    func read(answer: @escaping (Result<NodesReply?, any Error>) -> Void) {
        client.eval(
            FeedScript.nodes, keys: FeedScript.keys,
            arguments: FeedScript.nodesArguments, timeout: .seconds(2)
        ) { result in
            answer(Result { try NodesReply(try result.get()) })
        }
    }
}
