import Glibc
import Logging
import Quash
import QuashJSON
import TestSupport
import Testing

@testable import QuashServer

@Suite("Logs")
struct LogTests {
    private let folder: TemporaryFolder
    private let path: String
    private let descriptor: Int32

    init() throws {
        folder = try TemporaryFolder()
        path = try folder.write("log", "")
        descriptor = unsafe open(path, O_WRONLY | O_APPEND | O_CLOEXEC)
        try #require(descriptor >= 0)
    }

    private func lines(_ format: LogFormat, _ level: Logger.Level = .info, _ log: (Logger) -> Void) -> [String] {
        log(LogOutput(format: format, level: level, descriptor: descriptor).logger("feed"))
        return TemporaryFolder.read(path).split(separator: "\n").map(String.init)
    }

    private func record(_ message: String, _ fields: Logger.Metadata = [:]) -> LogRecord {
        LogRecord(
            time: WallInstant(milliseconds: 1_700_000_000_123), level: .warning, component: "feed", message: message,
            fields: fields)
    }

    private func json(_ record: LogRecord) throws -> JSONValue {
        let line = record.json
        #expect(line.last == UInt8(ascii: "\n"))
        #expect(line.dropLast().allSatisfy { $0 >= 0x20 })
        return try json(String(decoding: line.dropLast(), as: UTF8.self))
    }

    private func json(_ line: String) throws -> JSONValue {
        let bytes = Array(line.utf8)
        return try JSONValue(parsing: bytes.span)
    }

    @Test func aJSONLineHasTheHeadAndTheFields() throws {
        let value = try json(
            record("lost \"redis\"\n", ["error": "reset", "attempt": "\(3)", "list": ["a", ["b": "c"]]]))
        #expect(
            value == [
                "time": "2023-11-14T22:13:20.123Z", "level": "warning", "component": "feed",
                "message": "lost \"redis\"\n",
                "attempt": "3", "error": "reset", "list": ["a", ["b": "c"]],
            ])
    }

    @Test func aFieldCannotReplaceTheHead() throws {
        let value = try json(record("m", ["level": "critical", "time": "never"]))
        #expect(value["level"] == "warning")
        #expect(value["level_"] == "critical")
        #expect(value["time_"] == "never")
    }

    @Test func aTextLineShowsControlCharacters() {
        let line = String(decoding: record("a\nb\u{1B}[2J", ["x": "\r\u{7}"]).text, as: UTF8.self)
        #expect(line == "2023-11-14T22:13:20.123Z WARNING feed: a\\u{a}b\\u{1b}[2J x=\\u{d}\\u{7}\n")
    }

    /// U+009B is to a terminal what ESC and a bracket are.
    @Test func aJSONLineHasNoControlCharacters() throws {
        let text = "\u{9B}2J\u{7F}\u{80}\u{9F}\u{1B}é\u{C2}\u{A0}"
        let line = record("m", ["sub": "\(text)"]).json.dropLast()
        let scalars = String(decoding: line, as: UTF8.self).unicodeScalars
        #expect(scalars.allSatisfy { $0.properties.generalCategory != .control })
        #expect(try json(record("m", ["sub": "\(text)"]))["sub"]?.string == text)
    }

    @Test func whatIsLongIsCut() throws {
        let value = try json(record(String(repeating: "é", count: 3000)))
        #expect(value["message"]?.string?.utf8.count == LogLimits.maxValueBytes + 3)
    }

    @Test func deepMetadataDoesNotRecurseWithoutEnd() throws {
        var nested: Logger.MetadataValue = "end"
        for _ in 0..<100 { nested = ["n": nested] }
        _ = try json(record("m", ["deep": nested]))
    }

    @Test func eachMessageIsALineOfItsOwn() throws {
        let lines = lines(.json) { log in
            log.info("one", metadata: ["a": "1"])
            log.debug("not written")
            log.critical("two")
        }
        #expect(lines.count == 2)
        let first = try json(lines[0])
        #expect(first["message"] == "one")
        #expect(first["component"] == "feed")
        #expect(first["a"] == "1")
    }

    @Test func metadataOfLoggerProviderAndMessageAreMerged() throws {
        let lines = lines(.json) { logger in
            var logger = logger
            logger[metadataKey: "node"] = "n1"
            logger[metadataKey: "a"] = "logger"
            logger.error("m", metadata: ["a": "message"])
        }
        let value = try json(try #require(lines.first))
        #expect(value["node"] == "n1")
        #expect(value["a"] == "message")
    }

    /// A pipe that nobody reads stops nobody, and what was lost is told when somebody does.
    @Test func whoDoesNotReadStopsNobody() throws {
        var ends: [Int32] = [0, 0]
        try #require(unsafe pipe(&ends) == 0)
        defer { for end in ends { close(end) } }
        let log = LogOutput(format: .json, level: .info, descriptor: ends[1]).logger("quash")
        let lines = 2000
        for number in 0..<lines { log.warning("m", metadata: ["n": "\(number)"]) }
        let end = ends[0]
        func read() -> [String] {
            var bytes = [UInt8](repeating: 0, count: 1 << 17)
            let count = unsafe bytes.withUnsafeMutableBytes { unsafe Glibc.read(end, $0.baseAddress, $0.count) }
            return String(decoding: bytes[..<max(0, count)], as: UTF8.self).split(separator: "\n").map(String.init)
        }
        let first = read()
        #expect(first.count > 100 && first.count < lines)
        log.warning("again")
        let rest = read()
        try #require(rest.count == 2)
        #expect(try json(rest[0])["event"] == "log.lost")
        #expect(try json(rest[0])["lines"]?.string == "\(lines - first.count)")
        #expect(try json(rest[1])["message"] == "again")
    }

    /// To poll(2), a pipe can be written to when it has room for a page; a long line is more.
    @Test func whoDoesNotReadALongLineStopsNobody() throws {
        var ends: [Int32] = [0, 0]
        try #require(unsafe pipe(&ends) == 0)
        defer { for end in ends { close(end) } }
        let (end, page) = (ends[0], [UInt8](repeating: 0x20, count: 4096))
        for _ in 0..<15 { _ = unsafe page.withUnsafeBytes { unsafe Glibc.write(ends[1], $0.baseAddress, $0.count) } }
        let log = LogOutput(format: .json, level: .info, descriptor: ends[1]).logger("quash")
        let wasWritten = Recorder<Bool>()
        let thread = TestThread {
            let text = String(repeating: "x", count: LogLimits.maxValueBytes)
            log.warning("long", metadata: ["a": "\(text)", "b": "\(text)", "c": "\(text)"])
            wasWritten.record(true)
        }
        #expect(poll { wasWritten.all.count == 1 })
        func read() -> String {
            var bytes = [UInt8](repeating: 0, count: 1 << 17)
            let count = unsafe bytes.withUnsafeMutableBytes { unsafe Glibc.read(end, $0.baseAddress, $0.count) }
            return String(decoding: bytes[..<max(0, count)], as: UTF8.self)
        }
        _ = read()
        thread.join()
        log.warning("again")
        let rest = read().split(separator: "\n")
        try #require(rest.count == 2)
        #expect(try json(String(rest[0]))["lines"]?.string == "1")
        #expect(try json(String(rest[1]))["message"]?.string == "again")
    }

    @Test func autoIsJSONWhereThereIsNoTerminal() {
        #expect(lines(.auto) { $0.info("m") }.first?.hasPrefix("{") == true)
        #expect(lines(.text) { $0.info("m") }.last?.hasSuffix("INFO feed: m") == true)
    }

    @Test func aNewLevelCountsForLoggersThatAreThereAlready() {
        let output = LogOutput(format: .text, level: .error, descriptor: descriptor)
        let logger = output.logger("x")
        logger.info("first")
        output.level = .trace
        logger.trace("second")
        #expect(!TemporaryFolder.read(path).contains("first"))
        #expect(TemporaryFolder.read(path).contains("second"))
        #expect(output.level == .trace)
    }

    @Test(arguments: [
        ("no token", "no token"),
        ("Bearer eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln", "Bearer [token]"),
        ("{\"a\":\"eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.\"}", "{\"a\":\"[token]\"}"),
        ("xeyJh.eyJz.c2-_ eyJh.b.c end", "x[token] [token] end"),
        ("eyJ without dots, eyJabc", "eyJ without dots, eyJabc"), ("eyJ.", "[token]"), ("ey", "ey"), ("", ""),
    ])
    func tokensAreRedacted(text: String, expected: String) {
        #expect(String(decoding: redacted(Array(text.utf8)), as: UTF8.self) == expected)
    }

    @Test(arguments: [LogFormat.json, .text])
    func noTokenReachesTheLog(format: LogFormat) {
        let token = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl"
        let lines = lines(format) { log in
            log.error(
                "in the message \(token)", metadata: ["value": "\(token)", "list": ["\(token)"], "\(token)": "name"])
        }
        #expect(lines.count == 1)
        #expect(!lines.joined().contains("eyJ"))
        #expect(!lines.joined().contains("c2lnbmF0dXJl"))
    }
}
