import QuashLoop
import QuashRedis
import TestSupport

@testable import QuashServer

/// A `RedisClient` on a loop of its own, for a test to call from its own thread.
final class RedisCaller: Sendable {
    private final class State {
        var client: RedisClient?
    }

    private let thread: LoopThread
    private let state = LoopBound(State())

    /// One that is connected.
    init(_ redis: RedisServer) throws {
        thread = try LoopThread(name: "test-redis")
        let options = try RedisOptions(url: RedisURL(redis.url))
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
