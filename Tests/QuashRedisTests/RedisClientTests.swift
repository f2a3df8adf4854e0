import QuashLoop
import QuashRedis
import TestSupport
import Testing

/// Against a real redis-server that each test starts for itself.
@Suite struct RedisClientTests {
    private let increment = RedisScript(
        name: "increment", source: "return redis.call('INCRBY', KEYS[1], ARGV[1])")

    private func error(_ reply: LiveClient.Reply) -> RedisError? {
        if case .failure(let error) = reply { error } else { nil }
    }

    @Test func answersPipelinedCommandsInOrder() throws {
        let server = try RedisServer.start()
        let client = try LiveClient(upAt: server.url)
        let replies = Recorder<LiveClient.Reply>()
        client.onClient { client in
            for number in 0..<1_000 {
                client.send(RedisCommand("ECHO", "\(number)"), timeout: .seconds(10)) { replies.record($0) }
            }
        }
        let texts = try replies.wait(count: 1_000).map { try $0.get().text }
        #expect(texts == (0..<1_000).map { "\($0)" })
        #expect(client.states.all == [.up(generation: 1)])
    }

    @Test func refusesMoreThanItsLimitOfCommandsUnsent() throws {
        let server = try RedisServer.start()
        let client = try LiveClient(upAt: server.url)
        let replies = Recorder<LiveClient.Reply>()
        client.onClient { client in
            for _ in 0..<1_030 {
                client.send(RedisCommand("INCR", "n"), timeout: .seconds(10)) { replies.record($0) }
            }
        }
        let all = try replies.wait(count: 1_030)
        let refused = all.compactMap { error($0) }
        #expect(refused.count == 6 && refused.allSatisfy { $0.code == .overloaded && !$0.isOutcomeUnknown })
        #expect(try client.call("GET", "n").integer == 1_024)
    }

    @Test func refusesMoreThanItsLimitOfBytesUnsent() throws {
        let server = try RedisServer.start()
        let client = try LiveClient(upAt: server.url)
        server.pause()
        let replies = Recorder<LiveClient.Reply>()
        let megabyte = [UInt8](repeating: 0x61, count: 1_000_000)
        client.onClient { client in
            for _ in 0..<8 {
                let command = RedisCommand([Array("RPUSH".utf8), Array("l".utf8), megabyte])
                client.send(command, timeout: .seconds(10)) { replies.record($0) }
            }
        }
        let refusedFirst = try replies.wait(count: 3).map { error($0)?.code }
        #expect(refusedFirst.allSatisfy { $0 == .overloaded })
        server.resume()
        let all = try replies.wait(count: 8)
        let written = all.filter { error($0) == nil }.count
        #expect(try client.call("LLEN", "l").integer == Int64(written))
    }

    @Test func completesLaterEvenWhenItCannotSend() throws {
        let options = try RedisOptions(url: RedisURL("unix:/nonexistent/redis.sock"))
        let client = try LiveClient(options)
        let order = Recorder<String>()
        client.onClient { client in
            client.send(RedisCommand("PING"), timeout: .seconds(10)) { order.record("\($0.isUnavailable)") }
            order.record("sent")
        }
        #expect(try order.wait(count: 2) == ["sent", "true"])
        #expect(try client.waitUntilDown()?.description.contains("/nonexistent/redis.sock") == true)
    }

    @Test func runsAScriptThatTheServerDoesNotKnow() throws {
        let server = try RedisServer.start()
        let client = try LiveClient(upAt: server.url)
        #expect(try client.eval(increment, keys: ["n"], arguments: ["5"]) == .integer(5))
        #expect(try server.cli("SCRIPT", "EXISTS", increment.digest) == "1")
        try server.cli("SCRIPT", "FLUSH")
        #expect(try client.eval(increment, keys: ["n"], arguments: ["2"]) == .integer(7))
        #expect(try server.cli("GET", "n") == "7", "each call took effect once")
    }

    @Test func passesTheErrorOfAScriptOn() throws {
        let server = try RedisServer.start()
        let client = try LiveClient(upAt: server.url)
        try server.cli("SET", "n", "text")
        let failure = #expect(throws: RedisError.self) { try client.eval(increment, keys: ["n"], arguments: ["1"]) }
        #expect(failure?.serverPrefix == "ERR")
        let broken = RedisScript(name: "broken", source: "this is not Lua")
        let failureToLoad = #expect(throws: RedisError.self) { try client.eval(broken) }
        #expect(failureToLoad?.serverPrefix == "NOSCRIPT")
        #expect(failureToLoad?.description.contains("broken") == true)
        #expect(try client.call("PING").text == "PONG")
    }

    @Test func aUserWhoMayNotLoadScriptsRunsThoseThatOthersLoaded() throws {
        let server = try RedisServer.start(
            .init(users: ["user node on >pw resetchannels ~n -@all +evalsha +ping +incrby"]))
        let node = try LiveClient(upAt: "unix://node:pw@\(server.socketPath)")
        let failure = #expect(throws: RedisError.self) { try node.eval(increment, keys: ["n"], arguments: ["1"]) }
        #expect(failure?.serverPrefix == "NOSCRIPT")
        #expect(failure?.description.contains("NOPERM") == true)

        let issuer = try LiveClient(upAt: server.url)
        let loaded = Recorder<RedisError?>()
        let script = increment
        issuer.onClient { $0.load(script, timeout: .seconds(10)) { loaded.record($0) } }
        #expect(try loaded.wait(count: 1) == [nil])
        #expect(try node.eval(increment, keys: ["n"], arguments: ["1"]) == .integer(1))
        let forbidden = #expect(throws: RedisError.self) {
            try node.eval(increment, keys: ["other"], arguments: ["1"])
        }
        #expect(forbidden?.serverPrefix == "NOPERM")
    }

    @Test func connectsAgainAfterTheServerWasKilled() throws {
        let server = try RedisServer.start()
        let client = try LiveClient(upAt: server.url)
        server.kill9()
        #expect(try client.waitUntilDown()?.code == .unavailable)
        let reply = try client.send("PING").wait(count: 1)[0]
        #expect(reply.isUnavailable, "a command while down is surely not sent")
        try server.restart()
        try client.waitUntilUp(generation: 2)
        #expect(
            try client.eval(increment, keys: ["n"], arguments: ["1"]) == .integer(1), "scripts are gone; loaded again")
    }

    @Test func aCommandInFlightIsLostWithTheServer() throws {
        let server = try RedisServer.start()
        let client = try LiveClient(upAt: server.url)
        server.pause()
        let replies = [client.send("SET", "a", "1"), client.send("SET", "b", "1")]
        // Without an answer by now, as the server stands; the state after the kill is told by the two replies.
        server.kill9()
        for reply in replies {
            let failure = error(try reply.wait(count: 1)[0])
            // Killed before the loop wrote it, it is not sent; after that, nobody knows.
            #expect(failure?.code == .lost || failure?.code == .unavailable)
            #expect(failure?.isOutcomeUnknown == (failure?.code == .lost))
        }
    }

    @Test func aServerThatStandsStillEndsInADeadline() throws {
        let server = try RedisServer.start()
        let client = try LiveClient(upAt: server.url)
        server.pause()
        let patient = client.send("INCR", "patient")
        let late = client.send("INCR", "late", timeout: .milliseconds(200))
        let lateError = error(try late.wait(count: 1)[0])
        let patientError = error(try patient.wait(count: 1)[0])
        #expect(lateError?.code == .timedOut && lateError?.isOutcomeUnknown == true)
        #expect(patientError?.code == .lost && patientError?.isOutcomeUnknown == true)
        #expect(try client.waitUntilDown()?.description.contains("INCR") == true)
        server.resume()
        try client.waitUntilUp(generation: 2)
        // What was ambiguous was executed: the bytes had reached the server's socket.
        #expect(poll { (try? server.cli("GET", "late")) == "1" })
    }

    @Test func aConnectionThatNobodyGreetsEndsInADeadline() throws {
        let server = try RedisServer.start()
        server.pause()
        var options = try RedisOptions(url: RedisURL(server.url))
        options.connectTimeout = .milliseconds(100)
        let client = try LiveClient(options)
        #expect(try client.waitUntilDown()?.code == .timedOut)
        server.resume()
        try client.waitUntilUp()
    }

    @Test func failsWhatIsInFlightWhenClosed() throws {
        let server = try RedisServer.start()
        let client = try LiveClient(upAt: server.url)
        let order = Recorder<String>()
        client.onClient { client in
            client.send(RedisCommand("BLPOP", "nothing", "0"), timeout: .seconds(10)) { reply in
                if case .failure(let error) = reply { order.record("\(error.code)") }
            }
            client.close()
            order.record("closed")
            client.send(RedisCommand("PING"), timeout: .seconds(10)) { order.record("\($0.isUnavailable)") }
        }
        #expect(try order.wait(count: 3) == ["closed", "lost", "true"])
        #expect(client.states.all == [.up(generation: 1)], "nothing is told after close")
    }

    @Test func answersWhatIsInFlightWhenItIsLetGo() throws {
        let server = try RedisServer.start()
        let replies = Recorder<LiveClient.Reply>()
        let thread = try LoopThread(name: "redis-test")
        defer {
            thread.stop()
            thread.join()
        }
        let options = try RedisOptions(url: RedisURL(server.url))
        thread.submit { loop in
            let client = RedisClient(on: loop, options: options)
            client.start()
            client.send(RedisCommand("PING"), timeout: .seconds(10)) { replies.record($0) }
        }
        #expect(try replies.wait(count: 1)[0].isUnavailable)
    }
}

extension LiveClient.Reply {
    var isUnavailable: Bool {
        if case .failure(let error) = self { error.code == .unavailable } else { false }
    }
}
