import Glibc
import NemesisHistory
import Quash
import QuashLoop
import TestSupport

/// Injects one fault after the other into a fleet, tells the observer what it must expect, and waits until the fleet
/// has come back by itself.
final class Injector {
    let fleet: ProcessFleet
    let observer: Observer
    let traffic: Traffic
    var random: SeededGenerator
    /// What chance chose for the last fault, or what came of it; empty where there is nothing to say.
    var remark = ""
    /// The longest that something is stopped or cut off, in leases.
    let longest: Double

    var timing: Timing { observer.timing }
    /// How long it may take now to hold a lease again.
    var regain: Duration { timing.regain(reading: observer.revocations) }
    /// The same for a process that was just started.
    var start: Duration { regain + .milliseconds(500) }

    init(_ fleet: ProcessFleet, _ observer: Observer, _ traffic: Traffic, seed: UInt64, longest: Double) {
        self.fleet = fleet
        self.observer = observer
        self.traffic = traffic
        self.longest = longest
        random = SeededGenerator(seed)
    }

    /// - Returns: whether all went as it must.
    func inject(_ fault: Fault) throws -> Bool {
        let before = observer.violations.count
        observer.begin(fault.rawValue)
        remark = ""
        defer { observer.end() }
        try fault.inject(self)
        let isBack = waitUntilReady()
        // The leases of all are renewed before the next fault, so that each has one in hand.
        sleep(timing.regain(reading: 0))
        observer.settle()
        return isBack && observer.violations.count == before
    }

    /// Waits until every process says that it is ready.
    @discardableResult
    func waitUntilReady() -> Bool {
        let isReady = poll(within: .seconds(20)) { fleet.nodes.allSatisfy { fleet.isReady($0) } }
        if !isReady { observer.violate(.stuck, fleet.complaints()) }
        return isReady
    }

    // MARK: Choosing

    func validator() -> Node { fleet.validators.randomElement(using: &random) ?? fleet.validators[0] }

    func issuer() -> Node { fleet.issuers.randomElement(using: &random) ?? fleet.issuers[0] }

    /// A time between these shares of a lease.
    func time(_ from: Double, _ to: Double) -> Duration {
        timing.lease * Double.random(in: from...max(from, min(to, longest)), using: &random)
    }

    func sleep(_ duration: Duration) { usleep(UInt32(max(0, duration / .microseconds(1)))) }

    // MARK: Outages

    /// An outage of these validators, or of all, from now on until `body` is done.
    func outage(of nodes: [Node]?, keepsLease: Bool = true, regain: Duration? = nil, _ body: () throws -> Void) rethrows
    {
        let number = observer.begin(
            Outage(
                of: nodes.map { Set($0.map(\.name)) }, start: Observer.now, keepsLease: keepsLease,
                regain: regain ?? self.regain))
        try body()
        observer.end(number, at: Observer.now)
    }

    /// An outage of all, until an epoch is open that was not there before.
    ///
    /// - Parameter keepsLease: whether they go on for the rest of their leases.
    func epochEnds(keepsLease: Bool = true, _ body: () throws -> Void) rethrows {
        let before = fleet.redis.epoch()?.nonce
        try outage(of: nil, keepsLease: keepsLease) {
            try body()
            let isOpen = poll(within: .seconds(20)) {
                fleet.redis.epoch().map { $0.isOpen && $0.nonce != before } ?? false
            }
            if !isOpen { observer.violate(.stuck, "no epoch opens:\n\(fleet.complaints())") }
        }
    }

    // MARK: Processes

    func restart(_ validator: Node, after pause: Duration) throws {
        try outage(of: [validator], keepsLease: false, regain: start) {
            validator.kill()
            sleep(pause)
            try validator.start()
        }
    }

    func stop(_ node: Node, for duration: Duration) {
        node.setAway(true)
        node.stop()
        sleep(duration)
        node.signal(SIGCONT)
        node.setAway(false)
    }

    func restartRedis(
        _ data: RedisProcess.Data, persistence: RedisProcess.Persistence = .always, after pause: Duration
    ) throws {
        fleet.redis.kill()
        sleep(pause)
        try fleet.redis.start(data, persistence: persistence)
    }

    func trouble(_ name: String, _ trouble: Relay.Trouble, for duration: Duration) throws {
        try fleet.relays[name]?.set(trouble)
        sleep(duration)
        try fleet.relays[name]?.set(Relay.Trouble())
    }

    func partition() -> Relay.Trouble {
        let choices: [(String, Relay.Trouble)] = [
            ("cut", Relay.Trouble(isCut: true)),
            ("silent to Redis", Relay.Trouble(isSilentUpwards: true)),
            ("silent from Redis", Relay.Trouble(isSilentDownwards: true)),
            ("silent", Relay.Trouble(isSilentUpwards: true, isSilentDownwards: true)),
        ]
        let (words, trouble) = choices.randomElement(using: &random) ?? choices[0]
        remark = words
        return trouble
    }
}
