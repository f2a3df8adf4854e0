import TestSupport
import Testing

/// Two readers that see different claims in one token are an attack. So this one is compared with another, which knows
/// nothing of it.
struct ClaimsReferenceTests {
    private static let payloads: [GoodPayload] = [
        #"{"sub":"alice","iat":1700000000,"exp":1700000900,"#
            + #""jti":"c2Vzc2lvbi1zZXNzaW9u.AYvPjzB7.c2Vzc2lvbi1zZXNzaW9u"}"#,
        #"{"sub":"alice","iat":1700000000,"exp":1700000900,"jti":"j-1","iss":"https://issuer.test","aud":"api","#
            + #""client_id":"web","scope":"read write","nbf":1700000000,"sid":"s-1"}"#,
        #"{"iss":"https://a.test","sub":"\u00e9","aud":["x","y"],"client_id":"c","scope":"","iat":1.5,"nbf":1e0,"#
            + #""exp":253402300799,"jti":"j","sid":"s","more":[{}]}"#,
        #"{"\u0073ub":"\u0061l\/\ud83d\ude00","iat":1,"exp":2,"jti":"\u006a","scope":"\"","aud":"\u0061","x":"\n\\"}"#,
        #"{"sub":"ál😀€","iat":0,"exp":17000009E+2,"jti":"ü","aud":["é","\u20ac"],"name":"Ωmega","😀":-0.25e-3}"#,
        " {\n  \"sub\" : \"bob\",\r\n\t\"exp\" : 1700000900.75 , \"iat\" : 1700000000 ,\n  \"jti\" : \"j\" , "
            + "\"roles\" : [ \"a\" , \"b\" , { } , [ ] ]\n}\n",
        #"{"sub":"a","iat":1,"exp":2,"jti":"b","o":{"a":1,"b":{"a":null,"sub":"no","c":[true,false,null,-1.5e10]}}}"#,
        #"{"jti":"b","exp":2,"iat":1,"sub":"a","aud":[],"sid":"s","deep":[[[[[[[[[[[[[["14"]]]]]]]]]]]]]],"end":0}"#,
        #"{"sub":"a","iat":1,"exp":2,"jti":"b","aud":["0","1","2","3","4","5","6","7","8","9","a","b","c","d","e"],"#
            + #""n":123456789012345678901234567890,"z":0,"f":0.0001}"#,
    ].map { GoodPayload($0) }

    /// So that whoever reads it knows what it is worth: RFC 8259, and nothing that readers are known to add.
    @Test func theReferenceTakesJSONAsItsGrammarHasIt() throws {
        let json = [
            "{}", " \t\r\n[] ", "\"\"", "0", "-0", "-0.0e-0", "1E+2", "1e400", "123456789012345678901234567890", "null",
            "[true,false,null]", "{\"a\":1,\"a\":2}", #""\ud800""#, #""\"\\\/\b\f\n\r\t\u00Ff""#, "\"\u{7f}\u{2028}\"",
            String(repeating: "[", count: 40) + String(repeating: "]", count: 40),
        ]
        let others = [
            "", " ", "{", "[1,]", "{\"a\":1,}", "{,}", "[,1]", "[1 2]", "{\"a\" 1}", "{a:1}", "{'a':1}", "{\"a\":1}}",
            "1 1", "01", "-01", "00", "1.", ".5", "+1", "-", "1e", "1e+", "1.e1", "0x1", "1_0", "NaN", "Infinity",
            "-Infinity", "nan", "True", "nul", "nulll", "\"", "\"a", "'a'", "\"\t\"", "\"\n\"", "\"\u{0}\"",
            "\"\u{1f}\"", #""\a""#, #""\'""#, #""\u12""#, #""\u12g4""#, #""\u+123""#, #""\u 123""#, #""\U0041""#,
            "\u{feff}{}", "{}\u{feff}", "\u{a0}{}", "{}\u{c}", "{}\u{b}", "\u{2028}{}", "１", "[1١]", "// a\n1", "/**/1",
            "{}\u{0}",
        ]
        let answers = try ClaimsReference((json + others).map { Array($0.utf8) }).answers()
        try #require(answers.count == json.count + others.count)
        for (text, answer) in zip(json + others, answers) {
            #expect((answer == .notJSON) == others.contains(text), "\(text.debugDescription): \(answer)")
        }
    }

    @Test func goodPayloadsAreAcceptedByBothWithTheSameClaims() throws {
        let payloads = Self.payloads.map(\.bytes)
        let answers = try ClaimsReference(payloads).answers()
        try #require(answers.count == payloads.count)
        for (payload, answer) in zip(payloads, answers) {
            let record = try #require(ClaimsReference.record(of: payload), "\(Self.text(payload))")
            #expect(answer == .accepted(record), "\(Self.text(payload))")
        }
    }

    /// A payload is refused if and only if it is not JSON or breaks a rule that has a name; and what is accepted says
    /// the same to both.
    @Test func mutantsAreReadAsTheReferenceReadsThem() throws {
        let mutantsOfEachKind = 8500
        var generator = SeededGenerator(7519)
        var payloads: [[UInt8]] = []
        for mutation in ClaimsMutation.allCases {
            for _ in 0..<mutantsOfEachKind {
                payloads.append(mutation.mutant(of: Self.payloads, using: &generator))
            }
        }
        let reference = try ClaimsReference(payloads)
        let records = payloads.map { ClaimsReference.record(of: $0) }
        let answers = try reference.answers()
        try #require(answers.count == payloads.count)

        var tally = Tally()
        for (index, (record, answer)) in zip(records, answers).enumerated() {
            let mutation = ClaimsMutation.allCases[index / mutantsOfEachKind]
            if !tally.note(record, answer, of: mutation), tally.disagreements <= 10 {
                let claims = record.map(Self.text) ?? "refused"
                Issue.record("\(mutation): \(Self.text(payloads[index])): here \(claims), there \(answer)")
            }
        }
        #expect(tally.disagreements == 0)
        #expect(tally.compared >= 100_000)
        for mutation in ClaimsMutation.allCases {
            #expect(tally.accepted[mutation, default: 0] >= 1000, "\(mutation)")
            #expect(tally.refused[mutation, default: 0] >= 1000, "\(mutation)")
        }
        #expect(tally.notJSON >= 10_000)
        for rule in ClaimsReference.Rule.allCases {
            #expect(tally.brokenAlone[rule, default: 0] >= 50, "\(rule): hardly seen without another")
        }
    }

    private struct Tally {
        var compared = 0
        var disagreements = 0
        var notJSON = 0
        var accepted: [ClaimsMutation: Int] = [:]
        var refused: [ClaimsMutation: Int] = [:]
        /// Payloads that only this rule refuses: without it they would be accepted.
        var brokenAlone: [ClaimsReference.Rule: Int] = [:]

        /// - Returns: whether both say the same.
        mutating func note(
            _ record: [UInt8]?, _ answer: ClaimsReference.Answer, of mutation: ClaimsMutation
        ) -> Bool {
            compared += 1
            let agrees: Bool
            switch answer {
            case .accepted(let claims):
                accepted[mutation, default: 0] += 1
                agrees = record == claims
            case .notJSON:
                notJSON += 1
                refused[mutation, default: 0] += 1
                agrees = record == nil
            case .refused(let rules):
                refused[mutation, default: 0] += 1
                if rules.count == 1, let rule = rules.first { brokenAlone[rule, default: 0] += 1 }
                agrees = record == nil
            }
            if !agrees { disagreements += 1 }
            return agrees
        }
    }

    private static func text(_ bytes: [UInt8]) -> String {
        String(decoding: bytes, as: UTF8.self).debugDescription
    }
}
