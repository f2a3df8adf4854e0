import QuashJSON
import Testing

/// RFC 8259, after the ideas of JSONTestSuite (nst/JSONTestSuite).
struct JSONScannerTests {
    @Test(arguments: [
        "null", "true", "false", "0", "-0", "1", "-1", "10", "1.5", "-0.25", "1e5", "1E+5", "1e-5",
        "123456789012345678901",
        #""""#, #""a""#, #""\"\\\/\b\f\n\r\t""#, #""\u0041\u00e9\ud83d\ude00""#, #""\uD83D\uDE00""#, #""\u0000""#,
        "\"é€😀\"", "\"\u{7f}\"", "\"\u{10FFFF}\"", "\"\u{2028}\"", "[]", "[ ]", "[1]", "[1,2]", "[[],[[]]]", "{}",
        "{ }",
        #"{"a":1}"#, #"{"a":1,"b":2}"#, #"{"":0}"#, #"{"a":{"a":{"a":[]}}}"#, #"[{"a":1},{"a":1}]"#,
        #"{"a":[{"a":1}]}"#,
        " \t\r\n{ \"a\" :\t[ 1 , 2 ]\r\n} \n", #"{"a":1,"A":2}"#, "{\"é\":1,\"e\u{301}\":2}",
    ])
    func validDocuments(text: String) throws {
        try scan(Array(text.utf8))
    }

    @Test(arguments: [
        "", " ", "nul", "nulll", "True", "TRUE", "NaN", "Infinity", "-Infinity", "undefined", "'a'", "a", "+1", "-",
        "01",
        "-01", "1.", ".5", "-.5", "1.e1", "1e", "1e+", "1E-", "0x10", "1_000", "1 2", "1,", "--1", "0e", "1.5.5", "１",
        #"""#, #""a"#, #""\"#, #""\"#, #""\x""#, #""\u12""#, #""\u12G4""#, #""\u""#, #""\U0041""#, #""\'""#,
        #""\ud800""#, #""\udc00""#, #""\ud800\u0041""#, #""\ud800\ud800""#, #""\ud83d\n""#, #""\ude00\ud83d""#,
        "\"\n\"", "\"\t\"", "\"\u{1}\"", "\"\u{0}\"", "[", "]", "[1", "[1,", "[1,]", "[,1]", "[1 2]", "[1,,2]", "[}",
        "[1}",
        "{", "}", "{]", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":1,", "{\"a\":1,}", "{,}", "{\"a\" 1}", "{a:1}",
        "{'a':1}",
        "{1:1}", "{\"a\":1 \"b\":2}", "{\"a\":1,,\"b\":2}", "{\"a\"::1}", "{\"a\":1]", "{null:1}", "[1]]", "{}{}",
        "{}x",
        "null,", "// c\n1", "/* c */1", "1//", "#1", "\u{FEFF}1", "\u{a0}1", "1\u{c}", "1\0", "[1\u{b}]", "{\"a\":}",
    ])
    func invalidDocuments(text: String) {
        #expect(throws: JSONError.self) { try scan(Array(text.utf8)) }
    }

    @Test(
        arguments: [
            [0x80], [0xBF], [0xC0, 0x80], [0xC1, 0xBF], [0xC2], [0xC2, 0x41], [0xE0, 0x80, 0x80], [0xE0, 0x9F, 0xBF],
            [0xE2, 0x82], [0xE2, 0x28, 0xA1], [0xE2, 0x82, 0x28], [0xED, 0xA0, 0x80], [0xED, 0xBF, 0xBF],
            [0xF0, 0x80, 0x80, 0x80], [0xF0, 0x8F, 0xBF, 0xBF], [0xF0, 0x9F, 0x98], [0xF0, 0x9F, 0x98, 0x41],
            [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xF8, 0x88, 0x80, 0x80, 0x80], [0xFE], [0xFF],
        ] as [[UInt8]])
    func rfc3629InvalidUTF8IsRefused(bytes: [UInt8]) {
        #expect(throws: JSONError.self) { try scan([0x22] + bytes + [0x22]) }
        // Also where the document ends inside the character, and as a name.
        #expect(throws: JSONError.self) { try scan([0x22] + bytes) }
        #expect(throws: JSONError.self) { try scan([0x7B, 0x22] + bytes + [0x22, 0x3A, 0x31, 0x7D]) }
    }

    @Test(arguments: [
        #"{"a":1,"a":2}"#, #"{"a":1,"b":2,"a":1}"#, #"{"a":1,"\u0061":2}"#, #"{"\u0061":1,"a":2}"#,
        #"{"\u0061":1,"\u0061":2}"#, #"{"":1,"":2}"#, #"{"x":{"a":1,"a":2}}"#, #"[{"a":1,"b":[],"a":2}]"#,
        #"{"a":{"a":1},"a":2}"#, #"{"/":1,"\/":2}"#, #"{"😀":1,"\ud83d\ude00":2}"#, #"{"é":1,"\u00E9":2}"#,
        #"{"€":1,"\u20ac":2}"#, #"{"\n":1,"\u000a":2}"#,
    ])
    func duplicateNamesAreRefusedHoweverTheyAreSpelled(text: String) {
        #expect(problem(text) == .duplicateName)
    }

    @Test func everyTruncationIsRefused() throws {
        let document = Array(#" {"a": [1, -2.5e3, "x\u0041\ud83d\ude00é", {"b": null}], "c": true, "d": {}} "#.utf8)
        try scan(document)
        // The last byte is white space, which may be missing.
        for count in 0..<(document.count - 1) {
            #expect(throws: JSONError.self, "\(count) bytes") { try scan(Array(document.prefix(count))) }
        }
    }

    @Test func nestingHasALimit() throws {
        func nested(_ depth: Int) -> String {
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }
        try scan(Array(nested(JSONLimits.maxDepth).utf8))
        #expect(problem(nested(JSONLimits.maxDepth + 1)) == .tooDeep)
        #expect(problem(String(repeating: "[", count: 1_000_000)) == .tooDeep)
        #expect(problem(String(repeating: #"{"a":"#, count: 100_000)) == .tooDeep)
    }

    @Test func membersHaveALimitAcrossOpenObjects() throws {
        func object(_ count: Int, last: String = "0") -> String {
            "{" + (0..<count).map { "\"\($0)\":\($0 == count - 1 ? last : "0")" }.joined(separator: ",") + "}"
        }
        try scan(Array(object(JSONLimits.maxOpenMembers).utf8))
        #expect(problem(object(JSONLimits.maxOpenMembers + 1)) == .tooManyMembers)
        #expect(problem(object(JSONLimits.maxOpenMembers, last: #"{"x":1}"#)) == .tooManyMembers)
        // A closed object gives its members back.
        let closed = "[" + Array(repeating: object(100), count: 50).joined(separator: ",") + "]"
        try scan(Array(closed.utf8))
    }

    @Test func tokensComeInOrder() throws {
        let bytes = Array(#"{"a":[1,"x"],"b":null,"c":false}"#.utf8)
        var scanner = JSONScanner(bytes.span)
        var tokens: [JSONScanner.Token] = []
        while tokens.last != .end { tokens.append(try scanner.next()) }
        try #require(tokens.count == 12)
        #expect(tokens.first == .beginObject)
        guard case .name(let name) = tokens[1], case .number(let one) = tokens[3], case .string(let x) = tokens[4]
        else {
            Issue.record("\(tokens)")
            return
        }
        let isA = name.isEqual(to: "a", in: bytes.span)
        let isAB = name.isEqual(to: "ab", in: bytes.span)
        #expect(isA && !isAB)
        #expect(one.floor == 1)
        let string = x.string(in: bytes.span)
        #expect(string == "x")
        #expect(tokens[5] == .endArray)
        #expect(tokens[7] == .null && tokens[9] == .bool(false))
        #expect(tokens[10] == .endObject)
        #expect(try scanner.next() == .end, "the end comes again")
    }

    @Test func escapesAreUndoneWhenComparing() throws {
        let bytes = Array(#""\u0061\/\ud83d\ude00\n""#.utf8)
        var scanner = JSONScanner(bytes.span)
        guard case .string(let text) = try scanner.next() else { return #expect(Bool(false)) }
        let same = text.isEqual(to: "a/😀\n", in: bytes.span)
        let shorter = text.isEqual(to: "a/😀", in: bytes.span)
        let longer = text.isEqual(to: "a/😀\nb", in: bytes.span)
        #expect(same && !shorter && !longer)
    }

    @Test(arguments: ["1", "\"a\"", "{}", "[]", #"{"a":[{"b":1}],"c":2}"#, "[[1,2],[3]]", "null"])
    func skippingReadsOneValueWhole(value: String) throws {
        let bytes = Array("[\(value),7]".utf8)
        var scanner = JSONScanner(bytes.span)
        _ = try scanner.next()
        try scanner.skipValue()
        guard case .number(let seven) = try scanner.next() else { return #expect(Bool(false)) }
        #expect(seven.floor == 7)
    }

    @Test func errorsSayWhereAndWhat() {
        #expect(error("{\"a\" 1}") == JSONError(problem: .expectedColon, offset: 5))
        #expect(error("[1,]") == JSONError(problem: .expectedValue, offset: 3))
        #expect(error("{\"a\":1,\"a\":2}") == JSONError(problem: .duplicateName, offset: 7))
        #expect(error("12a") == JSONError(problem: .expectedEnd, offset: 2))
        #expect(error("[1,]")?.description == "JSON: a value expected at byte 3")
    }

    private func scan(_ bytes: [UInt8]) throws(JSONError) {
        var scanner = JSONScanner(bytes.span)
        while try scanner.next() != .end {}
    }

    private func error(_ text: String) -> JSONError? {
        do throws(JSONError) {
            try scan(Array(text.utf8))
            return nil
        } catch {
            return error
        }
    }

    private func problem(_ text: String) -> JSONError.Problem? {
        error(text)?.problem
    }
}
