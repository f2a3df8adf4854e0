/// Reads one HTTP/1 response, fed with any split of its bytes (RFC 9112 §4, §6.3), as strictly as requests are read.
///
/// States: status line → fields → body → done. Interim responses (1xx) are read over.
package struct ResponseParser: ~Copyable {
    /// What the bytes so far make.
    package enum Outcome {
        case incomplete
        case complete(HTTPResponse)
        case malformed(StaticString)
        /// The body is longer than allowed.
        case tooLarge
    }

    private enum State { case statusLine, fields, body, done }

    private let requestMethod: HTTPMethod
    private let maxBodyBytes: Int
    private var hasEnded = false
    private var state = State.statusLine
    /// What has come and is not used: the head until it is complete, then undecoded content.
    private var bytes: [UInt8] = []
    private var lines = LineReader()
    private var fieldsStart = 0
    private var table = FieldTable()
    private var facts = FieldFacts()
    private var minorVersion: UInt8 = 1
    private var status = HTTPStatus.ok
    private var interimCount = 0
    private var fields: [(name: String, value: String)] = []
    private var framing = BodyFraming.none
    private var decoder = ChunkDecoder()
    private var body: [UInt8] = []

    /// - Parameters:
    ///   - requestMethod: the response to HEAD has no content, whatever it says of its length.
    ///   - maxBodyBytes: of content, decoded.
    package init(requestMethod: HTTPMethod, maxBodyBytes: Int) {
        self.requestMethod = requestMethod
        self.maxBodyBytes = maxBodyBytes
    }

    /// Takes what the connection gave. After an outcome other than `.incomplete` nothing more is to be fed.
    package mutating func receive(_ newBytes: UnsafeRawBufferPointer) -> Outcome {
        unsafe bytes.append(contentsOf: newBytes)
        return advance()
    }

    /// The peer ended the connection, in the regular way.
    package mutating func end() -> Outcome {
        hasEnded = true
        let outcome = advance()
        if case .incomplete = outcome { return .malformed("the response ended early") }
        return outcome
    }

    private mutating func advance() -> Outcome {
        while state != .body {
            precondition(state != .done, "a response that was complete was fed more")
            if let outcome = readLine() { return outcome }
        }
        return readBody()
    }

    /// One line of the head; nil when there may be another, or the body.
    private mutating func readLine() -> Outcome? {
        // The array stays where it is: it is only read here.
        let bytes = bytes
        return unsafe bytes.withUnsafeBytes { bytes in
            let isStatusLine = state == .statusLine
            let start = isStatusLine ? lines.position : fieldsStart
            let limit = isStatusLine ? HTTPLimits.maxStartLineBytes : HTTPLimits.maxFieldsBytes
            let outcome = unsafe lines.next(in: bytes, allowsTab: !isStatusLine)
            let end = outcome == .incomplete ? bytes.count : lines.position
            guard end - start <= limit + 2 else { return .malformed("the head of the response is too long") }
            switch outcome {
            case .incomplete: return .incomplete
            case .malformed: return .malformed("a control character in the head of the response")
            case .line(let line):
                if isStatusLine { return unsafe readStatusLine(line, bytes) }
                return unsafe line.isEmpty ? finishHead() : readField(line, bytes)
            }
        }
    }

    /// RFC 9112 §4: "HTTP/1." DIGIT SP 3DIGIT [SP reason]. The last space is often left out with the reason.
    private mutating func readStatusLine(_ line: Range<Int>, _ bytes: UnsafeRawBufferPointer) -> Outcome? {
        let text = unsafe UnsafeRawBufferPointer(rebasing: bytes[line])
        guard text.count >= 12, unsafe FieldSyntax.matches("HTTP/1.", in: text, 0..<7),
            unsafe FieldSyntax.isDigit(text[7]), unsafe text[8] == 0x20,
            unsafe text[9...11].allSatisfy(FieldSyntax.isDigit), unsafe text.count == 12 || text[12] == 0x20
        else { return .malformed("a status line that is not one of HTTP/1") }
        let code = unsafe text[9...11].reduce(0) { $0 * 10 + Int($1 - 0x30) }
        guard (100...599).contains(code), code != 101 else { return .malformed("an unexpected status code") }
        status = HTTPStatus(code)
        minorVersion = unsafe text[7] - 0x30
        facts = FieldFacts()
        table.removeAll()
        fields.removeAll()
        fieldsStart = lines.position
        state = .fields
        return nil
    }

    private mutating func readField(_ line: Range<Int>, _ bytes: UnsafeRawBufferPointer) -> Outcome? {
        // Offsets of fields have 16 bits: they count from the line.
        let text = unsafe UnsafeRawBufferPointer(rebasing: bytes[line])
        guard let field = unsafe try? table.append(line: 0..<text.count, of: text) else {
            return .malformed("a malformed header field, or too many")
        }
        do throws(RequestFailure) {
            try unsafe facts.note(field, in: text)
        } catch {
            return .malformed(error.reason)
        }
        let name = unsafe String(decoding: text[field.name.range], as: UTF8.self)
        let value = unsafe String(decoding: text[field.value.range], as: UTF8.self)
        fields.append((name, value))
        return nil
    }

    private mutating func finishHead() -> Outcome? {
        if status.code < 200 {
            interimCount += 1
            guard interimCount <= HTTPLimits.maxInterimResponses else {
                return .malformed("too many interim responses")
            }
            state = .statusLine
            return nil
        }
        if requestMethod == .head || status.hasNoContent {
            framing = .none
        } else {
            do throws(RequestFailure) {
                framing = try facts.responseFraming(isOld: minorVersion == 0)
            } catch {
                return .malformed(error.reason)
            }
        }
        bytes.removeFirst(lines.position)
        state = .body
        return nil
    }

    private mutating func readBody() -> Outcome {
        switch framing {
        case .none:
            return complete()
        case .length(let length):
            guard length <= maxBodyBytes else { return .tooLarge }
            if bytes.count >= length {
                body = Array(bytes[..<length])
                return complete()
            }
        case .untilClose:
            guard bytes.count <= maxBodyBytes else { return .tooLarge }
            if hasEnded {
                body = bytes
                return complete()
            }
        case .chunked:
            if let outcome = decode() { return outcome }
        }
        return .incomplete
    }

    /// Decodes what has come; nil when more is needed.
    private mutating func decode() -> Outcome? {
        var position = 0
        let input = bytes
        return unsafe input.withUnsafeBytes { input in
            while true {
                switch unsafe decoder.next(input, at: &position) {
                case .data(let range):
                    guard body.count + range.count <= maxBodyBytes else { return .tooLarge }
                    unsafe body.append(contentsOf: input[range])
                case .incomplete:
                    bytes.removeFirst(position)
                    return nil
                case .done:
                    return complete()
                case .malformed:
                    return .malformed("a malformed chunk or trailer")
                }
            }
        }
    }

    private mutating func complete() -> Outcome {
        state = .done
        return .complete(HTTPResponse(status: status, fields: fields, body: body))
    }
}
