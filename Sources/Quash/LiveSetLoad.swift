/// One reading of the live set, page by page: what a node does that cannot continue from the log.
///
/// ## States
/// waiting for the directory → reading pages, period by period → complete. Pages may be read in any order and see
/// entries that were added meanwhile: the index only grows, and everything committed after `start` is in the log.
struct LiveSetLoad {
    /// The head when the load began. Once all pages are in, the node stands here.
    let start: FeedPosition
    private var periods: [(period: UInt32, bytes: Int)] = []
    private var page: LivePage?
    private var readBytes = 0

    init(start: FeedPosition) {
        self.start = start
    }

    enum Step: Equatable {
        case read(LivePage)
        case complete
        /// Less is there than was written, though its time has not passed.
        case damaged
        /// The directory belongs to another epoch: begin again.
        case restart
    }

    mutating func received(_ directory: LiveDirectory) -> Step {
        guard directory.epoch == start.epoch else { return .restart }
        periods = directory.bytes.map { ($0.key, $0.value) }.sorted { $0.0 > $1.0 }
        return nextPeriod()
    }

    /// - Parameter bytes: the page last asked for.
    mutating func received(
        page bytes: [UInt8], now: WallInstant
    ) throws(RevocationCodecError) -> (revocations: [Revocation], step: Step) {
        guard let page, let period = periods.last else { preconditionFailure("a page that nobody asked for") }
        let (revocations, remainder) = try RevocationCodec.decodePrefix(bytes)
        readBytes += bytes.count - remainder
        if bytes.count >= LivePage.pageBytes {
            let offset = page.offset + bytes.count - remainder
            return (revocations, read(LivePage(period: page.period, chunk: page.chunk, offset: offset)))
        }
        guard remainder == 0 else { return (revocations, .damaged) }
        if page.chunk < period.bytes / LivePage.chunkBytes {
            return (revocations, read(LivePage(period: page.period, chunk: page.chunk + 1, offset: 0)))
        }
        let end = WallInstant(seconds: (Int64(period.period) + 1) * LivePage.periodSeconds)
        if readBytes < period.bytes, now < end { return (revocations, .damaged) }
        return (revocations, leavePeriod())
    }

    /// Goes on without the rest of the period that is being read.
    mutating func leavePeriod() -> Step {
        periods.removeLast()
        return nextPeriod()
    }

    private mutating func nextPeriod() -> Step {
        guard let period = periods.last else { return .complete }
        readBytes = 0
        return read(LivePage(period: period.period, chunk: 0, offset: 0))
    }

    private mutating func read(_ next: LivePage) -> Step {
        page = next
        return .read(next)
    }
}
