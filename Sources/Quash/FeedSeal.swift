import QuashCrypto

/// The secret that the issuers of a feed share: what they write carries a code that only they can make, and none of
/// them mirrors or restores anything else. So what others wrote into Redis is gone with that Redis.
///
/// The code is the first 8 bytes of HMAC-SHA-256 (RFC 2104, truncated as its section 5 allows) over `quash feed` and
/// the bytes of the entry before it.
public struct FeedSeal: Sendable {
    private static let context = Array("quash feed".utf8)

    private let current: [UInt8]
    private let previous: [UInt8]?

    /// - Parameters:
    ///   - current: seals what is written.
    ///   - previous: what it sealed is recognised too.
    public init(current: [UInt8], previous: [UInt8]? = nil) {
        self.current = current
        self.previous = previous
    }

    func code(of bytes: ArraySlice<UInt8>) -> [UInt8] { Self.code(of: bytes, key: current) }

    func isGenuine(_ code: ArraySlice<UInt8>, of bytes: ArraySlice<UInt8>) -> Bool {
        let code = Array(code)
        if ConstantTime.equal(Self.code(of: bytes, key: current).span, code.span) { return true }
        guard let previous else { return false }
        return ConstantTime.equal(Self.code(of: bytes, key: previous).span, code.span)
    }

    private static func code(of bytes: ArraySlice<UInt8>, key: [UInt8]) -> [UInt8] {
        let message = context + bytes
        return Array(SHA256.authenticationCode(of: message.span, key: key.span).prefix(RevocationCodec.sealBytes))
    }
}
