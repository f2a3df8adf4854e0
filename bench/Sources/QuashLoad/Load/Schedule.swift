/// When each of a number of requests is to be sent: at a fixed rate, whatever becomes of those before it.
struct Schedule: Equatable {
    /// By the monotonic clock.
    let start: UInt64
    let ratePerSecond: Double
    let count: UInt64
    /// Of the next request that was not sent yet.
    private(set) var next: UInt64 = 0

    init(start: UInt64, ratePerSecond: Double, seconds: Double) {
        precondition(ratePerSecond > 0 && seconds > 0, "a schedule has a rate and an end")
        self.start = start
        self.ratePerSecond = ratePerSecond
        count = UInt64(ratePerSecond * seconds)
    }

    /// When request `index` is to be sent. Latencies are counted from here, so that a server which stalls is charged
    /// for the requests that wait meanwhile.
    func intended(_ index: UInt64) -> UInt64 {
        start + UInt64(Double(index) * 1e9 / ratePerSecond)
    }

    /// When the next one is to be sent; nil when all were.
    var nextIntended: UInt64? { next < count ? intended(next) : nil }

    /// Takes the next one, if it is due.
    ///
    /// - Returns: when it was to be sent.
    mutating func take(now: UInt64) -> UInt64? {
        guard let intended = nextIntended, intended <= now else { return nil }
        next += 1
        return intended
    }
}
