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
        /// Less is there than was written, though its time has not passed; or the directory is none.
        case damaged(EpochDamage)
        /// The directory belongs to another epoch: begin again.
        case restart
    }

    mutating func received(_ directory: LiveDirectory) -> Step {
        guard directory.epoch == start.epoch else { return .restart }
        guard directory.isReadable else { return .damaged(.unreadable) }
        periods = directory.bytes.map { ($0.key, $0.value) }.sorted { $0.0 > $1.0 }
        return nextPeriod()
    }

    /// The period that is being read.
    var period: UInt32? { periods.last?.period }

    /// - Parameter bytes: the page last asked for.
    /// - Throws: when the page holds what no script wrote. The load stays where it is.
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
        // A commit is appended whole.
        guard remainder == 0 else { throw .truncated }
        // Each chunk begins where at least so many bytes are before it: so a directory that tells of bytes without end
        // is no reason to look for them without end.
        let isLast = page.chunk >= period.bytes / LivePage.chunkBytes
        let expected = isLast ? period.bytes : (page.chunk + 1) * LivePage.chunkBytes
        if readBytes < expected {
            let end = WallInstant(seconds: (Int64(period.period) + 1) * LivePage.periodSeconds)
            return (revocations, now < end ? .damaged(.lost) : leavePeriod())
        }
        if isLast { return (revocations, leavePeriod()) }
        return (revocations, read(LivePage(period: page.period, chunk: page.chunk + 1, offset: 0)))
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
