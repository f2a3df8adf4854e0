import QuashLoop

@testable import QuashHTTP
@testable import QuashRedis

private let now = LoopInstant(nanoseconds: 1_000_000_000_000)

/// The requests that a connection sees, and how it ends, do not depend on how the bytes are cut.
func fuzzHTTPRequest(_ bytes: [UInt8]) throws(BrokenProperty) {
    try Splits(bytes).requireSame { pieces in
        var trace = RequestTrace()
        for piece in pieces { trace.receive(piece) }
        return trace.events
    }
}

/// Drives a `ConnectionMachine` whose route answers at once.
private struct RequestTrace: ~Copyable {
    private(set) var events: [String] = []
    private var machine = ConnectionMachine(limits: HTTPLimits(), now: now)
    private var input: [UInt8] = []

    private static let maxBodyBytes = 4096

    mutating func receive(_ piece: ArraySlice<UInt8>) {
        input += piece
        while true {
            let action = unsafe input.withUnsafeBytes { unsafe machine.advance($0, now: now) }
            switch action {
            case .wait:
                input.removeFirst(machine.takeUsed())
                return
            case .head:
                machine.allowBody(limitBytes: Self.maxBodyBytes)
            case .sendContinue:
                // Whether the body has begun to arrive when the head is complete is a matter of the cut.
                break
            case .respond(let number):
                noteRequest()
                machine.finishRequest()
                answer(number)
            case .refuse(let failure, let number):
                events.append("\(failure.status.code) \(failure.reason)")
                answer(number)
            }
            input.removeFirst(machine.takeUsed())
        }
    }

    private mutating func answer(_ number: UInt64) {
        guard case .now(let closes) = machine.answered(number, now: now) else {
            preconditionFailure("an answer had to wait, and none was outstanding")
        }
        if closes { events.append("close") }
    }

    private mutating func noteRequest() {
        let head = machine.parser.head
        let isChunked = machine.isChunked
        let bytes = isChunked ? machine.chunkedHead : input
        func text(_ slice: Slice) -> String { String(decoding: bytes[slice.range], as: UTF8.self) }
        var words = [text(head.methodName), text(head.path), head.query.map(text) ?? "-", text(head.authority)]
        for index in 0..<machine.parser.fields.count {
            let field = machine.parser.fields[index]
            words.append("\(text(field.name))=\(text(field.value))")
        }
        if isChunked {
            words.append("chunked \(machine.chunkedBody)")
        } else if case .length(let length) = head.framing {
            words.append("\(input[head.byteCount..<head.byteCount + length])")
        }
        events.append(words.joined(separator: " "))
    }
}

/// The response that a client sees, or that it sees none, does not depend on how the bytes are cut.
func fuzzHTTPResponse(_ bytes: [UInt8]) throws(BrokenProperty) {
    for method in [HTTPMethod.get, .head] {
        try Splits(bytes).requireSame { pieces in
            var parser = ResponseParser(requestMethod: method, maxBodyBytes: 4096)
            for piece in pieces {
                let outcome = unsafe piece.withUnsafeBytes { unsafe parser.receive($0) }
                if let text = description(outcome) { return text }
            }
            return description(parser.end()) ?? "incomplete"
        }
    }
}

/// nil while more is needed.
private func description(_ outcome: ResponseParser.Outcome) -> String? {
    switch outcome {
    case .incomplete: nil
    case .complete(let response): "\(response.status.code) \(response.fields) \(response.body)"
    case .malformed(let reason): "malformed: \(reason)"
    case .tooLarge: "too large"
    }
}

/// The replies that a Redis connection sees, and whether it breaks, do not depend on how the bytes are cut.
func fuzzRedisReply(_ bytes: [UInt8]) throws(BrokenProperty) {
    try Splits(bytes).requireSame { pieces in
        var reader = RESPReader()
        var events: [String] = []
        do throws(RedisError) {
            for piece in pieces {
                // ArraySlice.withUnsafeBytes hands typed errors on as any error.
                try unsafe piece.span.withUnsafeBytes { bytes throws(RedisError) in try unsafe reader.feed(bytes) }
                while let value = try reader.next() { events.append("\(value)") }
            }
        } catch {
            // Which rule a malformed stream breaks first is a matter of the cut.
            events.append("\(error.code)")
        }
        return events
    }
}
