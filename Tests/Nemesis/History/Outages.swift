package import Quash

/// A span of time.
package struct TimeSpan: Equatable, Sendable {
    package let start: BootInstant
    package let end: BootInstant

    /// - Precondition: it does not end before it starts.
    package init(_ start: BootInstant, _ end: BootInstant) {
        precondition(start <= end, "a span ends before it starts")
        self.start = start
        self.end = end
    }
}

/// A time in which validators could not renew their leases, because of a fault.
package struct Outage: Sendable {
    /// Whose; nil for everybody's.
    package let nodes: Set<String>?
    /// When the fault was about to be injected.
    package let start: BootInstant
    /// When it was over: the process runs again, the link carries again, the epoch is open again; nil until then.
    package var end: BootInstant?
    /// Whether a lease that was held at the start goes on. It does not when the clock is set, or the process is new.
    package let keepsLease: Bool
    /// How long after the end it takes, at most, to hold a lease.
    package let regain: Duration

    /// An outage that goes on until its ``end`` is set.
    package init(
        of nodes: Set<String>?, start: BootInstant, end: BootInstant? = nil, keepsLease: Bool = true, regain: Duration
    ) {
        self.nodes = nodes
        self.start = start
        self.end = end
        self.keepsLease = keepsLease
        self.regain = regain
    }
}

/// Every outage, and every time in which this machine itself stood still; and so which answers 503 are right.
///
/// A valid token may be answered 503 only while the lease may have ended: from when the lease that was in hand at the
/// start of an outage ran out, until the time to regain one after its end is over. An outage that is shorter than that
/// lease, less the time to regain one, allows no 503 at all.
package struct OutageLog: Sendable {
    private let timing: Timing
    private var outages: [Int: Outage] = [:]
    private var next = 0
    private var stalls: [TimeSpan] = []

    /// An empty log.
    package init(timing: Timing) { self.timing = timing }

    /// - Returns: the number by which ``end(_:at:)`` knows it.
    package mutating func begin(_ outage: Outage) -> Int {
        next += 1
        outages[next] = outage
        return next
    }

    /// An outage is over.
    package mutating func end(_ number: Int, at end: BootInstant) { outages[number]?.end = end }

    /// Nobody asks any more about what was answered before `instant`: the outages that can have mattered to that alone
    /// are let go of, a minute later than necessary.
    package mutating func forget(before instant: BootInstant) {
        outages = outages.filter { $0.value.end.map { $0 + .seconds(60) > instant } ?? true }
        stalls.removeAll { $0.end + .seconds(60) < instant }
    }

    /// The machine stood still, as its watchdog found.
    package mutating func stalled(_ span: TimeSpan) { stalls.append(span) }

    /// How long the machine stood still within a span.
    package func stalled(_ start: BootInstant, _ end: BootInstant) -> Duration {
        guard start < end else { return .zero }
        // Several watchdogs see the same stall: it counts once.
        var parts: [TimeSpan] = []
        for stall in stalls {
            let from = max(start, stall.start)
            let to = min(end, stall.end)
            if from < to { parts.append(TimeSpan(from, to)) }
        }
        var sum = Duration.zero
        var reached = start
        for part in parts.sorted(by: { $0.start < $1.start }) where part.end > reached {
            sum += part.end - max(reached, part.start)
            reached = part.end
        }
        return sum
    }

    /// Whether a node that was asked at `sent` and had answered by `answered` may have held no lease then.
    package func allowsUnavailable(_ node: String, _ request: TimeSpan) -> Bool {
        if outages.values.contains(where: { allows($0, node, request) }) { return true }
        // Without a fault only a machine that stood still for as long as a lease in hand lasts. The watchdog sees one
        // thread at a time, and a renewal needs three processes one after the other, so a third of it is enough.
        return stalled(request.start + (.zero - timing.lease), request.end) >= timing.leaseInHand / 3
    }

    private func allows(_ outage: Outage, _ node: String, _ request: TimeSpan) -> Bool {
        guard outage.nodes?.contains(node) ?? true else { return false }
        guard request.end >= outage.start else { return false }
        var from = outage.start
        if outage.keepsLease {
            let before = stalled(outage.start + (.zero - timing.lease), outage.start)
            from = outage.start + timing.leaseInHand + (.zero - before)
        }
        guard request.end >= from else { return false }
        guard let end = outage.end else { return true }
        return request.start <= end + outage.regain + stalled(end, request.end) * 3
    }
}
