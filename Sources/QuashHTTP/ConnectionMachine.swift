package import QuashLoop

/// The server's side of one HTTP/1 connection, without a socket or a clock.
///
/// Overview: bytes become requests, one at a time; requests get numbers, and their answers go out in the order of the
/// numbers (RFC 9112 §9.3.2), whoever is answered first. A refused request is the last: it is answered in its turn, and
/// nothing after it is read.
///
/// The driver calls `advance` with the bytes that are there until it returns `.wait`.
///
/// States of reading: head → limit (the driver asks the route) → body → request (the route has it) → head …, or ended.
/// Deadlines: idle (no request begun), head and body (absolute, whatever trickles in), write (an answer not read).
package struct ConnectionMachine: ~Copyable {
    /// What the driver has to do with the bytes that are there.
    package enum Action: Equatable {
        /// Nothing more can be done with these bytes.
        case wait
        /// A head is complete: call `allowBody`.
        case head
        /// Write "100 Continue".
        case sendContinue
        /// A request is complete: give it to its route, then call `finishRequest`.
        case respond(number: UInt64)
        /// Answer with this failure, as number `number`. Reading has ended.
        case refuse(RequestFailure, number: UInt64)
    }

    /// What the driver has to do when a deadline has passed.
    package enum DeadlineAction: Equatable {
        /// None has passed.
        case none
        case refuse(RequestFailure, number: UInt64)
        case close
    }

    /// When an answer goes out.
    package enum Turn: Equatable {
        case now(closes: Bool)
        /// Answers to earlier requests come first: hold it until `nextHeld` names it.
        case later(closes: Bool)
    }

    private enum Reading: Equatable { case head, limit, body, request, ended }

    private let limits: HTTPLimits
    private var reading = Reading.head
    package private(set) var parser = RequestParser()
    /// A chunked body is decoded beside its head, which has to be kept for it.
    package private(set) var chunkedHead: [UInt8] = []
    package private(set) var chunkedBody: [UInt8] = []
    private var decoder = ChunkDecoder()
    private var bodyLimitBytes = 0
    private var isContinueDue = false
    private var usedBytes = 0

    /// The first request whose answer has not gone out, and the number of the next request.
    private var firstNumber: UInt64 = 0
    private var nextNumber: UInt64 = 0
    /// Which requests from `firstNumber` on are answered: one bit for each number modulo 32.
    private var answeredBits: UInt32 = 0
    /// The newest request is the connection's last.
    private var isLast = false

    private var idleSince: LoopInstant
    private var headDeadline: LoopInstant?
    private var bodyDeadline: LoopInstant?
    private var writeDeadline: LoopInstant?

    package init(limits: HTTPLimits, now: LoopInstant) {
        self.limits = limits
        idleSince = now
    }

    // MARK: Reading

    /// - Parameter input: everything received and not used, from the first byte of the request that is being read.
    package mutating func advance(_ input: UnsafeRawBufferPointer, now: LoopInstant) -> Action {
        switch reading {
        case .head: return unsafe advanceHead(input, now)
        case .body: return unsafe advanceBody(input, now)
        case .ended:
            // Nothing after the last request is looked at.
            usedBytes = input.count
            return .wait
        case .limit: preconditionFailure("a head was not followed by allowBody")
        case .request: preconditionFailure("a request was not followed by finishRequest")
        }
    }

    private mutating func advanceHead(_ input: UnsafeRawBufferPointer, _ now: LoopInstant) -> Action {
        guard !pausesReading, unsafe !input.isEmpty else { return .wait }
        switch unsafe parser.parse(input) {
        case .incomplete:
            if headDeadline == nil { headDeadline = now + limits.headTimeout }
            return .wait
        case .refused(let failure):
            return refuse(failure)
        case .complete:
            headDeadline = nil
            reading = .limit
            return .head
        }
    }

    /// How many bytes of content the route takes for the request whose head is complete.
    package mutating func allowBody(limitBytes: Int) {
        precondition(reading == .limit, "allowBody without a head")
        bodyLimitBytes = limitBytes
        isContinueDue = parser.head.expectsContinue && parser.head.framing != .none
        reading = .body
    }

    /// The route refuses the request by its head: reading ends, and none of its content is kept.
    /// - Returns: the number under which it is answered.
    package mutating func refuseBody() -> UInt64 {
        precondition(reading == .limit, "refuseBody without a head")
        return end()
    }

    /// There is no room for what arrives: reading ends.
    /// - Returns: the number under which that is answered; nil when reading has ended before.
    package mutating func abandonRequest() -> UInt64? {
        guard reading == .head || reading == .body else { return nil }
        return end()
    }

    /// Bytes of a chunked request that are kept.
    package var keptBytes: Int { chunkedHead.count + chunkedBody.count }

    private mutating func advanceBody(_ input: UnsafeRawBufferPointer, _ now: LoopInstant) -> Action {
        let headBytes = parser.head.byteCount
        switch parser.head.framing {
        case .none, .untilClose:
            return request()
        case .length(let length):
            guard length <= bodyLimitBytes else { return refuse(Self.bodyTooLarge) }
            if input.count >= headBytes + length { return request() }
            if input.count > headBytes { isContinueDue = false }
        case .chunked:
            if let action = unsafe decode(input) { return action }
        }
        if bodyDeadline == nil { bodyDeadline = now + limits.bodyTimeout }
        // An interim response must not overtake the answers to earlier requests.
        guard isContinueDue, inFlight == 0 else { return .wait }
        isContinueDue = false
        return .sendContinue
    }

    /// Decodes what has come of a chunked body; nil when more is needed.
    private mutating func decode(_ input: UnsafeRawBufferPointer) -> Action? {
        var position = usedBytes
        if chunkedHead.isEmpty {
            position = parser.head.byteCount
            unsafe chunkedHead = [UInt8](input[..<position])
        }
        if input.count > position { isContinueDue = false }
        while true {
            let event = unsafe decoder.next(input, at: &position)
            usedBytes = position
            switch event {
            case .data(let range):
                guard chunkedBody.count + range.count <= bodyLimitBytes else { return refuse(Self.bodyTooLarge) }
                unsafe chunkedBody.append(contentsOf: input[range])
            case .incomplete: return nil
            case .done: return request()
            case .malformed: return refuse(RequestFailure(.badRequest, "a malformed chunk or trailer"))
            }
        }
    }

    /// Bytes at the front of the input that are not needed any more; to be dropped before the next `advance`.
    package mutating func takeUsed() -> Int {
        defer { usedBytes = 0 }
        return usedBytes
    }

    /// Whether the request whose head is complete has content, which may not have come yet.
    package var hasContent: Bool { parser.head.framing != .none }

    /// Whether the request that is being answered has its parts in `chunkedHead` and `chunkedBody`, not in the input.
    package var isChunked: Bool { parser.head.framing == .chunked }

    private mutating func request() -> Action {
        bodyDeadline = nil
        reading = .request
        if parser.head.closes { isLast = true }
        return .respond(number: takeNumber())
    }

    /// The route has seen the request; its bytes are used.
    package mutating func finishRequest() {
        precondition(reading == .request, "finishRequest without a request")
        switch parser.head.framing {
        case .none, .untilClose: usedBytes = parser.head.byteCount
        case .length(let length): usedBytes = parser.head.byteCount + length
        case .chunked:
            chunkedHead.removeAll()
            chunkedBody.removeAll()
            decoder = ChunkDecoder()
        }
        parser.reset()
        reading = isLast ? .ended : .head
    }

    private mutating func refuse(_ failure: RequestFailure) -> Action {
        .refuse(failure, number: end())
    }

    /// Ends reading with one more number, for the answer that says why.
    private mutating func end() -> UInt64 {
        endReading()
        usedBytes = 0
        chunkedHead.removeAll()
        chunkedBody.removeAll()
        return takeNumber()
    }

    private static var bodyTooLarge: RequestFailure {
        RequestFailure(.contentTooLarge, "the content is longer than this resource takes")
    }

    // MARK: Answers

    private mutating func takeNumber() -> UInt64 {
        defer { nextNumber += 1 }
        return nextNumber
    }

    /// Requests whose answers have not gone out.
    package var inFlight: Int { Int(nextNumber - firstNumber) }

    /// A request is answered. To answer one twice is a bug.
    package mutating func answered(_ number: UInt64, now: LoopInstant) -> Turn {
        precondition(
            number >= firstNumber && number < nextNumber && answeredBits & bit(number) == 0,
            "a request was answered twice")
        let closes = isLast && number == nextNumber - 1
        guard number == firstNumber else {
            answeredBits |= bit(number)
            return .later(closes: closes)
        }
        firstNumber += 1
        idleSince = now
        return .now(closes: closes)
    }

    /// A response begins that has no length and goes on until ``answered(_:now:)`` ends it: the connection's last, so
    /// that nothing after its request is read.
    ///
    /// - Returns: false while answers to other requests are due, which would wait behind it.
    package mutating func streams(_ number: UInt64) -> Bool {
        guard number == firstNumber, inFlight == 1 else { return false }
        endReading()
        return true
    }

    /// The next answer that was held and whose turn has come; nil without one.
    package mutating func nextHeld() -> UInt64? {
        guard answeredBits & bit(firstNumber) != 0 else { return nil }
        answeredBits &= ~bit(firstNumber)
        defer { firstNumber += 1 }
        return firstNumber
    }

    private func bit(_ number: UInt64) -> UInt32 { 1 << UInt32(truncatingIfNeeded: number & 31) }

    // MARK: The connection

    /// Whether the socket is not to be read: enough is waiting.
    package var pausesReading: Bool { inFlight >= HTTPLimits.maxPipelined || writeDeadline != nil }

    /// Every answer has been given and no request can follow: flush and close.
    package var isFinished: Bool { reading == .ended && inFlight == 0 }

    /// The peer takes no more bytes for now.
    package mutating func writeStalled(now: LoopInstant) {
        if writeDeadline == nil { writeDeadline = now + limits.writeTimeout }
    }

    /// The peer has taken everything.
    package mutating func drained() { writeDeadline = nil }

    /// The peer ended its side, and `advance` has seen all that came before: what is unfinished stays so.
    package mutating func peerEnded() { endReading() }

    /// Answers what is in flight or has begun to arrive, and nothing after it.
    package mutating func drain() {
        let hasBegun = headDeadline != nil || reading == .limit || reading == .body
        if inFlight > 0 || !hasBegun { endReading() } else { isLast = true }
    }

    private mutating func endReading() {
        isLast = true
        headDeadline = nil
        bodyDeadline = nil
        // A request that its route is looking at right now ends in `finishRequest`.
        if reading != .request { reading = .ended }
    }

    /// When `deadlineReached` has to be called; nil when nothing is waited for but a route.
    package var deadline: LoopInstant? {
        var first = idleDeadline
        func consider(_ candidate: LoopInstant?) {
            if let candidate { first = first.map { min($0, candidate) } ?? candidate }
        }
        consider(headDeadline)
        consider(bodyDeadline)
        consider(writeDeadline)
        return first
    }

    private var idleDeadline: LoopInstant? {
        guard reading == .head, inFlight == 0, headDeadline == nil else { return nil }
        return idleSince + limits.idleTimeout
    }

    /// Time has passed.
    package mutating func deadlineReached(now: LoopInstant) -> DeadlineAction {
        if let writeDeadline, writeDeadline <= now { return .close }
        if let headDeadline, headDeadline <= now {
            return .refuse(RequestFailure(.requestTimeout, "the head of the request took too long"), number: end())
        }
        if let bodyDeadline, bodyDeadline <= now {
            return .refuse(RequestFailure(.requestTimeout, "the content of the request took too long"), number: end())
        }
        if let idleDeadline, idleDeadline <= now { return .close }
        return .none
    }
}
