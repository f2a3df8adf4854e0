import Glibc
package import Logging
import QuashLoop
import Synchronization

/// Where a process logs to: how lines look, which are written, and the descriptor.
///
/// Shared by every logger of a role, so that a reload changes the level of all of them at once.
package final class LogOutput: Sendable {
    private let descriptor: Int32
    private let writesJSON: Bool
    private let threshold: Atomic<Int>
    /// A loop waits for it for as long as another thread gives a full pipe.
    private let losses = Locked(Losses())
    /// What can be written at once when something can: to a pipe it is a page, PIPE_BUF.
    private let pieceBytes: Int

    private struct Losses {
        /// Lines that were lost since the last that was written.
        var lines = 0
        /// The last of them has a beginning.
        var isTorn = false
    }

    /// - Parameter descriptor: stays open as long as anything may be logged.
    package init(format: LogFormat, level: Logger.Level, descriptor: Int32 = STDERR_FILENO) {
        self.descriptor = descriptor
        var facts = stat()
        let isPipe = unsafe fstat(descriptor, &facts) == 0 && facts.st_mode & S_IFMT == S_IFIFO
        pieceBytes = isPipe ? 4096 : .max
        writesJSON =
            switch format {
            case .auto: isatty(descriptor) == 0
            case .json: true
            case .text: false
            }
        threshold = Atomic(level.rank)
    }

    /// The least severe level that is written.
    package var level: Logger.Level {
        get { Logger.Level.allCases[threshold.load(ordering: .relaxed)] }
        set { threshold.store(newValue.rank, ordering: .relaxed) }
    }

    /// A logger of one part of the program, such as `feed`.
    package func logger(_ component: String) -> Logger {
        Logger(label: component) { LogWriter(component: $0, output: self) }
    }

    /// Writes one line with one write(2), so that lines of several threads and processes do not mix (in a pipe up to
    /// PIPE_BUF, pipe(7)). A line that cannot be written is lost: a log must not stop what it tells of. How many were
    /// is told once somebody reads again.
    ///
    /// One thread at a time: another would take the room that poll(2) has told of.
    func write(_ record: LogRecord) {
        losses.withLock { losses in
            if losses.lines > 0 {
                let told = LogRecord(
                    time: record.time, level: LoggedEvent.logLost.level, component: "log",
                    message: LoggedEvent.logLost.text,
                    fields: [LoggedEvent.field: "\(LoggedEvent.logLost.rawValue)", "lines": "\(losses.lines)"])
                guard put(told, &losses) else {
                    losses.lines += 1
                    return
                }
                losses.lines = 0
            }
            if !put(record, &losses) { losses.lines += 1 }
        }
    }

    /// - Returns: false when nobody reads.
    private func put(_ record: LogRecord, _ losses: inout Losses) -> Bool {
        var rest = redacted(writesJSON ? record.json : record.text)[...]
        if losses.isTorn { rest = [UInt8(ascii: "\n")] + rest }
        while !rest.isEmpty {
            guard isWritable(patience: losses.lines == 0 ? Self.patienceMilliseconds : 0) else { return false }
            // SAFETY: write(2) reads as many bytes as it is told behind the pointer; both are those of one array.
            unsafe rest.prefix(pieceBytes).withUnsafeBytes { bytes in
                while unsafe Glibc.write(descriptor, bytes.baseAddress, bytes.count) < 0 && errno == EINTR {}
            }
            rest = rest.dropFirst(pieceBytes)
            losses.isTorn = !rest.isEmpty
        }
        return true
    }

    private static let patienceMilliseconds: Int32 = 100

    /// Whether something can be written without waiting for who reads; a full pipe is given a moment, once.
    private func isWritable(patience: Int32) -> Bool {
        var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        var count: Int32
        // SAFETY: poll(2) reads and writes the one entry that it is given.
        repeat { count = unsafe poll(&entry, 1, patience) } while count < 0 && errno == EINTR
        return count != 0
    }
}

extension Logger.Level {
    /// The position among all levels, from trace.
    fileprivate var rank: Int {
        guard let rank = Self.allCases.firstIndex(of: self) else {
            preconditionFailure("\(self) is not among all levels")
        }
        return rank
    }
}

/// swift-log's end of a `LogOutput`.
struct LogWriter: LogHandler {
    private let component: String
    private let output: LogOutput
    /// Set on one logger; otherwise the output's counts.
    private var ownLevel: Logger.Level?
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?

    init(component: String, output: LogOutput) {
        self.component = component
        self.output = output
    }

    var logLevel: Logger.Level {
        get { ownLevel ?? output.level }
        set { ownLevel = newValue }
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var fields = metadata
        for more in [metadataProvider?.get(), event.metadata] {
            if let more { fields.merge(more) { _, new in new } }
        }
        if let error = event.error { fields["error"] = "\(error)" }
        output.write(
            LogRecord(
                time: .now, level: event.level, component: component, message: event.message.description, fields: fields
            ))
    }
}
