/// A hash of all bytes of a token that nobody can make two tokens agree in who does not know its secret: so it stands
/// for the token without keeping that.
///
/// It is NH with words of 64 bits, twice, with the secret shifted by two words for the second time: the first layer of
/// UMAC (J. Black, S. Halevi, H. Krawczyk, T. Krovetz, P. Rogaway, «UMAC: Fast and Secure Message Authentication»,
/// CRYPTO '99: NH and its Toeplitz construction; with words of 32 bits, RFC 4418 §5.2). Any two different tokens of one
/// length agree with a chance of at most 2⁻¹²⁸ over the secrets, whoever chose them, as long as no hash is shown to
/// anyone. That is proven and needs no assumption, and costs a third of what a keyed hash whose output may be shown
/// costs.
struct TokenHash: Sendable {
    /// Two sums of 128 bits, and the length that they are of.
    struct Value: Hashable, Sendable {
        let first, second: UInt128
        let count: Int
    }

    /// Words of the secret: as many as the longest input has, and two for the second sum.
    private let secret: [UInt64]

    /// - Precondition: an even number of words.
    init(secret: [UInt64]) {
        precondition(secret.count.isMultiple(of: 2) && secret.count >= 4, "a secret of \(secret.count) words")
        self.secret = secret
    }

    /// With a secret that nobody knows.
    static func random(maxBytes: Int) -> TokenHash {
        TokenHash(secret: (0..<2 * ((maxBytes + 15) / 16) + 2).map { _ in .random(in: .min ... .max) })
    }

    /// The most bytes that can be hashed.
    var maxBytes: Int { 8 * (secret.count - 2) }

    /// O(n): about 0.1 ns a byte.
    ///
    /// - Precondition: at most ``maxBytes`` bytes.
    func hash(_ bytes: Span<UInt8>) -> Value {
        precondition(bytes.count <= maxBytes, "\(bytes.count) bytes, of at most \(maxBytes)")
        return unsafe secret.withUnsafeBufferPointer { secret in
            unsafe bytes.withUnsafeBytes { bytes in
                var sums = Sums()
                let blocks = bytes.count / 16
                for block in 0..<blocks {
                    // SAFETY: sixteen bytes from here on are within `bytes`, and four words from `2 * block` on within
                    // the secret, which has two more than the longest input.
                    let low = unsafe bytes.loadUnaligned(fromByteOffset: 16 * block, as: UInt64.self)
                    let high = unsafe bytes.loadUnaligned(fromByteOffset: 16 * block + 8, as: UInt64.self)
                    unsafe sums.take(UInt64(littleEndian: low), UInt64(littleEndian: high), secret, at: 2 * block)
                }
                if 16 * blocks < bytes.count {
                    var rest: (UInt64, UInt64) = (0, 0)
                    for index in 16 * blocks..<bytes.count {
                        let byte = unsafe UInt64(bytes[index]) << UInt64(8 * (index % 8))
                        if index % 16 < 8 { rest.0 |= byte } else { rest.1 |= byte }
                    }
                    // SAFETY: as above.
                    unsafe sums.take(rest.0, rest.1, secret, at: 2 * blocks)
                }
                return Value(first: sums.first, second: sums.second, count: bytes.count)
            }
        }
    }

    private struct Sums {
        var first: UInt128 = 0
        var second: UInt128 = 0

        @inline(__always)
        mutating func take(_ low: UInt64, _ high: UInt64, _ secret: UnsafeBufferPointer<UInt64>, at place: Int) {
            // SAFETY: the caller has seen that four words are there.
            first &+= unsafe Self.product(low &+ secret[place], high &+ secret[place + 1])
            second &+= unsafe Self.product(low &+ secret[place + 2], high &+ secret[place + 3])
        }

        @inline(__always)
        private static func product(_ left: UInt64, _ right: UInt64) -> UInt128 {
            UInt128(truncatingIfNeeded: left) &* UInt128(truncatingIfNeeded: right)
        }
    }
}
