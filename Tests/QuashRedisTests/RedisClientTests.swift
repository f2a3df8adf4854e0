import Glibc
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

    /// Redis is there and answers: then a burst takes longer, and nothing of it fails.
    @Test func whatIsMoreThanMayWaitForRepliesWaitsItsTurn() throws {
        let server = try RedisServer.start()
        let client = try LiveClient(upAt: server.url)
        let replies = Recorder<LiveClient.Reply>()
        client.onClient { client in
            // What is sent when there is room again comes after what waits.
            client.send(RedisCommand("PING"), timeout: .seconds(10)) { _ in
                client.send(RedisCommand("GET", "n"), timeout: .seconds(10)) { replies.record($0) }
            }
            for _ in 0..<5_000 {
                client.send(RedisCommand("INCR", "n"), timeout: .seconds(10)) { replies.record($0) }
            }
        }
        let answers = try replies.wait(count: 5_001).map { try $0.get() }
        let isInOrder = answers.prefix(5_000).map(\.integer) == (1...5_000).map { $0 }
        #expect(isInOrder)
        #expect(answers.last?.text == "5000")
        #expect(client.states.all == [.up(generation: 1)])
    }

    @Test func moreBytesThanMayBeQueuedWaitTheirTurn() throws {
        let server = try RedisServer.start()
        let client = try LiveClient(upAt: server.url)
        server.pause()
        let replies = Recorder<LiveClient.Reply>()
        let sent = Recorder<Bool>()
        let megabyte = [UInt8](repeating: 0x61, count: 1_000_000)
        client.onClient { client in
            for _ in 0..<12 {
                let command = RedisCommand([Array("RPUSH".utf8), Array("l".utf8), megabyte])
                client.send(command, timeout: .seconds(10)) { replies.record($0) }
            }
            client.send(
                RedisCommand([Array("RPUSH".utf8), megabyte + megabyte + megabyte + megabyte + megabyte]),
                timeout: .seconds(10)
            ) { sent.record(self.error($0)?.code == .overloaded) }
        }
        // One that would never fit does not wait; the others do, and none has failed.
        #expect(try sent.wait(count: 1) == [true])
        #expect(replies.all.isEmpty)
        server.resume()
        #expect(try replies.wait(count: 12).map { try $0.get().integer } == (1...12).map { $0 })
    }

    /// What was not sent says so, and may be done again; of what was sent nobody knows.
    @Test func whatWaitsFailsUnsentWhenRedisStandsStill() throws {
        let server = try RedisServer.start()
        let client = try LiveClient(upAt: server.url)
        server.pause()
        let replies = Recorder<LiveClient.Reply>()
        client.onClient { client in
            for _ in 0..<2_000 {
                client.send(RedisCommand("INCR", "n"), timeout: .milliseconds(300)) { replies.record($0) }
            }
        }
        let errors = try replies.wait(count: 2_000).map { error($0) }
        #expect(errors.count { $0?.isOutcomeUnknown == true } == RedisLimits.maxPendingReplies)
        #expect(errors.count { $0?.code == .unavailable } == 2_000 - RedisLimits.maxPendingReplies)
    }

    /// A loop that is busy for longer than a command may take, with its reply in the socket.
    @Test func aBusyLoopDoesNotTakeItsOwnDelayForThatOfRedis() throws {
        let server = try RedisServer.start()
        let client = try LiveClient(upAt: server.url)
        let replies = Recorder<LiveClient.Reply>()
        let asked = LoopBound<RedisServer>()
        asked.value = server
        client.onClient { client in
            // Each turn of the loop takes longer than any of the commands may.
            func ask(_ number: Int) {
                client.send(RedisCommand("INCR", "n"), timeout: .milliseconds(20)) {
                    replies.record($0)
                    if number < 5 { ask(number + 1) }
                }
                // Redis has answered.
                _ = poll { (try? asked.value?.cli("GET", "n")) == "\(number)" }
                usleep(25_000)
            }
            ask(1)
        }
        #expect(try replies.wait(count: 5).map { try $0.get().integer } == [1, 2, 3, 4, 5])
        #expect(client.states.all == [.up(generation: 1)])
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
