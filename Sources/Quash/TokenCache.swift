import Glibc
import QuashJWT

/// Tokens that one loop has verified, by a keyed hash of all their bytes: what cannot change of a decision is done
/// once.
///
/// Bounded. Entries stand in sets of eight, and each counts how often it was used, up to three. A token that comes new
/// into a full set takes the place of one that was not used since it came; where all were, it stays out. With every
/// 32nd that comes into a full set, the counts of the set go down by one. So a flood of tokens that are used once
/// drives out others of their kind, and hardly one that is used again and again.
///
/// - SeeAlso: G. Einziger, R. Friedman, B. Manes, «TinyLFU», ACM TOS 13(4), 2017: the same thought, with a sketch.
@safe final class TokenCache {
    /// Entries of one set.
    static let ways = 8
    private static let maxUses: UInt8 = 3
    private static let missesPerAging: UInt8 = 32

    private let hash = TokenHash.random(maxBytes: JWTLimits.maxTokenBytes)
    private let mask: Int
    // SAFETY: all five have room for `mask + 1` sets, zeroed: a zero tag with a nil token is an empty entry. Zeroed
    // pages cost nothing until they are used.
    /// Of each key some bits, those of a set in one cache line.
    private let tags: UnsafeMutablePointer<UInt64>
    private let keys: UnsafeMutablePointer<TokenHash.Value>
    private let tokens: UnsafeMutablePointer<KnownToken?>
    private let uses: UnsafeMutablePointer<UInt8>
    private let misses: UnsafeMutablePointer<UInt8>
    /// Tokens that are remembered now.
    private(set) var count = 0

    /// - Parameter capacity: rounded up to a power of two, at least 8.
    init(capacity: Int) {
        var sets = 1
        while sets * Self.ways < capacity { sets *= 2 }
        mask = sets - 1
        let entries = sets * Self.ways
        unsafe tags = zeroed(entries)
        unsafe keys = zeroed(entries)
        unsafe tokens = zeroed(entries)
        unsafe uses = zeroed(entries)
        unsafe misses = zeroed(sets)
    }

    deinit {
        removeAll()
        unsafe free(tags)
        unsafe free(keys)
        unsafe free(tokens)
        unsafe free(uses)
        unsafe free(misses)
    }

    /// The name of a token here.
    ///
    /// - Precondition: not longer than `JWTLimits.maxTokenBytes`.
    func key(of token: Span<UInt8>) -> TokenHash.Value { hash.hash(token) }

    /// What is known of the token with this key. O(1).
    func find(_ key: TokenHash.Value) -> KnownToken? {
        let tag = Self.tag(of: key)
        let first = first(of: tag)
        for entry in first..<first + Self.ways where unsafe tags[entry] == tag {
            guard unsafe keys[entry] == key, let token = unsafe tokens[entry] else { continue }
            unsafe uses[entry] = min(uses[entry] + 1, Self.maxUses)
            return token
        }
        return nil
    }

    /// Remembers a token that was not found, if it gets a place.
    ///
    /// - Parameter seconds: what has expired by then, since 1970, gives way first.
    func insert(_ token: KnownToken, as key: TokenHash.Value, at seconds: Int64) {
        let first = first(of: Self.tag(of: key))
        let set = first / Self.ways
        var victim: Int?
        for way in 0..<Self.ways {
            // From another one each time, so that all that are not used go, one after the other.
            let entry = unsafe first + (way + Int(misses[set])) % Self.ways
            guard let other = unsafe tokens[entry] else {
                count += 1
                return put(token, key, at: entry)
            }
            if other.expiresAtSeconds <= seconds { return put(token, key, at: entry) }
            if unsafe uses[entry] == 0 { victim = entry }
        }
        age(set: set)
        if let victim { put(token, key, at: victim) }
    }

    private func age(set: Int) {
        unsafe misses[set] += 1
        guard unsafe misses[set] == Self.missesPerAging else { return }
        unsafe misses[set] = 0
        for entry in set * Self.ways..<(set + 1) * Self.ways where unsafe uses[entry] > 0 { unsafe uses[entry] -= 1 }
    }

    /// Forgets all of them.
    func removeAll() {
        for entry in 0..<(mask + 1) * Self.ways where unsafe tokens[entry] != nil {
            unsafe tokens[entry] = nil
            unsafe uses[entry] = 0
        }
        count = 0
    }

    private func put(_ token: KnownToken, _ key: TokenHash.Value, at entry: Int) {
        unsafe tags[entry] = Self.tag(of: key)
        unsafe keys[entry] = key
        unsafe tokens[entry] = token
        unsafe uses[entry] = 0
    }

    /// Every bit of a key counts: the sums are of products, whose single bits are not even.
    private static func tag(of key: TokenHash.Value) -> UInt64 {
        var tag = UInt64(truncatingIfNeeded: key.count)
        func take(_ word: UInt128) {
            let product = (tag ^ UInt64(truncatingIfNeeded: word)).multipliedFullWidth(by: 0x9E37_79B9_7F4A_7C15)
            tag = product.high ^ product.low
        }
        take(key.first)
        take(key.first >> 64)
        take(key.second)
        take(key.second >> 64)
        return tag
    }

    private func first(of tag: UInt64) -> Int { (Int(truncatingIfNeeded: tag) & mask) * Self.ways }
}

@available(*, unavailable)
extension TokenCache: Sendable {}

/// Memory for `count` values of a type for which zero bytes are a value: words, bytes, and optional references.
private func zeroed<Value>(_ count: Int) -> UnsafeMutablePointer<Value> {
    guard let memory = unsafe calloc(count, MemoryLayout<Value>.stride) else {
        preconditionFailure("no memory for \(count) tokens")
    }
    // SAFETY: see the callers; calloc(3) aligns for any type.
    return unsafe memory.bindMemory(to: Value.self, capacity: count)
}
