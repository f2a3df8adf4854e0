import QuashLoop
import Testing

@testable import QuashHTTP

private func get(_ path: String) -> String { "GET \(path) HTTP/1.1\r\nHost: h\r\n\r\n" }

@Suite struct PipelineTests {
    @Test func answersGoOutInTheOrderOfTheRequests() {
        var driver = MachineDriver()
        driver.answers = false
        driver.receive(get("/0") + get("/1") + get("/2") + get("/3"))
        #expect(driver.log == ["GET /0 @h 1", "GET /1 @h 1", "GET /2 @h 1", "GET /3 @h 1"])
        #expect(driver.machine.answered(2, now: driver.now) == .later(closes: false))
        #expect(driver.machine.nextHeld() == nil)
        #expect(driver.machine.answered(1, now: driver.now) == .later(closes: false))
        #expect(driver.machine.answered(0, now: driver.now) == .now(closes: false))
        #expect(driver.machine.nextHeld() == 1)
        #expect(driver.machine.nextHeld() == 2)
        #expect(driver.machine.nextHeld() == nil)
        #expect(driver.machine.inFlight == 1)
        #expect(driver.machine.answered(3, now: driver.now) == .now(closes: false))
        #expect(driver.machine.inFlight == 0)
    }

    @Test func theOrderHoldsOverManyRounds() {
        var driver = MachineDriver()
        driver.answers = false
        for round in 0..<100 as Range<UInt64> {
            driver.receive(get("/a") + get("/b") + get("/c"))
            #expect(driver.machine.answered(round * 3 + 2, now: driver.now) == .later(closes: false))
            #expect(driver.machine.answered(round * 3, now: driver.now) == .now(closes: false))
            #expect(driver.machine.nextHeld() == nil)
            #expect(driver.machine.answered(round * 3 + 1, now: driver.now) == .now(closes: false))
            #expect(driver.machine.nextHeld() == round * 3 + 2)
        }
    }

    @Test func theSeventeenthRequestWaitsUntilOneIsAnswered() {
        var driver = MachineDriver()
        driver.answers = false
        driver.receive(String(repeating: get("/"), count: HTTPLimits.maxPipelined))
        #expect(driver.log.count == 16)
        #expect(driver.machine.pausesReading == true)
        driver.receive(get("/17"))
        #expect(driver.log.count == 16)
        driver.answer(0)
        #expect(driver.machine.pausesReading == false)
        driver.process()
        #expect(driver.log.last == "GET /17 @h 1")
        #expect(driver.machine.pausesReading == true)
    }

    @Test func aRefusalWaitsForTheAnswersBeforeIt() {
        var driver = MachineDriver()
        driver.answers = false
        driver.receive(get("/0") + "nonsense\r\n" + get("/never"))
        // The driver has answered the refusal; it is held.
        #expect(driver.log == ["GET /0 @h 1", "400"])
        #expect(driver.machine.isFinished == false)
        driver.answer(0)
        #expect(driver.log == ["GET /0 @h 1", "400", "sent", "held"])
        #expect(driver.machine.isFinished == true)
        driver.receive(get("/never"))
        #expect(driver.log.count == 4)
    }

    @Test func nothingFollowsAConnectionClose() {
        var driver = MachineDriver()
        driver.receive("GET /last HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n" + get("/never"))
        driver.receive(get("/never"))
        #expect(driver.log == ["GET /last @h 2", "close"])
        #expect(driver.machine.isFinished == true)
    }

    @Test func onlyTheLastAnswerSaysClose() {
        var driver = MachineDriver()
        driver.answers = false
        driver.receive(get("/0") + "GET /1 HTTP/1.0\r\n\r\n")
        #expect(driver.machine.answered(0, now: driver.now) == .now(closes: false))
        #expect(driver.machine.answered(1, now: driver.now) == .now(closes: true))
    }

    @Test func answeringTwiceIsABug() async {
        await #expect(processExitsWith: .failure) {
            var driver = MachineDriver()
            driver.receive("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            driver.answer(0)
        }
        await #expect(processExitsWith: .failure) {
            var driver = MachineDriver()
            driver.answers = false
            driver.receive("GET / HTTP/1.1\r\nHost: h\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n")
            driver.answer(1)
            driver.answer(1)
        }
    }
}

@Suite struct DeadlineTests {
    private var limits: HTTPLimits {
        var limits = HTTPLimits()
        limits.headTimeout = .seconds(5)
        limits.bodyTimeout = .seconds(30)
        limits.idleTimeout = .seconds(75)
        limits.writeTimeout = .seconds(20)
        return limits
    }

    @Test func aHeadThatTricklesIsCutFiveSecondsAfterItsFirstByte() {
        var driver = MachineDriver(limits: limits)
        let start = driver.now
        for byte in Array("GET / HTTP/1.1\r\nHost: h\r\nX: ".utf8) {
            driver.receive([byte])
            #expect(driver.machine.deadline == start + .seconds(5))
            driver.now = driver.now + .milliseconds(100)
        }
        driver.now = start + .seconds(5) + .nanoseconds(-1)
        driver.passDeadlines()
        #expect(driver.log == ["none"])
        driver.now = start + .seconds(5)
        driver.passDeadlines()
        #expect(driver.log == ["none", "408", "close"])
        driver.receive("1\r\n\r\n")
        #expect(driver.log.count == 3)
        #expect(driver.machine.isFinished == true)
    }

    @Test func theHeadOfEachRequestHasItsOwnDeadline() {
        var driver = MachineDriver(limits: limits)
        driver.receive(get("/") + "G")
        #expect(driver.machine.deadline == driver.now + .seconds(5))
        driver.now = driver.now + .seconds(4)
        driver.receive(String(get("/").dropFirst()))
        driver.now = driver.now + .seconds(4)
        driver.receive("G")
        #expect(driver.machine.deadline == driver.now + .seconds(5))
    }

    @Test func aBodyThatTricklesIsCut() {
        for framing in ["Content-Length: 10\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n"] {
            var driver = MachineDriver(limits: limits)
            let start = driver.now
            driver.receive("POST / HTTP/1.1\r\nHost: h\r\n" + framing)
            #expect(driver.machine.deadline == start + .seconds(30))
            driver.now = start + .seconds(29)
            driver.receive("1")
            #expect(driver.machine.deadline == start + .seconds(30))
            driver.now = start + .seconds(30)
            driver.passDeadlines()
            #expect(driver.log == ["408", "close"])
        }
    }

    @Test func anIdleConnectionIsClosedWithoutAWord() {
        var driver = MachineDriver(limits: limits)
        let start = driver.now
        #expect(driver.machine.deadline == start + .seconds(75))
        driver.now = start + .seconds(50)
        driver.receive(get("/"))
        #expect(driver.machine.deadline == driver.now + .seconds(75))
        driver.now = start + .seconds(75)
        driver.passDeadlines()
        driver.now = start + .seconds(125)
        driver.passDeadlines()
        #expect(driver.log == ["GET / @h 1", "sent", "none", "cut"])
    }

    @Test func aRouteMayTakeItsTime() {
        var driver = MachineDriver(limits: limits)
        driver.answers = false
        driver.receive(get("/"))
        #expect(driver.machine.deadline == nil)
        driver.now = driver.now + .seconds(3600)
        driver.passDeadlines()
        #expect(driver.log.last == "none")
        driver.answer(0)
        #expect(driver.machine.deadline == driver.now + .seconds(75))
    }

    @Test func aPeerThatDoesNotReadItsAnswersIsCutAndNotServedMeanwhile() {
        var driver = MachineDriver(limits: limits)
        driver.receive(get("/0"))
        driver.machine.writeStalled(now: driver.now)
        let due = driver.now + .seconds(20)
        driver.now = driver.now + .seconds(10)
        driver.machine.writeStalled(now: driver.now)
        #expect(driver.machine.deadline == due)
        #expect(driver.machine.pausesReading == true)
        driver.receive(get("/1"))
        #expect(driver.log == ["GET /0 @h 1", "sent"])
        driver.machine.drained()
        driver.process()
        #expect(driver.log.last == "sent" && driver.log.count == 4)
        driver.machine.writeStalled(now: driver.now)
        driver.now = driver.now + .seconds(20)
        driver.passDeadlines()
        #expect(driver.log.last == "cut")
    }
}

@Suite struct EndTests {
    @Test func drainingAnIdleConnectionEndsIt() {
        var driver = MachineDriver()
        driver.receive(get("/"))
        driver.machine.drain()
        #expect(driver.machine.isFinished == true)
        driver.receive(get("/never"))
        #expect(driver.log == ["GET / @h 1", "sent"])
    }

    @Test func drainingAnswersWhatIsInFlightAndClosesThen() {
        var driver = MachineDriver()
        driver.answers = false
        driver.receive(get("/0") + get("/1") + "GET /part")
        driver.machine.drain()
        #expect(driver.machine.isFinished == false)
        #expect(driver.machine.answered(0, now: driver.now) == .now(closes: false))
        #expect(driver.machine.answered(1, now: driver.now) == .now(closes: true))
        #expect(driver.machine.isFinished == true)
    }

    @Test(arguments: ["GE", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbo"])
    func drainingWaitsForARequestThatHasBegun(begun: String) {
        var driver = MachineDriver()
        driver.receive(begun)
        driver.machine.drain()
        #expect(driver.machine.isFinished == false)
        driver.receive(begun == "GE" ? "T / HTTP/1.1\r\nHost: h\r\n\r\n" : "dy")
        #expect(driver.log.last == "close")
        #expect(driver.machine.isFinished == true)
    }

    @Test func aPeerThatEndedItsSideGetsItsAnswers() {
        var driver = MachineDriver()
        driver.answers = false
        driver.receive(get("/0") + "GET /half")
        driver.machine.peerEnded()
        #expect(driver.machine.isFinished == false)
        driver.answer(0)
        #expect(driver.log == ["GET /0 @h 1", "close"])
        #expect(driver.machine.isFinished == true)
        #expect(driver.machine.deadline == nil)
    }
}
