import COpenSSL

/// SHA-256 (FIPS 180-4).
package enum SHA256 {
    /// The length of a digest, in bytes.
    package static let byteCount = 32

    // SAFETY: EVP_MD_fetch(3) takes locks and searches providers, so it is done once; a fetched EVP_MD is reference
    // counted and read only, and this reference is never given back, so every thread may use it for ever.
    nonisolated(unsafe) static let algorithm: OpaquePointer = {
        guard let algorithm = unsafe EVP_MD_fetch(nil, "SHA256", nil) else {
            preconditionFailure("OpenSSL has no SHA-256: \(ErrorQueue.takeReason())")
        }
        return unsafe algorithm
    }()

    /// The digest of `message`, 32 bytes.
    package static func digest(of message: Span<UInt8>) -> [UInt8] {
        unsafe [UInt8](unsafeUninitializedCapacity: byteCount) { digest, count in
            count = byteCount
            // SAFETY: EVP_Digest(3) writes exactly the digest's 32 bytes, for which there is room.
            let done = unsafe message.withUnsafeBytes { message in
                unsafe EVP_Digest(message.baseAddress, message.count, digest.baseAddress, nil, algorithm, nil)
            }
            precondition(done == 1, "EVP_Digest failed")
        }
    }

    /// The HMAC (RFC 2104) of `message` under `key`, 32 bytes.
    package static func authenticationCode(of message: Span<UInt8>, key: Span<UInt8>) -> [UInt8] {
        unsafe [UInt8](unsafeUninitializedCapacity: byteCount) { code, count in
            count = byteCount
            let result = unsafe key.withUnsafeBytes { key in
                unsafe message.withUnsafeBytes { message in
                    // SAFETY: HMAC(3) writes exactly 32 bytes, for which there is room. It takes a null key for "the
                    // key of the last call", so an empty key gets an address.
                    unsafe HMAC(
                        algorithm, key.baseAddress ?? UnsafeRawPointer(code.baseAddress!), Int32(key.count),
                        message.baseAddress?.assumingMemoryBound(to: UInt8.self), message.count, code.baseAddress, nil)
                }
            }
            unsafe precondition(result != nil, "HMAC failed")
        }
    }
}
