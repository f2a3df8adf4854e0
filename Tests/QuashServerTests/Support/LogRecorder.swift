import Logging
import TestSupport

/// Keeps what is logged, for a test to look at.
struct LogRecorder {
    struct Line: Sendable, CustomStringConvertible {
        let level: Logger.Level
        let message: String
        let error: String

        var description: String { "\(level) \(message) \(error)" }
    }

    let lines = Recorder<Line>()

    var logger: Logger {
        Logger(label: "test") { [lines] _ in Writer(lines: lines) }
    }

    private struct Writer: LogHandler {
        let lines: Recorder<Line>
        var logLevel = Logger.Level.trace
        var metadata: Logger.Metadata = [:]

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let error = event.metadata?["error"]?.description ?? event.metadata?["warning"]?.description ?? ""
            lines.record(Line(level: event.level, message: event.message.description, error: error))
        }
    }
}
