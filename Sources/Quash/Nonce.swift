/// A random name of 64 bits that nothing had before: of an outbox, and of one start of an issuer.
public struct Nonce: Hashable, Sendable, CustomStringConvertible {
    /// 16 lower-case hexadecimal digits.
    public let description: String

    /// - Returns: nil unless `text` is 16 lower-case hexadecimal digits.
    public init?(_ text: some StringProtocol) {
        guard text.utf8.count == 16, text.utf8.allSatisfy(Self.isHexadecimal) else { return nil }
        description = String(text)
    }

    private static func isHexadecimal(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x61...0x66).contains(byte)
    }
}
