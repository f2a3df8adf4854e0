import TestSupport

@testable import QuashJWT

/// Another reader of claims, to compare with: Python's json and a few rules, in `Tests/Python/claims_reference.py`.
struct ClaimsReference {
    /// What is refused though it is JSON. The reference names every rule that a payload breaks.
    enum Rule: String, CaseIterable {
        /// Not UTF-8 (RFC 8259 §8.1).
        case utf8 = "utf-8"
        /// Half of a surrogate pair, as an escape, in any string or name (RFC 7493 §2.1).
        case halfSurrogatePair = "half-surrogate-pair"
        /// A name twice in one object, the same when unescaped (RFC 7519 §4, RFC 7493 §2.3).
        case duplicateName = "duplicate-name"
        /// More than 16 objects and arrays inside each other.
        case depth
        /// More than 128 members of objects that are open at one point.
        case openMembers = "open-members"
        /// The whole is an object.
        case object
        /// `sub`, `jti`, `iat` and `exp` are there.
        case requiredClaim = "required-claim"
        /// Strings, numbers, and for `aud` a string or an array of strings.
        case type
        /// Of a claim that is a string, in bytes when unescaped, as `JWTLimits` says; only `scope` may be empty.
        case length
        /// An escaped control character in a claim that is a string.
        case controlCharacter = "control-character"
        /// More than 16 audiences.
        case audienceCount = "audience-count"
        /// A date before 1970 or after 9999.
        case dateRange = "date-range"
    }

    enum Answer: Equatable {
        /// Not JSON as RFC 8259 has it.
        case notJSON
        case refused(Set<Rule>)
        /// The claims, each with an end of its own: see `record(of:)`.
        case accepted([UInt8])
    }

    private static let separator: UInt8 = 0x1F
    /// Stands for a claim that is not there.
    private static let absent: [UInt8] = [0x1D]

    private let folder: TemporaryFolder
    private let process: ChildProcess

    /// Starts it on all of `payloads`.
    init(_ payloads: [[UInt8]]) throws {
        var bytes: [UInt8] = []
        for payload in payloads {
            for shift in [0, 8, 16, 24] { bytes.append(UInt8(truncatingIfNeeded: payload.count >> shift)) }
            bytes += payload
        }
        folder = try TemporaryFolder()
        process = try ChildProcess([
            "python3", "-I", "\(Repository.root)/Tests/Python/claims_reference.py",
            try folder.write("payloads", bytes: bytes),
        ])
    }

    /// What it says of each.
    func answers() throws -> [Answer] {
        guard try process.waitForExit(within: .seconds(120)) == .code(0) else { throw TestSupportError(process.output) }
        return try Array(process.output.utf8).split(separator: UInt8(ascii: "\n")).map { line in
            if line.elementsEqual("-".utf8) { return .notJSON }
            if line.first == UInt8(ascii: "=") { return .accepted(Array(line.dropFirst())) }
            return .refused(
                Set(
                    try String(decoding: line, as: UTF8.self).split(separator: ",").map { name in
                        guard let rule = Rule(rawValue: String(name)) else {
                            throw TestSupportError("no rule is called \(name)")
                        }
                        return rule
                    }))
        }
    }

    /// What the reader of this module makes of a payload, spelled as the reference does; nil if it refuses it.
    static func record(of payload: [UInt8]) -> [UInt8]? {
        guard let (scanned, unescaped) = try? ClaimsReader.read(payload.span) else { return nil }
        let token = VerifiedToken(type: .access, keyID: "", payload: payload + unescaped, scanned: scanned)
        let claims = token.claims
        let dates = [claims.issuedAt, claims.expiresAt, claims.notBefore]
        let fields =
            [claims.subject, claims.id, claims.issuer, claims.clientID, claims.scope, claims.sessionID]
            + dates.map { $0.map { String($0.seconds) } } + claims.audience
        var record: [UInt8] = []
        for field in fields {
            if let field { record += field.utf8 } else { record += absent }
            record.append(separator)
        }
        return record
    }
}
