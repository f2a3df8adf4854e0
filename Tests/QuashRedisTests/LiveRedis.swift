import QuashLoop
import QuashRedis
import TestSupport

/// What belongs to one loop, carried through closures that run on it.
///
/// Only those closures touch `value`, on the loop's thread, one after the other.
final class LoopBound<Value>: @unchecked Sendable {
    var value: Value?
}

/// A `RedisClient` on a loop of its own, for a test to use from its own thread.
final class LiveClient {
    typealias Reply = Result<RESPValue, RedisError>

    let states = Recorder<RedisClient.State>()
    private let thread: LoopThread
    private let client = LoopBound<RedisClient>()

    init(_ options: RedisOptions) throws {
        thread = try LoopThread(name: "redis-test")
        let (client, states) = (client, states)
        thread.submit { loop in
            client.value = RedisClient(on: loop, options: options) { states.record($0) }
            client.value?.start()
        }
    }

    /// One that is up.
    convenience init(upAt url: String) throws {
        try self.init(try RedisOptions(url: RedisURL(url)))
        try waitUntilUp()
    }

    deinit {
        onClient { $0.close() }
        let client = client
        thread.submit { _ in client.value = nil }
        thread.stop()
        thread.join()
    }

    func onClient(_ body: @escaping @Sendable (RedisClient) -> Void) {
        let client = client
        thread.submit { _ in if let client = client.value { body(client) } }
    }

    func waitUntilUp(generation: UInt64 = 1) throws {
        try states.wait { $0 == .up(generation: generation) }
    }

    /// The reason of the first loss that was reported.
    func waitUntilDown() throws -> RedisError? {
        let state = try states.wait { if case .down = $0 { true } else { false } }
        if case .down(let error) = state { return error }
        return nil
    }

    /// Sends without waiting; the reply comes into what is returned.
    func send(_ words: String..., timeout: Duration = .seconds(10)) -> Recorder<Reply> {
        let replies = Recorder<Reply>()
        let command = RedisCommand(words.map { Array($0.utf8) })
        onClient { $0.send(command, timeout: timeout) { replies.record($0) } }
        return replies
    }

    /// Sends and waits for the reply.
    func call(_ words: String...) throws -> RESPValue {
        let replies = Recorder<Reply>()
        let command = RedisCommand(words.map { Array($0.utf8) })
        onClient { $0.send(command, timeout: .seconds(10)) { replies.record($0) } }
        return try replies.wait(count: 1)[0].get()
    }

    func facts() throws -> ServerFacts {
        let facts = Recorder<Result<ServerFacts, RedisError>>()
        onClient { $0.readServerFacts(timeout: .seconds(10)) { facts.record($0) } }
        return try facts.wait(count: 1)[0].get()
    }

    func eval(_ script: RedisScript, keys: [String] = [], arguments: [String] = []) throws -> RESPValue {
        let replies = Recorder<Reply>()
        let (keys, arguments) = (keys.map { Array($0.utf8) }, arguments.map { Array($0.utf8) })
        onClient { client in
            client.eval(script, keys: keys, arguments: arguments, timeout: .seconds(10)) { replies.record($0) }
        }
        return try replies.wait(count: 1)[0].get()
    }
}

/// A `RedisSubscriber` on a loop of its own.
final class LiveSubscriber {
    let events = Recorder<RedisSubscriber.Event>()
    private let thread: LoopThread
    private let subscriber = LoopBound<RedisSubscriber>()

    /// - Parameter heard: called on the loop before an event is recorded; it may block.
    init(
        _ options: RedisOptions, channels: [String], timing: SubscriptionTiming = SubscriptionTiming(),
        heard: @escaping @Sendable (RedisSubscriber.Event) -> Void = { _ in }
    ) throws {
        thread = try LoopThread(name: "redis-test")
        let (subscriber, events) = (subscriber, events)
        thread.submit { loop in
            subscriber.value = RedisSubscriber(on: loop, options: options, channels: channels, timing: timing) {
                heard($0)
                events.record($0)
            }
            subscriber.value?.start()
        }
    }

    deinit {
        let subscriber = subscriber
        thread.submit { _ in
            subscriber.value?.close()
            subscriber.value = nil
        }
        thread.stop()
        thread.join()
    }

    func waitUntilSubscribed(generation: UInt64 = 1) throws {
        try events.wait { $0 == .subscribed(generation: generation) }
    }

    /// The reason of the first loss that was reported.
    func waitUntilLost() throws -> RedisError? {
        let event = try events.wait { if case .lost = $0 { true } else { false } }
        if case .lost(let error) = event { return error }
        return nil
    }

    /// The payloads that were delivered, as text.
    var payloads: [String] {
        events.all.compactMap { event in
            if case .message(_, let payload) = event { String(decoding: payload, as: UTF8.self) } else { nil }
        }
    }
}
