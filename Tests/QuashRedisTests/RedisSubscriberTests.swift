import QuashRedis
import Synchronization
import TestSupport
import Testing

/// Against a real redis-server that each test starts for itself.
@Suite struct RedisSubscriberTests {
    private let quick = SubscriptionTiming(silence: .milliseconds(50), answer: .milliseconds(300))

    private func options(_ server: RedisServer) throws -> RedisOptions {
        try RedisOptions(url: RedisURL(server.url))
    }

    @Test func deliversMessagesInOrder() throws {
        let server = try RedisServer.start()
        let subscriber = try LiveSubscriber(options(server), channels: ["{quash}:feed", "other"])
        try subscriber.waitUntilSubscribed()
        let publisher = try LiveClient(upAt: server.url)
        for number in 0..<500 { _ = publisher.send("PUBLISH", "{quash}:feed", "\(number)") }
        #expect(try publisher.call("PUBLISH", "other", "last").integer == 1)
        try subscriber.events.wait {
            $0 == .message(channel: Array("other".utf8), payload: Array("last".utf8))
        }
        #expect(subscriber.payloads == (0..<500).map { "\($0)" } + ["last"])
    }

    @Test func asksAQuietServerAndStays() throws {
        let server = try RedisServer.start()
        let subscriber = try LiveSubscriber(options(server), channels: ["a"], timing: quick)
        try subscriber.waitUntilSubscribed()
        // The server counts what it was asked: one SUBSCRIBE, one PING of the handshake, then one for each silence.
        #expect(poll { (try? pings(of: server)) ?? 0 >= 5 })
        #expect(subscriber.events.all == [.subscribed(generation: 1)])
    }

    /// PINGs that the server got, without those by which `RedisServer` waited for it.
    private func pings(of server: RedisServer) throws -> Int {
        let marker = "cmdstat_ping:calls="
        let line = try server.cli("INFO", "commandstats").split(whereSeparator: \.isNewline).first {
            $0.hasPrefix(marker)
        }
        return line.flatMap { Int($0.dropFirst(marker.count).prefix { $0.isNumber }) } ?? 0
    }

    @Test func losesAServerThatStandsStill() throws {
        let server = try RedisServer.start()
        let subscriber = try LiveSubscriber(options(server), channels: ["a"], timing: quick)
        try subscriber.waitUntilSubscribed()
        server.pause()
        #expect(try subscriber.waitUntilLost()?.code == .timedOut)
        server.resume()
        try subscriber.waitUntilSubscribed(generation: 2)
    }

    @Test func subscribesAgainAfterTheServerWasKilled() throws {
        let server = try RedisServer.start()
        let subscriber = try LiveSubscriber(options(server), channels: ["a"])
        try subscriber.waitUntilSubscribed()
        server.kill9()
        #expect(try subscriber.waitUntilLost()?.code == .unavailable)
        try server.restart()
        try subscriber.waitUntilSubscribed(generation: 2)
        #expect(try server.cli("PUBLISH", "a", "again") == "1")
        #expect(poll { subscriber.payloads == ["again"] })
    }

    @Test func isToldWhenItWasTooSlow() throws {
        let server = try RedisServer.start(
            .init(settings: ["client-output-buffer-limit": "pubsub 65536 0 0"]))
        let gate = Gate()
        let subscriber = try LiveSubscriber(options(server), channels: ["a"]) { event in
            if case .message = event { gate.pass() }
        }
        try subscriber.waitUntilSubscribed()
        let publisher = try LiveClient(upAt: server.url)
        let payload = String(repeating: "x", count: 10_000)
        // The first message holds the subscriber's loop; the server buffers the rest until it is over its limit.
        let wasCut = try poll {
            try publisher.call("PUBLISH", "a", payload).integer == 0
        }
        #expect(wasCut, "PUBLISH still finds a subscriber")
        gate.open()
        #expect(try subscriber.waitUntilLost()?.isOutcomeUnknown == false)
        try subscriber.waitUntilSubscribed(generation: 2)
        #expect(try publisher.call("PUBLISH", "a", "after").integer == 1)
        #expect(poll { subscriber.payloads.last == "after" })
    }

    @Test func saysThatItMayNotSubscribe() throws {
        let server = try RedisServer.start(
            .init(users: ["user node on >pw resetchannels &allowed -@all +subscribe +ping"]))
        let options = try RedisOptions(url: RedisURL("unix://node:pw@\(server.socketPath)"))
        try LiveSubscriber(options, channels: ["allowed"]).waitUntilSubscribed()
        let refused = try LiveSubscriber(options, channels: ["forbidden"])
        #expect(try refused.waitUntilLost()?.serverPrefix == "NOPERM")
    }
}

/// Holds whoever wants to pass until it is opened.
final class Gate: Sendable {
    private let isOpen = Atomic<Bool>(false)

    func open() {
        isOpen.store(true, ordering: .releasing)
    }

    func pass() {
        poll { isOpen.load(ordering: .acquiring) }
    }
}
