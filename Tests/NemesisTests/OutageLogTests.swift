import NemesisHistory
import Quash
import Testing

/// Which answers 503 are right: a lease of 1 s that is renewed every 200 ms leaves 750 ms in hand, and is regained
/// within 620 ms.
@Suite struct OutageLogTests {
    private static let timing = Timing(lease: .seconds(1), renewInterval: .milliseconds(200))

    private func at(_ milliseconds: Int64) -> BootInstant {
        BootInstant(nanoseconds: 1_000_000_000_000 + milliseconds * 1_000_000)
    }

    private func request(_ sent: Int64, _ answered: Int64) -> TimeSpan { TimeSpan(at(sent), at(answered)) }

    private func log(
        of nodes: Set<String>? = nil, _ start: Int64 = 0, _ end: Int64? = nil, keepsLease: Bool = true,
        stalls: [(Int64, Int64)] = []
    ) -> OutageLog {
        var log = OutageLog(timing: Self.timing)
        let number = log.begin(
            Outage(of: nodes, start: at(start), keepsLease: keepsLease, regain: Self.timing.regain(reading: 0)))
        if let end { log.end(number, at: at(end)) }
        for (start, end) in stalls { log.stalled(TimeSpan(at(start), at(end))) }
        return log
    }

    @Test func theTimesAreThoseOfTheProtocol() {
        #expect(Self.timing.leaseInHand == .milliseconds(750))
        #expect(Self.timing.regain(reading: 0) == .milliseconds(620))
        #expect(Self.timing.regain(reading: 100_000) == .milliseconds(1_420))
        #expect(Self.timing.staleness == .milliseconds(1_011))
    }

    @Test func withoutAFaultNo503IsRight() {
        let log = OutageLog(timing: Self.timing)
        #expect(!log.allowsUnavailable("v1", request(0, 10)))
    }

    @Test func aLeaseInHandIsUsedUpFirst() {
        let log = log()
        #expect(!log.allowsUnavailable("v1", request(1, 749)))
        #expect(log.allowsUnavailable("v1", request(1, 750)))
        #expect(log.allowsUnavailable("v1", request(99_000, 99_001)), "it goes on")
    }

    @Test func afterTheEndALeaseIsRegained() {
        let log = log(0, 2_000)
        #expect(log.allowsUnavailable("v1", request(2_620, 2_700)))
        #expect(!log.allowsUnavailable("v1", request(2_621, 2_700)))
    }

    @Test func anOutageShorterThanTheLeaseAllowsNothing() {
        let log = log(0, 100)
        for sent in stride(from: Int64(0), through: 1_500, by: 10) {
            #expect(!log.allowsUnavailable("v1", request(sent, sent + 5)))
        }
    }

    @Test func onlyWhoseItIs() {
        let log = log(of: ["v1"])
        #expect(log.allowsUnavailable("v1", request(1_000, 1_001)))
        #expect(!log.allowsUnavailable("v2", request(1_000, 1_001)))
    }

    @Test func aLeaseThatWasLostAtTheStartIsNotInHand() {
        let log = log(0, 0, keepsLease: false)
        #expect(log.allowsUnavailable("v1", request(1, 2)))
        #expect(!log.allowsUnavailable("v1", request(621, 622)))
        #expect(!log.allowsUnavailable("v1", request(-10, -1)))
    }

    @Test func aMachineThatStoodStillWidensTheWindows() {
        let early = log(0, nil, stalls: [(-300, -200)])
        #expect(early.allowsUnavailable("v1", request(640, 650)))
        #expect(!early.allowsUnavailable("v1", request(640, 649)))
        let late = log(0, 2_000, stalls: [(2_100, 2_200)])
        #expect(late.allowsUnavailable("v1", request(2_920, 3_000)))
        #expect(!late.allowsUnavailable("v1", request(2_921, 3_000)))
    }

    @Test func whatSeveralWatchdogsSawCountsOnce() {
        let log = log(stalls: [(0, 100), (50, 120), (60, 70), (200, 210)])
        #expect(log.stalled(at(-1_000), at(1_000)) == .milliseconds(130))
        #expect(log.stalled(at(90), at(205)) == .milliseconds(35))
        #expect(log.stalled(at(300), at(200)) == .zero)
    }

    @Test func whatIsLongOverIsForgotten() {
        var log = log(0, 2_000, stalls: [(2_100, 2_200)])
        log.forget(before: at(61_000))
        #expect(log.allowsUnavailable("v1", request(2_920, 3_000)))
        log.forget(before: at(63_000))
        #expect(!log.allowsUnavailable("v1", request(2_000, 2_500)))
        #expect(log.stalled(at(0), at(10_000)) == .zero)
        var kept = self.log(0)
        kept.forget(before: at(1_000_000))
        #expect(kept.allowsUnavailable("v1", request(1_000_001, 1_000_002)), "one that goes on is kept")
    }

    @Test func aMachineThatStoodStillForLongExcusesWithoutAFault() {
        var log = OutageLog(timing: Self.timing)
        log.stalled(TimeSpan(at(0), at(249)))
        #expect(!log.allowsUnavailable("v1", request(300, 310)))
        log.stalled(TimeSpan(at(260), at(262)))
        #expect(log.allowsUnavailable("v1", request(300, 310)))
        #expect(!log.allowsUnavailable("v1", request(1_500, 1_510)))
    }
}
