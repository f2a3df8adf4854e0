import QuashJSON
import Testing

struct JSONValueTests {
    @Test func aDocumentBecomesATree() throws {
        let value = try parse(#"{"a":[1,"x\n",true,null,{"b":-1.50e2}],"":{}}"#)
        let members = try #require(value.object?.members)
        #expect(members.map(\.name) == ["a", ""])
        let array = try #require(value["a"]?.array)
        #expect(array.prefix(4) == [1, "x\n", true, nil])
        guard case .number(let number)? = array[4]["b"] else { return #expect(Bool(false)) }
        #expect(number.text == "-1.50e2")
        #expect(number.floor == -150)
        #expect(number.integer == nil, "not spelled as an integer")
        #expect(value["missing"] == nil)
        #expect(array[0]["a"] == nil)
        #expect(array[0].integer == 1 && array[2].bool == true && array[1].string == "x\n")
    }

    @Test(arguments: [
        #"{"a":[1,"x",true,false,null,{"b":-1.5e2}],"":{},"c":[]}"#, "null", "[]", "\"\"",
        #""\"\\\b\f\n\r\t\u0000\u001f\u007f\u0080\u009f""#,
        "\"é€😀/\u{a0}\"", "[[1],[2]]", "-0", "1E400",
    ])
    func compactDocumentsSurviveUnchanged(text: String) throws {
        #expect(String(decoding: try parse(text).serialized(), as: UTF8.self) == text)
    }

    @Test func whatIsWrittenIsReadBack() throws {
        let everything = String(String.UnicodeScalarView((0...0x2FF).compactMap(Unicode.Scalar.init)))
        let value: JSONValue = ["text": .string(everything), "list": [1, nil, false, ["x": []]], "n": .integer(.min)]
        #expect(try JSONValue(parsing: value.serialized().span) == value)
        #expect(try JSONValue(parsing: value.prettyPrinted().span) == value)
    }

    @Test func peopleGetOneMemberALine() {
        let value: JSONValue = ["a": 1, "b": [true, "x"], "c": [:], "d": []]
        let text = """
            {
              "a": 1,
              "b": [
                true,
                "x"
              ],
              "c": {},
              "d": []
            }

            """
        #expect(String(decoding: value.prettyPrinted(), as: UTF8.self) == text)
    }

    @Test func bytesHaveALimit() {
        #expect(throws: JSONError(problem: .tooLarge, offset: 3)) {
            try JSONValue(parsing: Array("[1 ]".utf8).span, maxBytes: 3)
        }
    }

    @Test func whatFollowsTheValueIsRefused() {
        #expect(throws: JSONError(problem: .expectedEnd, offset: 2)) { try parse("{}{}") }
    }

    @Test func membersAreSetReplacedAndRemovedInOrder() {
        var object = JSONObject()
        object["a"] = 1
        object["b"] = 2
        object["a"] = 3
        object["c"] = 4
        object["b"] = nil
        object["nothing"] = nil
        #expect(JSONValue.object(object) == ["a": 3, "c": 4])
    }

    @Test func namesAreComparedByCodePoints() throws {
        let value = try parse("{\"\u{e9}\":1,\"e\u{301}\":2}")
        #expect(value["\u{e9}"] == 1)
        #expect(value["e\u{301}"] == 2)
    }

    @Test(
        arguments: [
            ("0", 0), ("-0", 0), ("1700000000", 1_700_000_000), ("1700000000.0", 1_700_000_000),
            ("1700000000.9", 1_700_000_000),
            ("1.7e9", 1_700_000_000), ("17E+8", 1_700_000_000), ("17000000000e-1", 1_700_000_000),
            ("0.00017e13", 1_700_000_000),
            ("0.5", 0), ("-0.5", -1), ("-1.0", -1), ("-1.5", -2), ("1e-999999999999", 0), ("-1e-5", -1),
            ("0e999999999999", 0),
            ("0.0e5", 0), ("9223372036854775807", .max), ("9223372036854775807.9", .max),
            ("-9223372036854775808", .min),
            ("9223372036854775808", nil), ("-9223372036854775809", nil), ("-9223372036854775808.1", nil),
            ("1e18", 1_000_000_000_000_000_000),
            ("1e19", nil), ("1e999999999999", nil), ("12345678901234567890e-10", 1_234_567_890),
        ] as [(String, Int64?)])
    func numbersAreRoundedDownExactly(text: String, floor: Int64?) throws {
        guard case .number(let number) = try parse(text) else { return #expect(Bool(false)) }
        #expect(number.floor == floor)
        #expect(number.text == text)
    }

    @Test func everyMutationOfADocumentIsReadOrRefusedButNeverBelievedTwice() throws {
        let document = Array(#"{"sub":"é\u0041","exp":1.5e9,"aud":["a",{"b":[null,true]}],"n":-0.5}"#.utf8)
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<5_000 {
            var bytes = document
            for _ in 0..<Int.random(in: 1...3, using: &generator) {
                bytes[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
            }
            guard let value = try? JSONValue(parsing: bytes.span) else { continue }
            // What is accepted means the same after another round.
            let again = try JSONValue(parsing: value.serialized().span)
            #expect(again == value, "\(bytes)")
        }
    }

    private func parse(_ text: String) throws(JSONError) -> JSONValue {
        try JSONValue(parsing: Array(text.utf8).span)
    }
}
