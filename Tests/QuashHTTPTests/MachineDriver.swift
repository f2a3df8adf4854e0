import QuashLoop
import Testing

@testable import QuashHTTP

/// Drives a `ConnectionMachine` as `ServerConnection` does, without a socket, and writes down what happens. Requests
/// are answered at once unless `answers` is off.
struct MachineDriver: ~Copyable {
    private(set) var log: [String] = []
    var answers = true
    var now = LoopInstant(nanoseconds: 1_000_000_000_000)
    var bodyLimitBytes = 64
    var machine: ConnectionMachine
    private var input = InputBuffer()

    init(limits: HTTPLimits = HTTPLimits()) {
        machine = ConnectionMachine(limits: limits, now: now)
    }

    mutating func receive(_ text: String) { receive(Array(text.utf8)) }

    mutating func receive(_ bytes: [UInt8]) {
        unsafe bytes.withUnsafeBytes { bytes in
            unsafe input.beginRead(bytes)
            process()
            input.endRead()
        }
    }

    mutating func process() {
        while true {
            let view = input.view
            let action = unsafe view.withBytes { unsafe machine.advance($0, now: now) }
            switch action {
            case .wait:
                input.use(machine.takeUsed())
                return
            case .head:
                machine.allowBody(limitBytes: bodyLimitBytes)
            case .sendContinue:
                log.append("100")
            case .respond(let number):
                log.append(describe(view))
                machine.finishRequest()
                if answers { answer(number) }
            case .refuse(let failure, let number):
                log.append("\(failure.status.code)")
                answer(number)
            }
            input.use(machine.takeUsed())
        }
    }

    mutating func answer(_ number: UInt64) {
        switch machine.answered(number, now: now) {
        case .now(let closes):
            log.append(closes ? "close" : "sent")
            while machine.nextHeld() != nil { log.append("held") }
        case .later:
            break
        }
    }

    mutating func passDeadlines() {
        switch machine.deadlineReached(now: now) {
        case .none: log.append("none")
        case .close: log.append("cut")
        case .refuse(let failure, let number):
            log.append("\(failure.status.code)")
            answer(number)
        }
    }

    /// `GET /path?query [field count] body`
    private func describe(_ view: borrowing InputBuffer.View) -> String {
        let head = machine.parser.head
        func text(_ slice: Slice, _ bytes: UnsafeRawBufferPointer) -> String {
            unsafe String(decoding: bytes[slice.range], as: UTF8.self)
        }
        func line(_ bytes: UnsafeRawBufferPointer) -> String {
            let query = head.query.map { unsafe "?" + text($0, bytes) } ?? ""
            return unsafe "\(text(head.methodName, bytes)) \(text(head.path, bytes))\(query) "
                + "@\(text(head.authority, bytes)) \(machine.parser.fields.count)"
        }
        if machine.isChunked {
            let bytes = machine.chunkedHead
            return unsafe bytes.withUnsafeBytes { unsafe line($0) } + " "
                + String(decoding: machine.chunkedBody, as: UTF8.self)
        }
        return unsafe view.withBytes { bytes in
            guard case .length(let length) = head.framing else { return unsafe line(bytes) }
            return unsafe line(bytes) + " "
                + String(decoding: bytes[head.byteCount..<head.byteCount + length], as: UTF8.self)
        }
    }
}

/// What a machine makes of `bytes`, which arrive in the given pieces.
func log(of bytes: [UInt8], pieces: [Range<Int>]) -> [String] {
    var driver = MachineDriver()
    for piece in pieces { driver.receive(Array(bytes[piece])) }
    return driver.log
}

/// Feeds `bytes` whole, cut in two at every offset, and byte by byte; all must lead to the same log, which is returned.
/// Long inputs are cut at 500 offsets, and at each of the last 70.
func logAtEverySplit(of bytes: [UInt8], _ location: SourceLocation = #_sourceLocation) -> [String] {
    let whole = log(of: bytes, pieces: [0..<bytes.count])
    let isLong = bytes.count > 2_000
    let cuts =
        isLong
        ? Array(stride(from: 1, to: bytes.count, by: bytes.count / 500)) + Array(bytes.count - 70..<bytes.count)
        : Array(1..<max(bytes.count, 1))
    for cut in cuts {
        let split = log(of: bytes, pieces: [0..<cut, cut..<bytes.count])
        if split != whole {
            Issue.record("cut at \(cut): \(split), whole: \(whole)", sourceLocation: location)
            return whole
        }
    }
    let single = log(of: bytes, pieces: bytes.indices.map { $0..<$0 + 1 })
    if single != whole { Issue.record("byte by byte: \(single), whole: \(whole)", sourceLocation: location) }
    return whole
}
