import QuashLoop

/// Drives a `ConnectionMachine` with a connection's events: a short way from a read to the route and back to a write.
final class ServerConnection: ConnectionDelegate {
    /// Nil once the connection is closed: an exchange that outlives its client keeps nothing else alive.
    private var server: HTTPServer?

    var isClosed: Bool { server == nil }
    var loop: Loop { connection.loop }
    var peer: String { connection.peer }

    private let connection: Connection
    private var machine: ConnectionMachine
    private var input = InputBuffer()
    /// Answers whose turn has come, written together when the bytes at hand are used up.
    private var output: [UInt8] = []
    /// Answers that wait for earlier ones.
    private var held: [UInt64: [UInt8]] = [:]
    private var isProcessing = false
    private var isEnding = false
    /// What came waits for a later turn of the loop: this connection or its server has had its share of this one.
    private var isPostponed = false
    /// The peer has ended its side meanwhile.
    private var isEndDue = false
    /// The server drains meanwhile.
    private var isDrainDue = false
    /// What was taken from the server's budget of buffers.
    private var keptBytes = 0
    private var stream: HTTPStream?
    private var timer: Timer?
    private var timerDue: LoopInstant?

    init(_ connection: Connection, server: HTTPServer) {
        self.connection = connection
        self.server = server
        machine = ConnectionMachine(limits: server.limits, now: server.loop.now)
    }

    // MARK: Events

    func connectionOpened(_ connection: Connection) { armTimer() }

    func connection(_ connection: Connection, received bytes: UnsafeRawBufferPointer) {
        unsafe input.beginRead(bytes)
        process()
        input.endRead()
        account()
    }

    func connectionDrained(_ connection: Connection) {
        machine.drained()
        process()
    }

    func connectionReachedEnd(_ connection: Connection) {
        process()
        if isPostponed { isEndDue = true } else { peerEnded() }
    }

    private func peerEnded() {
        machine.peerEnded()
        // Whoever follows a stream and ends its side follows it no longer.
        if stream != nil { connection.close() }
        settle()
    }

    func connectionClosed(_ connection: Connection, because reason: LoopError?) {
        timer?.close()
        held.removeAll()
        let stream = stream
        self.stream = nil
        stream?.didClose()
        // An exchange that is still to be answered may keep this alive.
        input = InputBuffer()
        output = []
        _ = server?.buffers.replace(keptBytes, with: 0)
        keptBytes = 0
        server?.connectionClosed(self)
        server = nil
    }

    /// What has arrived is answered, also what waits for a later turn.
    func drain() {
        guard !isPostponed else {
            isDrainDue = true
            return
        }
        machine.drain()
        stream?.end()
        if !isProcessing { settle() }
    }

    func close() { connection.close() }

    // MARK: Requests

    /// Takes requests out of the input, gives them to the responder, and writes the answers that came meanwhile. What
    /// is more than this turn's share is postponed.
    private func process() {
        guard let server, !isPostponed else { return }
        isProcessing = true
        let now = loop.now
        var isWaiting = false
        var left = server.limits.maxRequestsAtOnce
        var isBetween = true
        while !isWaiting {
            if isBetween, !input.isEmpty, !machine.pausesReading {
                guard left > 0, server.takesRequest() else {
                    isPostponed = true
                    server.postpone(self)
                    break
                }
                left -= 1
                isBetween = false
            }
            let view = input.view
            switch unsafe view.withBytes({ unsafe machine.advance($0, now: now) }) {
            case .wait:
                isWaiting = true
            case .head:
                begin(view, server)
            case .sendContinue:
                output += Self.continueResponse
            case .respond(let number):
                let exchange = HTTPExchange(self, number: number, isHead: machine.parser.head.method == .head)
                withRequest(view) { server.responder.respond(to: $0, exchange) }
                machine.finishRequest()
                isBetween = true
            case .refuse(let failure, let number):
                refuse(failure, number)
            }
            input.use(machine.takeUsed())
            // Another look would find nothing.
            if isBetween, input.isEmpty { break }
        }
        isProcessing = false
        settle()
    }

    /// A later turn has come.
    func resume() {
        isPostponed = false
        process()
        guard !isClosed else { return }
        input.compact()
        account()
        guard !isPostponed else { return }
        if isDrainDue { drain() }
        if isEndDue { peerEnded() }
    }

    /// A head is complete: asks the route whether it takes the content, and how much, if there is any.
    private func begin(_ view: borrowing InputBuffer.View, _ server: HTTPServer) {
        guard machine.hasContent else { return machine.allowBody(limitBytes: 0) }
        var refusal: PreparedResponse?
        var limitBytes = 0
        withRequest(view) { request in
            refusal = server.responder.refusal(of: request, from: { peer })
            if refusal == nil { limitBytes = server.responder.bodyLimitBytes(for: request) }
        }
        guard let refusal else { return machine.allowBody(limitBytes: limitBytes) }
        answer(machine.refuseBody(), refusal, extraFields: nil, withoutBody: false)
    }

    /// Takes what is kept until the next read from the server's budget; without room for it the request is refused, and
    /// what came of it is dropped.
    private func account() {
        guard let server else { return }
        let bytes = input.keptBytes + machine.keptBytes
        guard bytes != keptBytes else { return }
        if server.buffers.replace(keptBytes, with: bytes) {
            keptBytes = bytes
            return
        }
        input = InputBuffer()
        _ = server.buffers.replace(keptBytes, with: 0)
        keptBytes = 0
        guard let number = machine.abandonRequest() else { return }
        server.buffers.noteRefusal()
        refuse(RequestFailure(.serviceUnavailable, "too much is being received: try again in a second"), number)
    }

    /// Calls `body` with the request whose head, at least, is complete.
    ///
    /// SAFETY: the bytes are those of `view`, which does not change, or of arrays held here; the fields change only in
    /// `finishRequest`, which comes after this, and this object outlives the call, which comes from its connection.
    private func withRequest(_ view: borrowing InputBuffer.View, _ body: (borrowing HTTPRequest) -> Void) {
        let head = machine.parser.head
        let fields = unsafe machine.parser.fields.unsafeSpan
        if machine.isChunked, !machine.chunkedHead.isEmpty {
            let headBytes = machine.chunkedHead
            let content = machine.chunkedBody
            unsafe body(HTTPRequest(bytes: headBytes.span.bytes, fields: fields, head: head, body: content.span.bytes))
            return
        }
        unsafe view.withBytes { bytes in
            let span = unsafe RawSpan(_unsafeBytes: bytes)
            var content = 0
            if case .length(let length) = head.framing, head.byteCount + length <= bytes.count { content = length }
            body(
                HTTPRequest(
                    bytes: span, fields: fields, head: head,
                    body: span.extracting(head.byteCount..<head.byteCount + content)))
        }
    }

    private func refuse(_ failure: RequestFailure, _ number: UInt64) {
        var fields: FieldLines = ["Content-Type": "text/plain; charset=utf-8"]
        if failure.status == .serviceUnavailable { fields.append("Retry-After", "1") }
        let response = PreparedResponse(failure.status, fields: fields, body: Array("\(failure.reason)\n".utf8))
        answer(number, response, extraFields: nil, withoutBody: false)
    }

    // MARK: Answers

    func answer(_ number: UInt64, _ response: PreparedResponse, extraFields: FieldLines?, withoutBody: Bool) {
        guard let server else { return }
        switch machine.answered(number, now: loop.now) {
        case .now(let closes):
            response.append(
                to: &output, date: &server.date, extraFields: extraFields, closes: closes, withoutBody: withoutBody)
            while let next = machine.nextHeld() { output += held.removeValue(forKey: next) ?? [] }
            // The socket may have been paused, and requests may be waiting in the input.
            if !isProcessing { process() }
        case .later(let closes):
            var bytes: [UInt8] = []
            response.append(
                to: &bytes, date: &server.date, extraFields: extraFields, closes: closes, withoutBody: withoutBody)
            held[number] = bytes
        }
    }

    // MARK: Streams

    /// Begins a response that goes on; nil when answers to other requests are due, or nobody is there.
    func beginStream(_ number: UInt64, fields: FieldLines) -> HTTPStream? {
        guard let server, machine.streams(number) else { return nil }
        output += Array("HTTP/1.1 200 OK\r\n".utf8) + fields.bytes + Array("Date: ".utf8)
        server.date.append(to: &output)
        output += Array("Connection: close\r\n\r\n".utf8)
        let stream = HTTPStream(self, number: number)
        self.stream = stream
        if !isProcessing { settle() }
        return stream
    }

    /// Adds to the response that goes on; false when the peer has not read what was sent before.
    func send(_ bytes: [UInt8]) -> Bool {
        guard !isClosed, !isEnding, connection.queuedBytes == 0 else { return false }
        output += bytes
        if !isProcessing { settle() }
        return true
    }

    func endStream(_ number: UInt64) {
        guard stream != nil else { return }
        let ended = stream
        stream = nil
        _ = machine.answered(number, now: loop.now)
        ended?.didClose()
        if !isProcessing { settle() }
    }

    /// Writes what is ready and sets the connection to what the machine wants.
    private func settle() {
        guard let server, !isEnding else { return }
        if !output.isEmpty {
            if !connection.write(output) { machine.writeStalled(now: loop.now) }
            let isLarge = output.capacity > HTTPLimits.maxKeptOutputBytes
            output.removeAll(keepingCapacity: !isLarge)
        }
        if machine.isFinished {
            isEnding = true
            timer?.close()
            let isWritten = connection.queuedBytes == 0
            connection.closeAfterFlush(
                deadline: isWritten ? server.limits.lingerTimeout : server.limits.writeTimeout)
            return
        }
        if machine.pausesReading || isPostponed { connection.pauseReading() } else { connection.resumeReading() }
        armTimer()
    }

    // MARK: Deadlines

    /// The timer is set anew only when a deadline comes before it; when it fires too early, it is set again. So a
    /// request that is answered at once costs no call of the timer.
    private func armTimer() {
        guard !isClosed, let deadline = machine.deadline else { return }
        if let timerDue, timerDue <= deadline { return }
        let timer = timer ?? Timer(on: loop) { [unowned self] in timerFired() }
        self.timer = timer
        timerDue = deadline
        timer.start(after: deadline - loop.now)
    }

    private func timerFired() {
        timerDue = nil
        switch machine.deadlineReached(now: loop.now) {
        case .none:
            armTimer()
        case .refuse(let failure, let number):
            refuse(failure, number)
        case .close:
            connection.close(because: LoopError(.timedOut, "the client kept the connection open without a request"))
        }
    }

    private static let continueResponse = Array("HTTP/1.1 100 Continue\r\n\r\n".utf8)
}
