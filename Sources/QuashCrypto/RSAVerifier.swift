import COpenSSL

/// Verifies RS256 signatures of one key, on one loop.
///
/// Preparing OpenSSL's contexts costs a fifth of a verification, so both are made once and reused; a context cannot be
/// shared between threads. The key is a duplicate, because threads that share one fight over its reference count.
@safe
package final class RSAVerifier {
    // SAFETY: all three are owned: made in init, freed in deinit, used by nobody else.
    private let key: OpaquePointer
    private let verification: OpaquePointer
    private let hashing: OpaquePointer
    private let signatureBytes: Int

    /// - Throws: `CryptoError.openSSL` only.
    package init(_ publicKey: RSAPublicKey) throws(CryptoError) {
        ErrorQueue.clear()
        guard let key = unsafe EVP_PKEY_dup(publicKey.pointer) else { throw ErrorQueue.openSSLError("copy a key") }
        let verification = unsafe EVP_PKEY_CTX_new_from_pkey(nil, key, nil)
        let hashing = unsafe EVP_MD_CTX_new()
        guard let verification = unsafe verification, let hashing = unsafe hashing,
            unsafe EVP_PKEY_verify_init(verification) == 1,
            unsafe EVP_PKEY_CTX_set_rsa_padding(verification, RSA_PKCS1_PADDING) == 1,
            unsafe EVP_PKEY_CTX_set_signature_md(verification, SHA256.algorithm) == 1
        else {
            unsafe EVP_MD_CTX_free(hashing)
            unsafe EVP_PKEY_CTX_free(verification)
            unsafe EVP_PKEY_free(key)
            throw ErrorQueue.openSSLError("prepare a verification")
        }
        unsafe self.key = key
        unsafe self.verification = verification
        unsafe self.hashing = hashing
        signatureBytes = publicKey.modulus.count
    }

    deinit {
        unsafe EVP_MD_CTX_free(hashing)
        unsafe EVP_PKEY_CTX_free(verification)
        unsafe EVP_PKEY_free(key)
    }

    /// Whether `signature` is this key's signature of `message`. Allocates nothing.
    ///
    /// A signature of another length than the modulus is refused (RFC 8017 §8.2.2). OpenSSL's error queue is as empty
    /// afterwards as it was before.
    package func verify(signature: Span<UInt8>, message: Span<UInt8>) -> Bool {
        guard signature.count == signatureBytes else { return false }
        var digest = InlineArray<32, UInt8>(repeating: 0)
        var digestSpan = digest.mutableSpan
        let result = unsafe digestSpan.withUnsafeMutableBufferPointer { digest in
            // SAFETY: EVP_DigestFinal_ex(3) writes the 32 bytes of SHA-256, for which there is room.
            let hashed = unsafe message.withUnsafeBytes { message in
                unsafe EVP_DigestInit_ex2(hashing, SHA256.algorithm, nil) == 1
                    && EVP_DigestUpdate(hashing, message.baseAddress, message.count) == 1
                    && EVP_DigestFinal_ex(hashing, digest.baseAddress, nil) == 1
            }
            precondition(hashed, "SHA-256 failed")
            return unsafe signature.withUnsafeBufferPointer { signature in
                unsafe EVP_PKEY_verify(
                    verification, signature.baseAddress, signature.count, digest.baseAddress, digest.count)
            }
        }
        // EVP_PKEY_verify(3): 1 is valid; 0 and every negative number are not.
        if result == 1 { return true }
        ErrorQueue.clear()
        return false
    }
}

@available(*, unavailable)
extension RSAVerifier: Sendable {}
