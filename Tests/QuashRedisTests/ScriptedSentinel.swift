import QuashLoop
import TestSupport

/// What takes connections as a sentinel does and answers as it was told, so that a test decides who is called the
/// master.
final class ScriptedSentinel {
    /// What it was sent, as it arrived.
    let questions = Recorder<String>()
    private let endpoint: Endpoint
    private let thread: LoopThread

    /// - Parameter answer: the bytes of the reply; nil for a sentinel that never answers.
    init(_ answer: String?) throws {
        let address = try BoundAddress(.tcp(host: "127.0.0.1", port: 0))
        endpoint = address.endpoint
        thread = try LoopThread(name: "sentinel-test")
        let questions = questions
        let started = Recorder<String>()
        thread.submit { loop in
            do {
                _ = try Listener(on: loop, at: address) { _ in Answerer(answer, questions) }
                started.record("")
            } catch {
                started.record("\(error)")
            }
        }
        guard try started.wait(count: 1) == [""] else { throw TestSupportError("\(started.all)") }
    }

    /// One that calls the server at this port of the loopback interface the master.
    convenience init(naming port: UInt16) throws {
        try self.init("*2\r\n$9\r\n127.0.0.1\r\n$\("\(port)".count)\r\n\(port)\r\n")
    }

    deinit {
        thread.stop()
        thread.join()
    }

    /// The URL of what several of them know.
    static func url(_ sentinels: ScriptedSentinel...) -> String {
        "redis-sentinel://\(sentinels.map { "\($0.endpoint)" }.joined(separator: ","))/mymaster"
    }

    private final class Answerer: ConnectionDelegate {
        private let answer: String?
        private let questions: Recorder<String>

        init(_ answer: String?, _ questions: Recorder<String>) {
            self.answer = answer
            self.questions = questions
        }

        func connectionOpened(_ connection: Connection) {}

        func connection(_ connection: Connection, received bytes: UnsafeRawBufferPointer) {
            unsafe questions.record(String(decoding: bytes, as: UTF8.self))
            if let answer { connection.write(Array(answer.utf8)) }
        }

        func connectionDrained(_ connection: Connection) {}

        func connectionClosed(_ connection: Connection, because reason: LoopError?) {}
    }
}
