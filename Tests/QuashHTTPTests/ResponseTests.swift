import Testing

@testable import QuashHTTP

@Suite struct FieldTests {
    @Test func controlCharactersAreFoundAtEveryPlaceOfEveryLength() {
        for length in 0..<40 {
            let plain = [UInt8](repeating: 0x80, count: length)
            #expect(unsafe plain.withUnsafeBytes { unsafe FieldSyntax.firstControl(in: $0, from: 0) } == length)
            for place in 0..<length {
                for control in [0x00, 0x09, 0x0D, 0x1F, 0x7F] as [UInt8] {
                    var bytes = (0..<length).map { [0x20, 0x7E, 0x80, 0xFF, 0x2C][$0 % 5] as UInt8 }
                    bytes[place] = control
                    for from in 0...place {
                        #expect(
                            unsafe bytes.withUnsafeBytes { unsafe FieldSyntax.firstControl(in: $0, from: from) }
                                == place)
                    }
                }
            }
        }
    }

    @Test func everyByteIsJudgedAsTheRulesForFieldValuesSay() {
        for byte in UInt8.min...UInt8.max {
            let isAllowed = byte == 0x09 || (byte >= 0x20 && byte != 0x7F)
            for bytes in [[0x61, byte, 0x61], [UInt8](repeating: 0x61, count: 20) + [byte, 0x61]] {
                #expect(unsafe bytes.withUnsafeBytes { unsafe isFieldValue($0) } == isAllowed, "\(byte)")
            }
        }
        #expect(isFieldValue(""))
        #expect(!isFieldValue(" a"))
        #expect(!isFieldValue("a\t"))
        #expect(!isFieldValue("a\r\nSet-Cookie: b"))
        #expect(isFieldValue("a\tb, \"c\""))
    }

    @Test func aFieldThatWouldSplitTheResponseIsABug() async {
        await #expect(processExitsWith: .failure) {
            var lines = FieldLines()
            lines.append("X", "a\r\nY: b")
        }
        await #expect(processExitsWith: .failure) {
            var lines = FieldLines()
            lines.append("X Y", "a")
        }
    }

    @Test func linesAreWrittenInTheirOrder() {
        var lines: FieldLines = ["B": "1", "A": ""]
        let value: [UInt8] = Array("bytes".utf8)
        unsafe lines.append("C", value.span.bytes)
        #expect(String(decoding: lines.bytes, as: UTF8.self) == "B: 1\r\nA: \r\nC: bytes\r\n")
    }

    @Test(arguments: [
        (0, "Thu, 01 Jan 1970 00:00:00 GMT"), (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
        (1_709_210_096, "Thu, 29 Feb 2024 12:34:56 GMT"), (4_102_444_799, "Thu, 31 Dec 2099 23:59:59 GMT"),
    ])
    func dates(seconds: Int, text: String) {
        #expect(HTTPDate.format(seconds) == text)
    }
}

@Suite struct PreparedResponseTests {
    private func text(
        _ response: PreparedResponse, extra: FieldLines? = nil, closes: Bool = false, withoutBody: Bool = false
    ) -> String {
        var output: [UInt8] = []
        var date = HTTPDate()
        response.append(to: &output, date: &date, extraFields: extra, closes: closes, withoutBody: withoutBody)
        let text = String(decoding: output, as: UTF8.self)
        guard let start = text.firstRange(of: "Date: ")?.upperBound else { return text }
        let end = text.index(start, offsetBy: 29)
        #expect(text[start..<end].hasSuffix(" GMT"))
        return text.replacingCharacters(start..<end)
    }

    @Test func isWholeInOnePiece() {
        let response = PreparedResponse(.ok, fields: ["Cache-Control": "no-store"], body: Array("hi".utf8))
        #expect(
            text(response)
                == "HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: 2\r\nDate: *\r\n\r\nhi")
        #expect(
            text(response, extra: ["X": "1"], closes: true)
                == "HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: 2\r\nDate: *\r\nX: 1\r\n"
                + "Connection: close\r\n\r\nhi")
    }

    @Test func anAnswerToHeadTellsTheLengthAndLeavesTheContentOut() {
        let response = PreparedResponse(.ok, body: Array("hi".utf8))
        #expect(text(response, withoutBody: true) == "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nDate: *\r\n\r\n")
    }

    @Test func statusesWithoutContentTellNoLength() {
        #expect(text(PreparedResponse(.noContent)) == "HTTP/1.1 204 No Content\r\nDate: *\r\n\r\n")
        #expect(text(PreparedResponse(HTTPStatus(599))) == "HTTP/1.1 599 \r\nContent-Length: 0\r\nDate: *\r\n\r\n")
    }
}

extension String {
    fileprivate func replacingCharacters(_ range: Range<String.Index>) -> String {
        self[..<range.lowerBound] + "*" + self[range.upperBound...]
    }
}

@Suite struct ResponseParserTests {
    private enum Result: Equatable {
        case response(Int, [String], String)
        case malformed
        case tooLarge
        case incomplete
    }

    private func parse(_ pieces: [ArraySlice<UInt8>], method: HTTPMethod, ends: Bool) -> Result {
        var parser = ResponseParser(requestMethod: method, maxBodyBytes: 10)
        func result(_ outcome: ResponseParser.Outcome) -> Result {
            switch outcome {
            case .incomplete: .incomplete
            case .malformed: .malformed
            case .tooLarge: .tooLarge
            case .complete(let response):
                .response(
                    response.status.code, response.fields.map { "\($0.name)=\($0.value)" },
                    String(decoding: response.body, as: UTF8.self))
            }
        }
        for piece in pieces {
            let outcome = result(unsafe piece.withUnsafeBytes { unsafe parser.receive($0) })
            if outcome != .incomplete { return outcome }
        }
        return ends ? result(parser.end()) : .incomplete
    }

    private func check(
        _ text: String, method: HTTPMethod = .get, ends: Bool = false, _ expected: Result,
        _ location: SourceLocation = #_sourceLocation
    ) {
        let bytes = Array(text.utf8)
        let single = parse(bytes.indices.map { bytes[$0...$0] }, method: method, ends: ends)
        #expect(single == expected, "byte by byte", sourceLocation: location)
        let step = max(1, bytes.count / 300)
        for cut in stride(from: 0, through: bytes.count, by: step) {
            let split = parse([bytes[..<cut], bytes[cut...]], method: method, ends: ends)
            #expect(split == expected, "cut at \(cut)", sourceLocation: location)
        }
    }

    private let head = "HTTP/1.1 200 OK\r\n"

    @Test func readsContentOfEveryFraming() {
        check(head + "Content-Length: 2\r\n\r\nhi", .response(200, ["Content-Length=2"], "hi"))
        check(head + "Content-Length: 0\r\n\r\n", .response(200, ["Content-Length=0"], ""))
        check(
            head + "transfer-encoding: chunked\r\n\r\n1\r\nh\r\n1;x\r\ni\r\n0\r\nT: 1\r\n\r\n",
            .response(200, ["transfer-encoding=chunked"], "hi"))
        check(head + "\r\nhi", ends: true, .response(200, [], "hi"))
        check(head + "\r\nhi", .incomplete)
        check("HTTP/1.0 404 Not Found\r\nX:  a \r\n\r\n", ends: true, .response(404, ["X=a"], ""))
        check("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", .response(200, ["Content-Length=0"], ""))
    }

    @Test func someResponsesHaveNoContentWhateverTheySay() {
        check(head + "Content-Length: 9\r\n\r\n", method: .head, .response(200, ["Content-Length=9"], ""))
        check("HTTP/1.1 204 No Content\r\n\r\n", .response(204, [], ""))
        check("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", .response(304, ["Content-Length=9"], ""))
    }

    @Test func interimResponsesAreReadOver() {
        let interim = "HTTP/1.1 100 Continue\r\nX: 1\r\n\r\n"
        check(interim + interim + head + "Content-Length: 0\r\n\r\n", .response(200, ["Content-Length=0"], ""))
        check(String(repeating: interim, count: 9) + head + "Content-Length: 0\r\n\r\n", .malformed)
        check("HTTP/1.1 101 Switching Protocols\r\n\r\n", .malformed)
    }

    @Test func limitsHold() {
        check(head + "Content-Length: 11\r\n\r\n", .tooLarge)
        check(head + "\r\n12345678901", .tooLarge)
        check(head + "Transfer-Encoding: chunked\r\n\r\n6\r\nabcdef\r\n5\r\nghijk\r\n0\r\n\r\n", .tooLarge)
        check(head + "X: " + String(repeating: "a", count: HTTPLimits.maxFieldsBytes), .malformed)
        check(head + String(repeating: "X: 1\r\n", count: 65) + "\r\n", .malformed)
        check("HTTP/1.1 200 " + String(repeating: "a", count: HTTPLimits.maxStartLineBytes), .malformed)
    }

    @Test(arguments: [
        "HTTP/2 200 OK\r\n\r\n", "HTTP/1.1 20 OK\r\n\r\n", "HTTP/1.1 2000 OK\r\n\r\n", "HTTP/1.1 600 OK\r\n\r\n",
        "HTTP/1.1  200 OK\r\n\r\n", "HTTP/1.1 200 OK\n\n", "http/1.1 200 OK\r\n\r\n", "nonsense\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX : 1\r\n\r\n", "HTTP/1.1 200 OK\r\nX: 1\r\n 2\r\n\r\n", "HTTP/1.1 200 OK\r\nX: \0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ])
    func refuses(text: String) { check(text, .malformed) }

    @Test(arguments: [
        "", "HTTP/1.1 2", "HTTP/1.1 200 OK\r\nX: 1\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n",
    ])
    func aResponseThatEndsEarlyIsMalformed(text: String) { check(text, ends: true, .malformed) }
}
