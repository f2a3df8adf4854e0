import QuashCrypto

/// One sign-in: shared by every token that descends from it, 15 random bytes, 20 characters of base64url.
public struct SessionID: Hashable, Sendable, CustomStringConvertible {
    /// The length of the text, in bytes.
    public static let textBytes = 20

    package let bits: Bits120

    /// A new session.
    public static func random() -> SessionID {
        SessionID(bits: .random())
    }

    init(bits: Bits120) {
        self.bits = bits
    }

    /// The session that `text` names, or nil unless it is exactly 20 characters of base64url.
    public init?(_ text: Span<UInt8>) {
        guard text.count == Self.textBytes, let bits = Bits120(text) else { return nil }
        self.bits = bits
    }

    /// The session that `text` names, or nil unless it is exactly 20 characters of base64url.
    public init?(_ text: String) {
        self.init(Array(text.utf8).span)
    }

    public var description: String {
        var text: [UInt8] = []
        bits.append(to: &text)
        return String(decoding: text, as: UTF8.self)
    }
}

/// The `jti` of a token of ours: `<session>.<time of issue>.<random>`, 50 characters.
///
/// The session lets one revocation end all tokens of a sign-in, the milliseconds leave no ties in "issued before", and
/// the rest is 120 random bits. To everyone else it is opaque. A `jti` of any other form is foreign.
public struct TokenID: Hashable, Sendable, CustomStringConvertible {
    /// The length of the text, in bytes.
    public static let textBytes = 50
    /// The times that fit into 48 bits, in milliseconds since 1970, until the year 10889.
    public static let milliseconds: Range<Int64> = 0..<(1 << 48)

    /// The sign-in that the token descends from.
    public let session: SessionID
    /// The time of issue, in milliseconds since 1970-01-01T00:00:00Z.
    public let issuedAtMilliseconds: Int64
    /// The random part: it alone tells tokens apart.
    package let bits: Bits120

    /// A new identifier that nobody can guess.
    public init(session: SessionID, issuedAtMilliseconds: Int64) {
        self.init(session: session, issuedAtMilliseconds: issuedAtMilliseconds, bits: .random())
    }

    /// An identifier whose random part is derived from a secret, so that it can be made again.
    package init(session: SessionID, issuedAtMilliseconds: Int64, bits: Bits120) {
        precondition(Self.milliseconds.contains(issuedAtMilliseconds), "a time of issue outside 48 bits")
        self.session = session
        self.issuedAtMilliseconds = issuedAtMilliseconds
        self.bits = bits
    }

    /// The identifier that `text` spells, or nil if it is foreign.
    public init?(_ text: Span<UInt8>) {
        let dot = UInt8(ascii: ".")
        guard text.count == Self.textBytes, text[20] == dot, text[29] == dot,
            let session = SessionID(text.extracting(0..<20)),
            let time = Base64URL.word(text.extracting(21..<29)),
            let bits = Bits120(text.extracting(30..<50))
        else { return nil }
        self.session = session
        issuedAtMilliseconds = Int64(time)
        self.bits = bits
    }

    /// The identifier that `text` spells, or nil if it is foreign.
    public init?(_ text: String) {
        self.init(Array(text.utf8).span)
    }

    public var description: String {
        let dot = UInt8(ascii: ".")
        var text: [UInt8] = []
        text.reserveCapacity(Self.textBytes)
        session.bits.append(to: &text)
        text.append(dot)
        Base64URL.encode(word: UInt64(issuedAtMilliseconds), characters: 8, appendingTo: &text)
        text.append(dot)
        bits.append(to: &text)
        return String(decoding: text, as: UTF8.self)
    }
}

/// The 15 bytes that 20 characters of base64url spell, in two words: hashed and compared without a buffer.
package struct Bits120: Hashable, Sendable {
    /// The first ten characters, and the last ten, of six bits each.
    package let high, low: UInt64

    static func random() -> Bits120 { Bits120(firstOf: Random.bytes(16)) }

    /// - Precondition: at least 16 bytes, of which 8 of the first 128 bits go unused.
    package init(firstOf bytes: [UInt8]) {
        let words = [bytes[..<8], bytes[8..<16]].map { $0.reduce(0) { $0 << 8 | UInt64($1) } >> 4 }
        self.init(high: words[0], low: words[1])
    }

    private init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }
}

extension Bits120 {
    init?(_ text: Span<UInt8>) {
        guard let high = Base64URL.word(text.extracting(0..<10)), let low = Base64URL.word(text.extracting(10..<20))
        else { return nil }
        self.init(high: high, low: low)
    }

    func append(to text: inout [UInt8]) {
        Base64URL.encode(word: high, characters: 10, appendingTo: &text)
        Base64URL.encode(word: low, characters: 10, appendingTo: &text)
    }
}
