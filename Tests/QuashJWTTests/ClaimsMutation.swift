import TestSupport

/// A payload that is in order, and where its parts are.
struct GoodPayload {
    let bytes: [UInt8]
    /// The insides of strings and names.
    private(set) var strings: [Range<Int>] = []
    private(set) var numbers: [Range<Int>] = []
    /// Places behind `{`, `[`, `,` and `:`, and before `}` and `]`.
    private(set) var joints: [Int] = []
    /// Commas between members of the outermost object.
    private(set) var commas: [Int] = []
    /// Values of the members of the outermost object.
    private(set) var values: [Range<Int>] = []

    init(_ text: String) {
        bytes = Array(text.utf8)
        var depth = 0
        var valueStart: Int?
        var position = 0
        while position < bytes.count {
            let start = position
            position += 1
            switch bytes[start] {
            case UInt8(ascii: "\""):
                while bytes[position] != UInt8(ascii: "\"") {
                    position += bytes[position] == UInt8(ascii: "\\") ? 2 : 1
                }
                strings.append(start + 1..<position)
                position += 1
            case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
                while position < bytes.count, "0123456789+-.eE".utf8.contains(bytes[position]) { position += 1 }
                numbers.append(start..<position)
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                depth += 1
                joints.append(position)
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                if depth == 1, let valueStart { values.append(valueStart..<start) }
                depth -= 1
                joints.append(start)
            case UInt8(ascii: ","):
                joints.append(position)
                guard depth == 1 else { continue }
                commas.append(start)
                if let valueStart { values.append(valueStart..<start) }
            case UInt8(ascii: ":"):
                joints.append(position)
                if depth == 1 { valueStart = position }
            default: break
            }
        }
    }
}

/// The ways in which a good payload is changed.
enum ClaimsMutation: String, CaseIterable {
    case flips, deletions, duplications, tokens, numbers, escapes, controlCharacters, utf8, splices, nesting, lengths
    case types

    private static let tokenTexts = [
        "{", "}", "[", "]", "\"", ",", ":", "{}", "[]", "\"\"", "null", "true", " ", "\t\n",
    ]
    private static let numberTexts = [
        "0", "-0", "00", "01", "-01", "1", "-1", "1.", "1.0", ".5", "0.5", "-0.5", "1.999", "1e0", "1E+2", "1e-2", "1e",
        "1e+", "1e1.5", "01e1", "15e-1", "1e300", "1e-300", "1e999999999999", "1e-999999999999", "0e999999999999",
        "0.0000000001e10", "1700000900", "253402300799", "253402300799.9", "253402300800", "25340230079900e-2",
        "9223372036854775807", "9223372036854775808", "-9223372036854775809", "99999999999999999999999999", "+1",
        "0x10",
        "1_0", "NaN", "Infinity", "-Infinity", "-", "1 1", "1,1", "１", "\"1\"",
    ]
    private static let escapeTexts = [
        #"\""#, #"\\"#, #"\/"#, #"\b"#, #"\f"#, #"\n"#, #"\t"#, #"\u0041"#, #"\u00e9"#, #"\u20AC"#, #"\uD83D\uDE00"#,
        #"\ud800"#, #"\udc00"#, #"\ud83d\ud83d"#, #"\ud83dx"#, #"\ud83d\n"#, #"\ude00\ud83d"#, #"\u0000"#, #"\u001f"#,
        #"\u007f"#, #"\uffff"#, #"\u"#, #"\u12"#, #"\u12g4"#, #"\u+123"#, #"\u 123"#, #"\U0041"#, #"\x41"#, #"\a"#,
        #"\'"#, #"\0"#, #"\"#,
    ]
    private static let sequences: [[UInt8]] = [
        Array("é".utf8), Array("€".utf8), Array("😀".utf8), [0xEF, 0xBF, 0xBD], [0x7F], [0xEF, 0xBB, 0xBF], [0x80],
        [0xC3], [0xE2, 0x82], [0xF0, 0x9F, 0x98], [0xC0, 0xAF], [0xE0, 0x80, 0xAF], [0xED, 0xA0, 0x80],
        [0xED, 0xBF, 0xBF], [0xF4, 0x8F, 0xBF, 0xBF], [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xFF],
        [0xE2, 0x28, 0xA1], [0xC3, 0xA9, 0xA9],
    ]
    private static let valueTexts = [
        "null", "true", "false", "0", "1", "\"\"", "\"a\"", "[]", "{}", "[\"a\"]", "[\"a\",\"b\"]", "[\"a\",1]",
        "[[\"a\"]]", "[\"\"]", "{\"a\":1}", "[1]", "1700000900", "-1", "\"1\"", "tru", "True", "nul", "'a'",
    ]

    /// One of `payloads` changed in this way, once or twice.
    func mutant(of payloads: [GoodPayload], using generator: inout SeededGenerator) -> [UInt8] {
        let payload = payloads.randomElement(using: &generator)!
        var bytes = payload.bytes
        changeOnce(&bytes, payload, payloads, &generator)
        // What was changed once has its parts elsewhere, so only what looks for no part comes a second time.
        if self == .flips || self == .deletions, Int.random(in: 0..<4, using: &generator) == 0 {
            changeOnce(&bytes, payload, payloads, &generator)
        }
        return bytes
    }

    private func changeOnce(
        _ bytes: inout [UInt8], _ payload: GoodPayload, _ payloads: [GoodPayload], _ generator: inout SeededGenerator
    ) {
        let position = Int.random(in: bytes.indices, using: &generator)
        switch self {
        case .flips: bytes[position] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
        case .deletions:
            bytes.removeSubrange(position..<min(bytes.count, position + .random(in: 1...3, using: &generator)))
        case .duplications: duplicate(&bytes, payload, &generator)
        case .tokens:
            let place = Bool.random(using: &generator) ? position : payload.joints.randomElement(using: &generator)!
            bytes.insert(contentsOf: Self.tokenTexts.randomElement(using: &generator)!.utf8, at: place)
        case .numbers:
            let number = Self.numberTexts.randomElement(using: &generator)!
            bytes.replaceSubrange(payload.numbers.randomElement(using: &generator)!, with: number.utf8)
        case .escapes:
            let escape = Self.escapeTexts.randomElement(using: &generator)!
            bytes.insert(contentsOf: escape.utf8, at: Self.placeInString(of: payload, &generator))
        case .controlCharacters:
            let place =
                switch Int.random(in: 0..<3, using: &generator) {
                case 0: Self.placeInString(of: payload, &generator)
                case 1: payload.joints.randomElement(using: &generator)!
                default: position
                }
            let character = Bool.random(using: &generator) ? 0x09 : UInt8.random(in: 0..<0x20, using: &generator)
            bytes.insert(character, at: place)
        case .utf8:
            let sequence = Self.sequences.randomElement(using: &generator)!
            bytes.insert(contentsOf: sequence, at: Self.placeInString(of: payload, &generator))
        case .splices: bytes = splice(payload, payloads.randomElement(using: &generator)!, &generator)
        case .nesting:
            let depth = Int.random(in: 1...20, using: &generator)
            let (begin, end) = Bool.random(using: &generator) ? ("[", "]") : ("{\"a\":", "}")
            let nested = String(repeating: begin, count: depth) + "0" + String(repeating: end, count: depth)
            let place = payload.commas.randomElement(using: &generator)!
            bytes.insert(contentsOf: ",\"nested\":\(nested)".utf8, at: place)
        case .lengths: stretch(&bytes, payload, &generator)
        case .types:
            let value = Self.valueTexts.randomElement(using: &generator)!
            let isOfTheWhole = Int.random(in: 0..<20, using: &generator) == 0
            let range = isOfTheWhole ? bytes.indices : payload.values.randomElement(using: &generator)!
            bytes.replaceSubrange(range, with: value.utf8)
        }
    }

    private static func placeInString(of payload: GoodPayload, _ generator: inout SeededGenerator) -> Int {
        let string = payload.strings.randomElement(using: &generator)!
        return Int.random(in: string.lowerBound...string.upperBound, using: &generator)
    }

    /// Copies some bytes, or whole members, to a place that fits them.
    private func duplicate(_ bytes: inout [UInt8], _ payload: GoodPayload, _ generator: inout SeededGenerator) {
        let (from, to) = (payload.commas, payload.commas.randomElement(using: &generator)!)
        switch Int.random(in: 0..<3, using: &generator) {
        case 0:
            let index = Int.random(in: 0..<from.count - 1, using: &generator)
            bytes.insert(contentsOf: payload.bytes[from[index]..<from[index + 1]], at: to)
        case 1:
            // A member with another name, which is no duplicate.
            bytes.insert(
                contentsOf: ",\"other\":".utf8 + payload.bytes[payload.values.randomElement(using: &generator)!], at: to
            )
        default:
            let position = Int.random(in: bytes.indices, using: &generator)
            let end = min(bytes.count, position + Int.random(in: 1...12, using: &generator))
            bytes.insert(contentsOf: payload.bytes[position..<end], at: position)
        }
    }

    /// The beginning of one and the end of another, cut between members or anywhere.
    private func splice(
        _ first: GoodPayload, _ second: GoodPayload, _ generator: inout SeededGenerator
    ) -> [UInt8] {
        let isBlind = Int.random(in: 0..<4, using: &generator) == 0
        let end =
            isBlind
            ? first.bytes.indices.randomElement(using: &generator) : first.commas.randomElement(using: &generator)
        let start =
            isBlind
            ? second.bytes.indices.randomElement(using: &generator) : second.commas.randomElement(using: &generator)
        return Array(first.bytes[..<end!]) + Array(second.bytes[start!...])
    }

    /// Brings a string near to one of the limits, or adds audiences or members.
    private func stretch(_ bytes: inout [UInt8], _ payload: GoodPayload, _ generator: inout SeededGenerator) {
        let place = payload.commas.randomElement(using: &generator)!
        switch Int.random(in: 0..<8, using: &generator) {
        case 0:
            let count = Int.random(in: 14...18, using: &generator)
            let audiences = (0..<count).map { "\"\($0)\"" }.joined(separator: ",")
            bytes.insert(contentsOf: ",\"aud\":[\(audiences)]".utf8, at: place)
        case 1:
            let count = Int.random(in: 100...140, using: &generator)
            bytes.insert(contentsOf: (0..<count).map { ",\"\($0)\":0" }.joined().utf8, at: place)
        default:
            let string = payload.strings.randomElement(using: &generator)!
            let unit = ["x", "é", #"\u0061"#, #"\""#].randomElement(using: &generator)!
            let unitBytes = unit == "é" ? 2 : 1
            let limit = [128, 255, 1024].randomElement(using: &generator)! + Int.random(in: -2...2, using: &generator)
            let missing = max(0, limit - string.count) / unitBytes
            bytes.insert(contentsOf: String(repeating: unit, count: missing).utf8, at: string.upperBound)
        }
    }
}
