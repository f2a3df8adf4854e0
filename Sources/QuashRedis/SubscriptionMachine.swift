import QuashLoop

/// One connection's subscription to fixed channels, from SUBSCRIBE until the connection ends. Pure; `RedisSubscriber`
/// drives it.
///
///     confirming ── one confirmation a channel ──> subscribed: every message is delivered
///
/// The server never says anything by itself when no message is published, so after a silence the machine asks with PING
/// and takes a second silence for the end. Redis 7 answers PING on such a connection with the array `pong, …`.
struct SubscriptionMachine {
    enum Action: Equatable {
        case nothing
        case send(RedisCommand)
        /// Every channel is subscribed: no message published from here on is missed while the connection lasts.
        case subscribed
        case message(channel: [UInt8], payload: [UInt8])
        /// The connection has to be dropped.
        case drop(RedisError)
    }

    private let channels: [String]
    private let timing: SubscriptionTiming
    private var confirmed = 0
    private var hasAsked: Bool
    private(set) var deadline: LoopInstant

    /// Begins on a connection that has just come up; send `start` first.
    ///
    /// - Parameter channels: at least one; each once.
    init(channels: [String], timing: SubscriptionTiming, now: LoopInstant) {
        precondition(!channels.isEmpty && Set(channels).count == channels.count, "subscribe to each channel once")
        self.channels = channels
        self.timing = timing
        // SUBSCRIBE is itself the first question.
        hasAsked = true
        deadline = now + timing.answer
    }

    var start: RedisCommand {
        RedisCommand([Array("SUBSCRIBE".utf8)] + channels.map { Array($0.utf8) })
    }

    private var isSubscribed: Bool { confirmed == channels.count }

    mutating func received(_ reply: RESPValue, now: LoopInstant) -> Action {
        // Whatever it says, it is a sign of life; but while channels are unconfirmed the first deadline stays.
        if isSubscribed { heard(now) }
        switch reply {
        case .error(let text):
            return .drop(RedisError(reply: text, to: "the subscription"))
        case .array(let elements):
            guard let kind = elements.first?.text else { break }
            switch (kind, elements.count) {
            case ("message", 3):
                guard let channel = elements[1].bytes, let payload = elements[2].bytes else { break }
                return .message(channel: channel, payload: payload)
            case ("subscribe", 3) where !isSubscribed:
                confirmed += 1
                guard isSubscribed else { return .nothing }
                heard(now)
                return .subscribed
            case ("pong", 2):
                return .nothing
            default: break
            }
        case .simple, .bulk, .integer, .null: break
        }
        return .drop(RedisError(.protocolViolation, "Redis sent what no subscriber expects"))
    }

    mutating func deadlineReached(now: LoopInstant) -> Action {
        guard deadline <= now else { return .nothing }
        guard !hasAsked else {
            return .drop(
                RedisError(
                    .timedOut, "Redis was silent on the subscribed connection for \(timing.answer) after it was asked"))
        }
        hasAsked = true
        deadline = now + timing.answer
        return .send(RedisCommand("PING"))
    }

    private mutating func heard(_ now: LoopInstant) {
        hasAsked = false
        deadline = now + timing.silence
    }
}

/// How long a subscriber bears silence.
package struct SubscriptionTiming: Sendable {
    /// Silence after which it asks whether the server is still there.
    package var silence: Duration
    /// Further silence after which it gives the connection up; also how long the confirmation may take.
    package var answer: Duration

    package init(silence: Duration = .seconds(1), answer: Duration = .seconds(2)) {
        self.silence = silence
        self.answer = answer
    }
}
