import Glibc
import Logging
import Quash
import QuashLoop

/// An issuer's own record of revocations: what it took itself, before Redis has it, and all that it has heard of on the
/// feed. From it the feed is restored when Redis has lost it. Thread-safe; a thread of its own writes.
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
    /// The epochs that this issuer had entered when it was started, the latest last.
    let enteredEpochs: [Epoch]

    private struct Queue {
        var jobs: [Job] = []
        var isScheduled = false
    }

    private enum Job {
        case append(OutboxRecord, done: @Sendable (Bool) -> Void)
        case mirror([Revocation])
        case flush(done: @Sendable (Bool) -> Void)
        case read(done: @Sendable ([Revocation]) -> Void)
    }

    /// - Throws: one line that says why the file at `path` cannot be this issuer's outbox.
    init(path: String, issuer: String, log: Logger) throws {
        let state: State
        do throws(OutboxFile.Failure) {
            state = try State(path: path, issuer: issuer, log: log)
        } catch {
            throw StartFailure("outbox-file: \(path) \(error)")
        }
        enteredEpochs = state.entered
        self.state = LoopBound(Box(state))
        thread = try LoopThread(name: "quash-outbox")
    }

    /// Makes `revocations` durable.
    ///
    /// - Parameter done: called on the outbox's thread; false when they are not durable, and nothing of them is kept.
    func append(_ revocations: [Revocation], done: @escaping @Sendable (Bool) -> Void) {
        submit(.append(.revocations(revocations), done: done))
    }

    /// Makes durable that an epoch was entered.
    func enter(_ epoch: Epoch, done: @escaping @Sendable (Bool) -> Void) {
        submit(.append(.epoch(epoch), done: done))
    }

    /// Takes what was heard on the feed; ``flush(done:)`` says whether it is durable.
    func mirror(_ revocations: [Revocation]) { submit(.mirror(revocations)) }

    /// Waits until all that was mirrored before is durable.
    func flush(done: @escaping @Sendable (Bool) -> Void) { submit(.flush(done: done)) }

    /// All that has not expired.
    func read(done: @escaping @Sendable ([Revocation]) -> Void) { submit(.read(done: done)) }

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
        var state: State?

        init(_ state: State) { self.state = state }
    }

    /// What belongs to the thread.
    private final class State {
        private let path: String
        private let issuer: String
        private let log: Logger
        private var file: OutboxFile
        private var durable: RevocationIndex.Writer
        private(set) var entered: [Epoch] = []
        /// Mirrored, and not written because the disk was full.
        private var backlog: [UInt8] = []
        private var isBroken = false
        private var isFull = false

        init(path: String, issuer: String, log: Logger) throws(OutboxFile.Failure) {
            self.path = path
            self.issuer = issuer
            self.log = log
            file = try OutboxFile(path: path)
            durable = RevocationIndex().makeWriter(maxRevocations: .max, clockSkew: Outbox.retention)
            if file.byteCount > 0 { try load() }
            try rewrite()
        }

        // MARK: Starting

        private func load() throws(OutboxFile.Failure) {
            let header = OutboxRecord.header(issuer: issuer)
            var head: [UInt8] = []
            var reader = OutboxReader()
            try file.read { bytes in
                let missing = bytes.prefix(header.count - head.count)
                head += missing
                reader.append(bytes.dropFirst(missing.count))
                while let record = reader.next(isAtEnd: false) { take(record) }
            }
            while let record = reader.next(isAtEnd: true) { take(record) }
            guard head == header else {
                // A file that was made and not yet written to is empty, or has a part of its first line.
                if header.starts(with: head) { return }
                throw OutboxFile.Failure("is not the outbox of the issuer \(issuer): name another file or node-id")
            }
            report(reader)
        }

        private func report(_ reader: OutboxReader) {
            guard reader.brokenBytes > 0 else { return }
            let facts: Logger.Metadata = ["file": "\(path)", "bytes": "\(reader.brokenBytes)"]
            if reader.recordsAfterBroken == 0 {
                log.record(.outboxTorn, facts)
            } else {
                log.record(.outboxDamaged, facts)
            }
        }

        private func take(_ record: OutboxRecord) {
            switch record {
            case .revocations(let revocations): add(revocations)
            case .epoch(let epoch): entered = entered.suffix(FeedWriter.maxEntered - 1) + [epoch]
            }
        }

        private func add(_ revocations: [Revocation]) {
            do {
                try durable.apply(revocations)
            } catch {
                preconditionFailure("an index without a ceiling is full")
            }
        }

        // MARK: Working

        func perform(_ jobs: [Job]) {
            var mirrored = backlog
            var appended: [UInt8] = []
            for job in jobs {
                switch job {
                case .append(let record, _): record.encode(into: &appended)
                case .mirror(let revocations): mirror(revocations, into: &mirrored)
                case .flush, .read: break
                }
            }
            backlog = []
            let isMirrored = write(mirrored)
            if !isMirrored { keep(mirrored) }
            let isAppended = write(appended)
            let isSynchronized = synchronize(mirrored.isEmpty && appended.isEmpty)
            for job in jobs {
                switch job {
                case .append(let record, let done):
                    if isAppended, isSynchronized { take(record) }
                    done(isAppended && isSynchronized)
                case .mirror: break
                case .flush(let done): done(isMirrored && isSynchronized)
                case .read(let done): done(durable.revocations(from: kept))
                }
            }
            if isAppended, isMirrored, isSynchronized { rewriteIfWorthwhile() }
        }

        private func mirror(_ revocations: [Revocation], into bytes: inout [UInt8]) {
            let new = revocations.filter { !durable.covers($0) }
            guard !new.isEmpty else { return }
            for part in RevocationCodec.commits(of: new) { OutboxRecord.revocations(part).encode(into: &bytes) }
            add(new)
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

        /// What expired before this is not needed.
        private var kept: WallInstant { ClockReading.now().wall + (.zero - Outbox.retention) }

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
            durable.expire(at: ClockReading.now().wall)
            guard file.byteCount > max(Outbox.minRewriteBytes, 2 * RevocationCodec.bytes(of: durable.count)) else {
                return
            }
            do {
                try rewrite()
            } catch {
                log.record(.outboxNotRewritten, facts(error))
            }
        }

        /// - Throws: and leaves the file as it was.
        private func rewrite() throws(OutboxFile.Failure) {
            var bytes = OutboxRecord.header(issuer: issuer)
            for epoch in entered { OutboxRecord.epoch(epoch).encode(into: &bytes) }
            for part in RevocationCodec.commits(of: durable.revocations(from: kept)) {
                OutboxRecord.revocations(part).encode(into: &bytes)
            }
            try file.replace(with: bytes)
        }
    }
}
