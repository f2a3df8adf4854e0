import Glibc
import QuashCrypto
import QuashLoop
import Synchronization
import Testing

@testable import QuashHTTP

/// A server on a loop's thread of its own for the time of a test.
///
/// `/echo` answers with its content, `/info` with what it sees of the request, `/big?n` with n bytes, `/late` when
/// `release` is called, and everything else with its path.
final class TestServer {
    let thread: LoopThread
    let endpoint: Endpoint
    private let box = LoopBox()

    init(
        _ endpoint: Endpoint = .tcp(host: "127.0.0.1", port: 0), tls: TLSContext? = nil,
        limits: HTTPLimits = HTTPLimits(), maxConnections: Int = 100, buffers: BufferBudget = BufferBudget()
    ) async throws {
        let address = try BoundAddress(endpoint, connections: ConnectionBudget(limit: maxConnections))
        thread = try LoopThread(name: "server")
        self.endpoint = address.endpoint
        try await thread.run { [box] loop in
            box.server = try HTTPServer(
                on: loop, at: address, tls: tls, limits: limits, buffers: buffers, responder: box.responder)
            box.responder.drain = { [unowned box] in box.server?.drain(deadline: .seconds(20)) {} }
        }
    }

    deinit {
        thread.stop()
        thread.join()
    }

    /// Answers the requests of `/late`, the last one first.
    func release(count: Int = .max) async throws {
        try await thread.run { [box] _ in
            for _ in 0..<min(count, box.responder.late.count) {
                let (exchange, path) = box.responder.late.removeLast()
                exchange.send(.ok, text: path)
            }
        }
    }

    /// Until that many requests of `/late` are waiting.
    func waitForLate(_ count: Int) async throws { try await wait { $0.responder.late.count == count } }

    /// Until that many streams have begun, and that many have ended.
    func waitForStreams(_ count: Int, closed: Int) async throws {
        try await wait { $0.responder.streams.count == count && $0.responder.closedStreams == closed }
    }

    /// Sends the same on all streams; how many took it.
    func stream(_ text: String) async throws -> Int {
        try await thread.run { [box] _ in box.responder.streams.count { $0.send(Array(text.utf8)) } }
    }

    func endStreams() async throws {
        try await thread.run { [box] _ in for stream in box.responder.streams { stream.end() } }
    }

    /// Keeps the loop from everything until `body` is done; then all that came meanwhile is there in one turn.
    func whileStopped(_ body: () throws -> Void) async throws {
        let (stopped, go) = (Semaphore(), Semaphore())
        thread.submit { _ in
            stopped.signal()
            go.wait()
        }
        stopped.wait()
        defer { go.signal() }
        try body()
    }

    /// The paths that were asked for, in their order.
    var paths: [String] {
        get async throws { try await thread.run { [box] _ in box.responder.paths } }
    }

    /// Serves another address on the same loop.
    func serveAlso(_ limits: HTTPLimits) async throws -> Endpoint {
        let address = try BoundAddress(.tcp(host: "127.0.0.1", port: 0))
        return try await thread.run { [box] loop in
            box.other = try HTTPServer(on: loop, at: address, limits: limits, responder: box.responder)
            return address.endpoint
        }
    }

    func waitForPaths(_ count: Int) async throws { try await wait { $0.responder.paths.count == count } }

    func waitForConnections(_ count: Int) async throws { try await wait { $0.server?.connectionCount == count } }

    var lateIsOpen: [Bool] {
        get async throws { try await thread.run { [box] _ in box.responder.late.map(\.0.isOpen) } }
    }

    /// Begins to drain; the flag is set when it is done.
    func drain(deadline: Duration) async throws -> Flag {
        let flag = Flag()
        try await thread.run { [box] _ in box.server?.drain(deadline: deadline) { flag.set() } }
        return flag
    }

    /// Whether that becomes true, which is looked at between two turns of the loop.
    func waits(until condition: @escaping @Sendable () -> Bool) async throws -> Bool {
        for _ in 0..<10_000 {
            if try await thread.run({ _ in condition() }) { return true }
            try await Task.sleep(for: .milliseconds(2))
        }
        return false
    }

    private func wait(_ condition: @escaping @Sendable (LoopBox) -> Bool) async throws {
        for _ in 0..<10_000 {
            if try await thread.run({ [box] _ in condition(box) }) { return }
            try await Task.sleep(for: .milliseconds(2))
        }
        Issue.record("what was waited for did not come")
    }
}

final class Flag: Sendable {
    private let value = Atomic<Bool>(false)

    func set() { value.store(true, ordering: .releasing) }

    var isSet: Bool { value.load(ordering: .acquiring) }

    func wait() async throws {
        for _ in 0..<10_000 where !isSet { try await Task.sleep(for: .milliseconds(2)) }
        #expect(isSet)
    }
}

/// What belongs to the server's loop and is touched only there.
private final class LoopBox: @unchecked Sendable {
    var server: HTTPServer?
    var other: HTTPServer?
    let responder = TestResponder()
}

final class TestResponder: HTTPResponder {
    var late: [(HTTPExchange, String)] = []
    var streams: [HTTPStream] = []
    var closedStreams = 0
    /// What `/drain` does.
    var drain: (() -> Void)?
    /// In the order in which they were asked for.
    var paths: [String] = []
    private let prepared = PreparedResponse(.noContent, fields: ["Cache-Control": "no-store"])

    func refusal(of request: borrowing HTTPRequest, from peer: () -> String) -> PreparedResponse? {
        request.path.equals("/closed") ? PreparedResponse(.unauthorized, body: Array("not you".utf8)) : nil
    }

    func bodyLimitBytes(for request: borrowing HTTPRequest) -> Int {
        request.path.equals("/echo") ? 100_000 : 0
    }

    func respond(to request: borrowing HTTPRequest, _ exchange: HTTPExchange) {
        paths.append(request.path.text)
        if request.path.equals("/echo") {
            exchange.send(.ok, body: request.body.array)
        } else if request.path.equals("/info") {
            exchange.send(.ok, text: describe(request))
        } else if request.path.equals("/prepared") {
            exchange.send(prepared)
        } else if request.path.equals("/big") {
            exchange.send(.ok, body: [UInt8](repeating: 0x62, count: Int(request.query?.text ?? "") ?? 0))
        } else if request.path.equals("/stream") {
            guard let stream = exchange.stream(fields: ["Content-Type": "text/event-stream"]) else {
                return exchange.send(.serviceUnavailable)
            }
            streams.append(stream)
            stream.whenClosed { [unowned self] in closedStreams += 1 }
        } else if request.path.equals("/drain") {
            exchange.send(.ok)
            drain?()
        } else if request.path.hasPrefix("/late") {
            late.append((exchange, request.path.text))
        } else {
            exchange.send(.ok, text: request.path.text)
        }
    }

    private func describe(_ request: borrowing HTTPRequest) -> String {
        var text = "\(request.methodName.text) \(request.path.text) ?\(request.query?.text ?? "-") "
        text += "\(request.authority.text) x=\(request.firstValue(of: "x-one")?.text ?? "-") "
        text += "a=\(request.count(of: "authorization")) n=\(request.fieldCount) last="
        text += request.fieldName(at: request.fieldCount - 1).text
        return text
    }
}

extension LoopThread {
    /// Runs `body` on the loop and waits for what it returns.
    func run<Value: Sendable>(_ body: @escaping @Sendable (Loop) throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            let isTaken = submit { loop in continuation.resume(with: Result { try body(loop) }) }
            if !isTaken { continuation.resume(throwing: LoopError(.loopEnded, "the loop has stopped")) }
        }
    }
}

private let pathCounter = Atomic<Int>(0)

func temporaryPath() -> String {
    "/tmp/quash-http-\(getpid())-\(pathCounter.add(1, ordering: .relaxed).newValue)"
}
