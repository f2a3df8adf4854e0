import Glibc

// Over a token byte by byte, these would cost as much as reading its claims.
extension Span<UInt8> {
    /// The first place of `byte` at or after `start`, or nil (memchr(3)).
    func firstIndex(of byte: UInt8, from start: Int = 0) -> Int? {
        let rest = extracting(start..<count)
        return unsafe rest.withUnsafeBufferPointer { rest in
            guard let first = rest.baseAddress, let found = unsafe memchr(first, Int32(byte), rest.count) else {
                return nil
            }
            return unsafe start + (UnsafeRawPointer(found) - UnsafeRawPointer(first))
        }
    }

    /// Whether both hold the same bytes (memcmp(3)); not for secrets.
    func isEqual(to other: Span<UInt8>) -> Bool {
        guard count == other.count else { return false }
        return unsafe withUnsafeBufferPointer { left in
            unsafe other.withUnsafeBufferPointer { right in
                guard let left = left.baseAddress, let right = right.baseAddress else { return true }
                return unsafe memcmp(left, right, count) == 0
            }
        }
    }
}
