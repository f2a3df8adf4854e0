import QuashLoop
import QuashRedis
import TestSupport

@testable import QuashServer

/// A `RedisClient` on a loop of its own, for a test to call from its own thread.
final class RedisCaller: Sendable {
    private final class State {
        var client: RedisClient?
        var subscribers: [RedisSubscriber] = []
    }

    private let thread: LoopThread
    private let state = LoopBound(State())
    private let options: RedisOptions

    /// One that is connected.
    init(_ redis: RedisServer) throws {
        thread = try LoopThread(name: "test-redis")
        let options = try RedisOptions(url: RedisURL(redis.url))
        self.options = options
        let ups = Recorder<RedisClient.State>()
        thread.submit { [state] loop in
            state.value.client = RedisClient(on: loop, options: options) { ups.record($0) }
            state.value.client?.start()
        }
        try ups.wait { if case .up = $0 { true } else { false } }
    }

    deinit {
        let state = state
        thread.submit { _ in
            state.value.client?.close()
            state.value.client = nil
            for subscriber in state.value.subscribers { subscriber.close() }
            state.value.subscribers = []
        }
        thread.stop()
        thread.join()
    }

    /// Runs `body` on the loop, once; what it answers is recorded.
    func run(_ body: @escaping @Sendable (RedisClient) -> Void) {
        thread.submit { [state] _ in
            if let client = state.value.client { body(client) }
        }
    }

    /// What is published on `channel` from here on.
    func messages(on channel: String) throws -> Recorder<[UInt8]> {
        let messages = Recorder<[UInt8]>()
        let subscriptions = Recorder<Bool>()
        thread.submit { [state, options] loop in
            let subscriber = RedisSubscriber(on: loop, options: options, channels: [channel]) { event in
                switch event {
                case .subscribed: subscriptions.record(true)
                case .message(_, let payload): messages.record(payload)
                case .lost: break
                }
            }
            state.value.subscribers.append(subscriber)
            subscriber.start()
        }
        try subscriptions.wait(count: 1)
        return messages
    }

    /// Sends a command and waits for its reply.
    @discardableResult
    func call(_ words: String...) throws -> RESPValue {
        let replies = Recorder<Result<RESPValue, RedisError>>()
        let command = RedisCommand(words.map { Array($0.utf8) })
        run { $0.send(command, timeout: .seconds(10)) { replies.record($0) } }
        return try replies.wait(count: 1)[0].get()
    }

    /// Runs a script of the feed and waits for its answer.
    @discardableResult
    func eval(_ script: RedisScript, _ arguments: [[UInt8]] = []) throws -> RESPValue {
        let replies = Recorder<Result<RESPValue, RedisError>>()
        run {
            $0.eval(script, keys: FeedScript.keys, arguments: arguments, timeout: .seconds(10)) { replies.record($0) }
        }
        return try replies.wait(count: 1)[0].get()
    }
}
