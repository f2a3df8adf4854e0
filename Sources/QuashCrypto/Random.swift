import COpenSSL

/// Bytes that nobody can guess (RAND_bytes(3)).
package enum Random {
    /// `count` random bytes. Traps if the system has no randomness to give: nothing secure can go on then.
    package static func bytes(_ count: Int) -> [UInt8] {
        unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, initializedCount in
            unsafe precondition(RAND_bytes(buffer.baseAddress, Int32(count)) == 1, "RAND_bytes failed")
            initializedCount = count
        }
    }
}
