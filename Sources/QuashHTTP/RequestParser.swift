/// Reads the head of one HTTP/1 request, fed with any split of its bytes.
///
/// Overview: RFC 9112, strict where a second reader of the same bytes, such as the gateway in front, could see another
/// request: there is one way to end a line, one to frame a body, one host. What is refused is answered and the
/// connection closes; nothing after it is read.
///
/// States: request line → fields → done. `parse` is called with all bytes since the first of the request; it goes on
/// where it stopped.
package struct RequestParser: ~Copyable {
    /// What the bytes so far make.
    package enum Outcome: Equatable {
        /// More bytes are needed.
        case incomplete
        /// `head` and `fields` are complete.
        case complete
        case refused(RequestFailure)
    }

    private enum State { case start, requestLine, fields, done }

    private var state = State.start
    private var lines = LineReader()
    private var fieldsStart = 0
    private var facts = FieldFacts()
    private(set) var head = RequestHead()
    private(set) var fields = FieldTable()

    package init() {}

    /// Makes ready for the next request.
    mutating func reset() {
        state = .start
        lines = LineReader()
        facts = FieldFacts()
        head = RequestHead()
        fields.removeAll()
    }

    /// - Parameter bytes: from the first byte of the request; at each call what the last one had, and more.
    package mutating func parse(_ bytes: UnsafeRawBufferPointer) -> Outcome {
        do throws(RequestFailure) {
            return try unsafe advance(bytes) ? .complete : .incomplete
        } catch {
            return .refused(error)
        }
    }

    private mutating func advance(_ bytes: UnsafeRawBufferPointer) throws(RequestFailure) -> Bool {
        if state == .start {
            guard try unsafe skipEmptyLine(bytes) else { return false }
            state = .requestLine
        }
        if state == .requestLine {
            let start = lines.position
            let outcome = unsafe lines.next(in: bytes, allowsTab: false)
            switch outcome {
            case .malformed:
                throw RequestFailure(.badRequest, "a control character in the request line")
            case .incomplete:
                // One more for the CR, whose LF has not come.
                guard bytes.count - start <= HTTPLimits.maxStartLineBytes + 1 else { throw Self.startLineTooLong }
                return false
            case .line(let line):
                guard line.count <= HTTPLimits.maxStartLineBytes else { throw Self.startLineTooLong }
                try unsafe readRequestLine(line, bytes)
                fieldsStart = lines.position
                state = .fields
            }
        }
        precondition(state == .fields, "a complete head was parsed again")
        while true {
            let outcome = unsafe lines.next(in: bytes, allowsTab: true)
            let end = outcome == .incomplete ? bytes.count : lines.position
            guard end - fieldsStart <= HTTPLimits.maxFieldsBytes else {
                throw RequestFailure(.headerFieldsTooLarge, "the header fields are longer than 16384 bytes")
            }
            switch outcome {
            case .malformed:
                throw RequestFailure(.badRequest, "a control character in a header field")
            case .incomplete:
                return false
            case .line(let line):
                if line.isEmpty {
                    try unsafe finish(bytes)
                    return true
                }
                try unsafe readField(line, bytes)
            }
        }
    }

    private static var startLineTooLong: RequestFailure {
        RequestFailure(.uriTooLong, "the request line is longer than 8192 bytes")
    }

    /// RFC 9112 §2.2: an empty line before a request line is ignored; one is enough.
    private mutating func skipEmptyLine(_ bytes: UnsafeRawBufferPointer) throws(RequestFailure) -> Bool {
        guard unsafe bytes.first == 0x0D else { return unsafe !bytes.isEmpty }
        guard bytes.count >= 2 else { return false }
        guard unsafe bytes[1] == 0x0A else {
            throw RequestFailure(.badRequest, "a control character in the request line")
        }
        guard bytes.count > 2 else { return false }
        lines = LineReader(at: 2)
        return true
    }

    /// RFC 9112 §3: method SP request-target SP HTTP-version.
    private mutating func readRequestLine(_ line: Range<Int>, _ bytes: UnsafeRawBufferPointer) throws(RequestFailure) {
        guard let afterMethod = unsafe FieldSyntax.first(0x20, in: bytes, line),
            let afterTarget = unsafe FieldSyntax.first(0x20, in: bytes, afterMethod + 1..<line.upperBound)
        else { throw RequestFailure(.badRequest, "a request line that is not method, target and version") }
        let method = line.lowerBound..<afterMethod
        guard method.count <= HTTPLimits.maxMethodBytes else {
            throw RequestFailure(.notImplemented, "a method longer than 32 bytes")
        }
        guard !method.isEmpty, method.allSatisfy({ unsafe FieldSyntax.isToken(bytes[$0]) }) else {
            throw RequestFailure(.badRequest, "a method that is not a token")
        }
        head.methodName = Slice(method)
        head.method = unsafe HTTPMethod(in: bytes, method)
        head.minorVersion = try unsafe Self.minorVersion(afterTarget + 1..<line.upperBound, bytes)
        let target = try unsafe RequestTarget(afterMethod + 1..<afterTarget, in: bytes, method: head.method)
        head.path = target.path
        head.query = target.query
        if let authority = target.authority {
            head.authority = authority
            facts.isAuthorityInTarget = true
        }
    }

    /// RFC 9112 §2.3: "HTTP/" DIGIT "." DIGIT. 1.0 and 1.1 are spoken here.
    private static func minorVersion(_ range: Range<Int>, _ bytes: UnsafeRawBufferPointer) throws(RequestFailure)
        -> UInt8
    {
        let version = unsafe UnsafeRawBufferPointer(rebasing: bytes[range])
        guard version.count == 8, unsafe FieldSyntax.matches("HTTP/", in: version, 0..<5),
            unsafe FieldSyntax.isDigit(version[5]), unsafe version[6] == 0x2E,
            unsafe FieldSyntax.isDigit(version[7])
        else { throw RequestFailure(.badRequest, "a request line that does not end with an HTTP version") }
        guard unsafe version[5] == 0x31, unsafe version[7] <= 0x31 else {
            throw RequestFailure(.versionNotSupported, "only HTTP/1.1 and HTTP/1.0 are spoken here")
        }
        return unsafe version[7] - 0x30
    }

    private mutating func readField(_ line: Range<Int>, _ bytes: UnsafeRawBufferPointer) throws(RequestFailure) {
        let field: FieldSlice
        do throws(FieldTable.Failure) {
            field = try unsafe fields.append(line: line, of: bytes)
        } catch {
            switch error {
            case .tooMany: throw RequestFailure(.headerFieldsTooLarge, "more than 64 header fields")
            case .malformed: throw RequestFailure(.badRequest, "a malformed header field")
            }
        }
        try unsafe facts.note(field, in: bytes)
    }

    /// The rules that need the whole head.
    private mutating func finish(_ bytes: UnsafeRawBufferPointer) throws(RequestFailure) {
        let isOld = head.minorVersion == 0
        // RFC 9112 §3.2; before 1.1 the field was optional, and simple health checks leave it out.
        guard facts.hostCount == 1 || (isOld && facts.hostCount == 0) else {
            throw RequestFailure(.badRequest, "not exactly one Host field")
        }
        if facts.hostCount == 1 {
            guard unsafe RequestTarget.isAuthority(facts.host.range, in: bytes) else {
                throw RequestFailure(.badRequest, "a malformed Host field")
            }
            // RFC 9112 §3.2.2: the host of an absolute target counts, whatever the field says.
            if !facts.isAuthorityInTarget { head.authority = facts.host }
        }
        head.framing = try facts.framing(isOld: isOld)
        head.expectsContinue = facts.expectsContinue && !isOld
        // Persistence in 1.0 was an extension that proxies got wrong (RFC 9112 appendix C.2.2): one request, then
        // close.
        head.closes = facts.closes || isOld
        head.byteCount = lines.position
        state = .done
    }
}
