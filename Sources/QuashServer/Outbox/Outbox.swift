import Glibc
import Logging
import Quash
import QuashLoop

/// An issuer's own record of revocations and of the ends of sessions: what it took itself, before Redis has it, and all
/// that it has received on the feed. From it the feed and the session store are restored when Redis has lost them.
/// Thread-safe; a thread of its own writes.
///
/// Appends that come while the disk is busy are written together and synchronised once. The file is written anew when
/// more than half of it is no longer needed.
final class Outbox: Sendable {
    /// Mirrored bytes that may wait for a disk that is full; beyond that the issuer must be restarted.
    static let maxBacklogBytes = 64 << 20
    /// How long what has expired is kept, for clocks that disagree: as long as Redis keeps it.
    static let retention: Duration = .seconds(FeedScript.retainSeconds)
    /// Below this a file is not worth writing anew.
    static let minRewriteBytes = 1 << 20

    private let queue = Locked(Queue())
    private let thread: LoopThread
    private let state: LoopBound<Box>
    /// Who writes to it.
    let identity: IssuerIdentity
    /// The epochs that this issuer had entered when it was started, the latest last.
    let enteredEpochs: [Epoch]
    /// The epoch in which the session store knew of all ends when this issuer was started.
    let replayedEpoch: Epoch?
    /// Records were lost that no crash can explain.
    let isDamaged: Bool
    /// Commits that this issuer had appended when it was started.
    let count: UInt64
    /// Which issuers have which outboxes, as was known when this one was started.
    let bindings: [Nonce: String]

    private struct Queue {
        var jobs: [Job] = []
        var isScheduled = false
    }

    fileprivate enum Job {
        case append([Revocation], [SessionEnd], done: @Sendable (UInt64?) -> Void)
        case note([OutboxRecord], done: @Sendable (Bool) -> Void)
        case mirror([Revocation], [SessionEnd])
        case flush(done: @Sendable (Bool) -> Void)
        case read(done: @Sendable ([Revocation]) -> Void)
        case readEnds(of: [RevocationKey]?, done: @Sendable ([SessionEnd]) -> Void)
        case discardTime
        case view(@Sendable (borrowing RevocationIndex.Writer) -> Void)
    }

    /// - Parameter isClockRight: whether anything may be forgotten by the civil clock.
    /// - Throws: one line that says why the file at `path` cannot be this issuer's outbox.
    init(
        path: String, issuer: String, log: Logger, isClockRight: @escaping @Sendable () -> Bool = { true }
    ) throws {
        let state: OutboxState
        do throws(OutboxFile.Failure) {
            state = try OutboxState(path: path, issuer: issuer, log: log, isClockRight: isClockRight)
        } catch {
            throw StartFailure("outbox-file: \(path) \(error)")
        }
        identity = state.identity
        enteredEpochs = state.contents.entered
        replayedEpoch = state.contents.replayed
        isDamaged = state.contents.isDamaged
        count = state.contents.count
        bindings = state.contents.bindings
        self.state = LoopBound(Box(state))
        thread = try LoopThread(name: "quash-outbox")
    }

    /// Makes one commit durable.
    ///
    /// - Parameter done: called on the outbox's thread: how many commits this issuer has appended in all; nil when this
    ///   one is not durable, and nothing of it is kept.
    func append(_ revocations: [Revocation], ends: [SessionEnd] = [], done: @escaping @Sendable (UInt64?) -> Void) {
        submit(.append(revocations, ends, done: done))
    }

    /// Makes durable that an epoch was entered.
    func enter(_ epoch: Epoch, done: @escaping @Sendable (Bool) -> Void) {
        submit(.note([.epoch(epoch)], done: done))
    }

    /// Makes durable that the session store knows of all ends in this epoch.
    func replayed(in epoch: Epoch) { submit(.note([.replayed(epoch)]) { _ in }) }

    /// Makes durable that commits were lost, of which there had been `count`.
    func noteLoss(count: UInt64, done: @escaping @Sendable (Bool) -> Void) {
        submit(.note([.count(count), .damage(true)], done: done))
    }

    /// Makes durable that what was lost is here again.
    func noteRestored() { submit(.note([.damage(false)]) { _ in }) }

    /// Makes durable that the issuer `name` has this outbox; nil for nobody.
    func bind(_ outbox: Nonce, to name: String?) { submit(.note([.binding(outbox, name: name ?? "")]) { _ in }) }

    /// Takes what was received on the feed; ``flush(done:)`` says whether it is durable. Of a session whose end is
    /// known already, that one stays.
    func mirror(_ revocations: [Revocation], ends: [SessionEnd] = []) { submit(.mirror(revocations, ends)) }

    /// Waits until all that was mirrored before is durable.
    func flush(done: @escaping @Sendable (Bool) -> Void) { submit(.flush(done: done)) }

    /// As ``RevocationIndex/Writer/discardTime()``, before whatever is mirrored next.
    func discardTime() { submit(.discardTime) }

    /// All revocations that have not expired; all that there are, while the clock may be wrong.
    func read(done: @escaping @Sendable ([Revocation]) -> Void) { submit(.read(done: done)) }

    /// The ends of all sessions of which a refresh token may still live.
    ///
    /// - Parameter sessions: only of these; nil for all.
    func readEnds(of sessions: [RevocationKey]? = nil, done: @escaping @Sendable ([SessionEnd]) -> Void) {
        submit(.readEnds(of: sessions, done: done))
    }

    /// Passes all that it holds to `body`, on the outbox's thread. What is not yet durable is not among it.
    func view(_ body: @escaping @Sendable (borrowing RevocationIndex.Writer) -> Void) { submit(.view(body)) }

    /// Ends the thread once what was submitted is done, and lets go of the file.
    func close() {
        thread.submit { [state] _ in state.value.state = nil }
        thread.stop()
        thread.join()
    }

    private func submit(_ job: Job) {
        let isFirst = queue.withLock { queue in
            queue.jobs.append(job)
            defer { queue.isScheduled = true }
            return !queue.isScheduled
        }
        if isFirst { thread.submit { [self] _ in work() } }
    }

    /// Does everything that has come meanwhile, with one synchronisation.
    private func work() {
        let jobs = queue.withLock { queue in
            defer { queue = Queue() }
            return queue.jobs
        }
        state.value.state?.perform(jobs)
    }

    private final class Box {
        var state: OutboxState?

        init(_ state: OutboxState) { self.state = state }
    }
}

/// What belongs to the thread of an outbox.
private final class OutboxState {
    private let path: String
    private let log: Logger
    private let isClockRight: () -> Bool
    private var file: OutboxFile
    var contents: OutboxContents
    let identity: IssuerIdentity
    /// Mirrored, and not written because the disk was full.
    private var backlog: [UInt8] = []
    private var isBroken = false
    private var isFull = false

    init(
        path: String, issuer: String, log: Logger, isClockRight: @escaping () -> Bool
    ) throws(OutboxFile.Failure) {
        self.path = path
        self.log = log
        self.isClockRight = isClockRight
        file = try OutboxFile(path: path)
        let isNew = file.byteCount == 0
        contents = try OutboxContents.load(file, issuer: issuer)
        identity = IssuerIdentity(
            name: issuer, outbox: contents.outbox, start: .random(), earlierStarts: contents.starts)
        contents.take(.start(identity.start))
        if let loss = contents.loss { report(loss) }
        if isNew { log.record(.outboxMade, ["file": "\(path)", "outbox": "\(identity.outbox)"]) }
        try rewrite()
    }

    private func report(_ loss: OutboxContents.Loss) {
        let facts: Logger.Metadata = [
            "file": "\(path)", "bytes": "\(loss.brokenBytes)", "missing": "\(loss.missingBytes)",
        ]
        guard !loss.isTorn else { return log.record(.outboxTorn, facts) }
        log.record(.outboxDamaged, facts)
        contents.take(.damage(true))
    }

    // MARK: Working

    func perform(_ jobs: [Outbox.Job]) {
        var mirrored = backlog
        var appended: [UInt8] = []
        var count = contents.count
        for job in jobs {
            switch job {
            case .append(let revocations, let ends, _):
                count += 1
                for record in Self.records(revocations, ends) { record.encode(into: &appended) }
            case .note(let records, _): for record in records { record.encode(into: &appended) }
            case .mirror(let revocations, let ends): mirror(revocations, ends, into: &mirrored)
            case .discardTime: contents.discardTime()
            case .flush, .read, .readEnds, .view: break
            }
        }
        if count > contents.count { OutboxRecord.count(count).encode(into: &appended) }
        backlog = []
        let isMirrored = write(mirrored)
        if !isMirrored { keep(mirrored) }
        let isAppended = write(appended)
        let isDurable = synchronize(mirrored.isEmpty && appended.isEmpty) && isAppended
        for job in jobs { finish(job, isDurable: isDurable, isMirrored: isMirrored && !isBroken) }
        if isDurable, isMirrored { rewriteIfWorthwhile() }
    }

    private static func records(_ revocations: [Revocation], _ ends: [SessionEnd]) -> [OutboxRecord] {
        OutboxRecord.records(of: revocations) + OutboxRecord.records(of: ends)
    }

    private func finish(_ job: Outbox.Job, isDurable: Bool, isMirrored: Bool) {
        switch job {
        case .append(let revocations, let ends, let done):
            guard isDurable else { return done(nil) }
            contents.take(.count(contents.count + 1))
            for record in Self.records(revocations, ends) { contents.take(record) }
            done(contents.count)
        case .note(let records, let done):
            if isDurable { for record in records { contents.take(record) } }
            done(isDurable)
        case .mirror, .discardTime: break
        case .flush(let done): done(isMirrored)
        case .read(let done): done(contents.revocations.revocations(from: kept))
        case .readEnds(let sessions, let done):
            done(sessions.map { contents.sessionEnds(of: $0) } ?? contents.sessionEnds(from: kept))
        case .view(let body): body(contents.revocations)
        }
    }

    private func mirror(_ revocations: [Revocation], _ ends: [SessionEnd], into bytes: inout [UInt8]) {
        let new = revocations.filter { !contents.revocations.covers($0) }
        for record in Self.records(new, contents.unknown(ends)) {
            record.encode(into: &bytes)
            contents.take(record)
        }
    }

    private func write(_ bytes: [UInt8]) -> Bool {
        guard !bytes.isEmpty else { return !isBroken }
        guard !isBroken else { return false }
        do {
            try file.append(bytes)
            isFull = false
            return true
        } catch {
            if !isFull {
                log.record(.outboxFull, facts(error))
            }
            isFull = true
            return false
        }
    }

    /// What expired before this is not needed. By a clock that may be wrong, everything is.
    private var kept: WallInstant {
        isClockRight() ? ClockReading.now().wall + (.zero - Outbox.retention) : WallInstant(milliseconds: 0)
    }

    private func keep(_ bytes: [UInt8]) {
        backlog = bytes
        guard bytes.count > Outbox.maxBacklogBytes, !isBroken else { return }
        isBroken = true
        log.record(.outboxBehind)
    }

    private func synchronize(_ isNothingNew: Bool) -> Bool {
        guard !isBroken, !isNothingNew else { return !isBroken }
        do {
            try file.synchronize()
            return true
        } catch {
            isBroken = true
            log.record(.outboxLost, facts(error))
            return false
        }
    }

    private func facts(_ error: OutboxFile.Failure) -> Logger.Metadata {
        ["file": "\(path)", "error": "\(error)"]
    }

    // MARK: Writing anew

    private func rewriteIfWorthwhile() {
        if isClockRight() { contents.expire(at: ClockReading.now().wall) }
        guard file.byteCount > max(Outbox.minRewriteBytes, 2 * contents.byteCount) else { return }
        do {
            try rewrite()
        } catch {
            log.record(.outboxNotRewritten, facts(error))
        }
    }

    /// - Throws: and the file is as it was, or is not known to be durable, which the next synchronisation finds out.
    private func rewrite() throws(OutboxFile.Failure) {
        try file.replace(by: contents.records(from: kept), of: contents.outbox)
    }
}
