import Quash

extension FeedMetrics {
    /// Reads the gauges off the feed, the index and the lease whenever the page is rendered.
    func observe(index: RevocationIndex, maxRevocations: Int, lease: Lease, status: FeedStatus) {
        for kind in RevocationKind.allCases { indexEntries.observe(kind.name) { Double(index.count(of: kind)) } }
        indexBytes.observe { Double(index.bytes) }
        indexLimit.observe { Double(maxRevocations) }
        cut.observe { max(0, Double(index.cutBy.milliseconds - ClockReading.now().wall.milliseconds) / 1000) }
        sequence.observe { Double(status.snapshot.position?.sequence ?? 0) }
        // Before the first grant nothing is known to be in; the age is then as great as can be said.
        age.observe {
            guard let renewed = status.snapshot.renewed else { return .infinity }
            return (ClockReading.now().boot - renewed) / .seconds(1)
        }
        self.lease.observe { lease.remaining(at: .now()) / .seconds(1) }
        evictedKeys.observe { Double(status.snapshot.evictedKeys) }
        clockLead.observe { (status.snapshot.clock.lead ?? .zero) / .seconds(1) }
        redisUp.observe { status.snapshot.isConnected ? 1 : 0 }
    }
}
