import QuashRedis
import TestSupport
import Testing

/// Pub/sub is only the fast path, because of what it does not promise.
@Suite struct PubSubTests {
    private let redis: RedisServer
    private let publisher: RedisWire
    private let subscriber: RedisWire

    init() throws {
        redis = try RedisServer.start()
        publisher = try RedisWire(redis)
        subscriber = try RedisWire(redis)
    }

    /// So a follower subscribes first and renews second: what is committed after the confirmation comes by either.
    @Test func theConfirmationDividesWhatIsHeardFromWhatIsNot() throws {
        #expect(try publisher.call("PUBLISH", "feed", "before").integer == 0)
        try subscriber.subscribe(to: "feed")
        #expect(try publisher.call("PUBLISH", "feed", "after").integer == 1)
        #expect(try subscriber.payloads() == ["after"])
    }

    /// So what PUBLISH answers is no confirmation (`RevocationPublisher` does not look at it): it counts those who
    /// subscribe, whether or not they will ever read.
    @Test func aCountOfSubscribersIsNoDelivery() throws {
        try subscriber.subscribe(to: "feed")
        try publisher.call("CONFIG", "SET", "client-output-buffer-limit", "pubsub 65536 0 0")
        let payload = String(repeating: "x", count: 10_000)
        var counted = 0
        let isCut = try poll {
            let count = try #require(try publisher.call("PUBLISH", "feed", payload).integer)
            counted += Int(count)
            return count == 0
        }
        #expect(isCut)
        var received = 0
        while try subscriber.receive() != nil { received += 1 }
        #expect(received < counted)
    }

    /// So a follower reads without ever waiting, and renews whenever its subscription comes back.
    @Test func aSubscriberThatReadsTooSlowlyIsCutAndLosesWhatWaited() throws {
        try subscriber.subscribe(to: "feed")
        try publisher.call("CONFIG", "SET", "client-output-buffer-limit", "pubsub 65536 0 0")
        // More than the limit at once: not even the first message is sent.
        try publisher.call("PUBLISH", "feed", String(repeating: "x", count: 100_000))
        #expect(try subscriber.receive() == nil)
        #expect(try publisher.call("PUBSUB", "NUMSUB", "feed").line == "feed 0")
    }

    /// So a subscriber asks a quiet server by PING, and takes this answer for a sign of life.
    @Test func pingOnASubscribedConnectionIsAnsweredByAnArray() throws {
        try subscriber.subscribe(to: "feed")
        #expect(try subscriber.call("PING", "word") == .array([.bulk(Array("pong".utf8)), .bulk(Array("word".utf8))]))
        #expect(try subscriber.call("PING") == .array([.bulk(Array("pong".utf8)), .bulk([])]))
    }

    /// So a follower has one connection for its commands and another for the channel.
    @Test func aSubscribedConnectionTakesNoOtherCommand() throws {
        try subscriber.subscribe(to: "feed")
        #expect(try subscriber.call("GET", "a").line == "-ERR")
        #expect(try subscriber.call("EVALSHA", String(repeating: "0", count: 40), "0").line == "-ERR")
        #expect(try subscriber.payloads().isEmpty)
    }

    /// So `SubscriptionMachine` never unsubscribes: the answer may have no channel.
    @Test func unsubscribingFromNothingNamesNoChannel() throws {
        #expect(try subscriber.call("UNSUBSCRIBE").line == "unsubscribe nil 0")
    }

    /// So a subscription that somebody ends is noticed at once, and made again.
    @Test func aKilledSubscriberIsTold() throws {
        try subscriber.subscribe(to: "feed")
        #expect(try publisher.call("CLIENT", "KILL", "TYPE", "pubsub").integer == 1)
        #expect(try subscriber.receive() == nil)
        // The connection of the publisher is of another type.
        #expect(try publisher.call("PUBLISH", "feed", "a").integer == 0)
    }

    /// So a quiet channel costs no reconnecting, and a dead server is found by asking, not by waiting for its end.
    @Test func anIdleSubscriberIsNeverTimedOut() throws {
        let idle = try RedisWire(redis)
        try subscriber.subscribe(to: "feed")
        try publisher.call("CONFIG", "SET", "timeout", "1")
        // One that is not subscribed is.
        #expect(try idle.receive() == nil)
        #expect(try subscriber.payloads().isEmpty)
    }

    /// So a channel of two feeds in two databases would be one: a message of another epoch is no commit of this one.
    @Test func aChannelIsInNoDatabase() throws {
        try subscriber.subscribe(to: "feed")
        try publisher.call("SELECT", "5")
        #expect(try publisher.call("PUBLISH", "feed", "from five").integer == 1)
        #expect(try subscriber.payloads() == ["from five"])
    }

    /// So losing all data does not end a subscription: only a renewal finds out.
    @Test func flushAllLeavesSubscribersWhereTheyAre() throws {
        try subscriber.subscribe(to: "feed")
        try publisher.call("FLUSHALL")
        #expect(try publisher.call("PUBLISH", "feed", "still here").integer == 1)
        #expect(try subscriber.payloads() == ["still here"])
    }
}
