import COpenSSL

/// A private RSA key within `RSAPolicy`, for RSASSA-PKCS1-v1_5 with SHA-256 (RS256, RFC 7518 §3.3).
///
/// Shared between threads: a signature uses a context of its own.
@safe
public final class RSAPrivateKey: @unchecked Sendable {
    // SAFETY: as for RSAPublicKey.pointer. The blinding that signing keeps in the key is locked by OpenSSL.
    private let pointer: OpaquePointer
    /// The public half.
    public let publicKey: RSAPublicKey

    /// A new key of `bits` bits. Takes about 50 ms for 2048.
    ///
    /// - Throws: `CryptoError.key` for a size outside `RSAPolicy`.
    public static func generate(bits: Int = 2048) throws(CryptoError) -> RSAPrivateKey {
        guard RSAPolicy.modulusBits.contains(bits) else {
            throw .key(
                problem: "an RSA key of \(bits) bits was asked for; it must have "
                    + "\(RSAPolicy.modulusBits.lowerBound) to \(RSAPolicy.modulusBits.upperBound)")
        }
        ErrorQueue.clear()
        guard let context = unsafe EVP_PKEY_CTX_new_from_name(nil, "RSA", nil) else {
            throw ErrorQueue.openSSLError("prepare an RSA key")
        }
        defer { unsafe EVP_PKEY_CTX_free(context) }
        var key: OpaquePointer?
        guard unsafe EVP_PKEY_keygen_init(context) == 1,
            unsafe EVP_PKEY_CTX_set_rsa_keygen_bits(context, Int32(bits)) == 1,
            unsafe EVP_PKEY_generate(context, &key) == 1, let key = unsafe key
        else { throw ErrorQueue.openSSLError("generate an RSA key") }
        return try unsafe RSAPrivateKey(owning: key)
    }

    /// The key in the PEM file at `path`, PKCS#8 or PKCS#1, unencrypted.
    ///
    /// The file must belong to this user or root and be closed to everyone else (mode 600), and not be a link.
    ///
    /// - Throws: `CryptoError.file`, which names the path and what to do.
    public static func load(path: String) throws(CryptoError) -> RSAPrivateKey {
        var pem = try SecretFile.read(path: path)
        defer { SecretFile.wipe(&pem) }
        do {
            return try RSAPrivateKey(pem: pem)
        } catch {
            guard case .key(let problem) = error else { throw error }
            throw .file(path: path, problem: problem)
        }
    }

    /// The key in `pem`, PKCS#8 or PKCS#1, unencrypted.
    ///
    /// - Throws: `CryptoError.key` if there is none, it is outside `RSAPolicy`, or its halves do not belong together.
    package convenience init(pem: [UInt8]) throws(CryptoError) {
        switch unsafe PEM.privateKey(pem) {
        case .success(let key): try unsafe self.init(owning: key)
        case .failure(let problem): throw .key(problem: problem.text)
        }
        // A damaged file can hold numbers that do not fit each other. Better found now than by every validator.
        let message = Array("quash".utf8)
        let signature = try sign(message.span)
        guard try RSAVerifier(publicKey).verify(signature: signature.span, message: message.span) else {
            throw .key(problem: "is damaged: its public half does not verify what its private half signs")
        }
    }

    /// Takes over one reference to `key`, also when it throws.
    private init(owning key: OpaquePointer) throws(CryptoError) {
        unsafe pointer = key
        unsafe EVP_PKEY_up_ref(key)
        do throws(CryptoError) {
            publicKey = try unsafe RSAPublicKey(owning: key)
        } catch {
            unsafe EVP_PKEY_free(key)
            throw error
        }
    }

    deinit {
        unsafe EVP_PKEY_free(pointer)
    }

    /// The signature of `message`, as long as the modulus. The same message gives the same bytes (RFC 8017 §8.2).
    package func sign(_ message: Span<UInt8>) throws(CryptoError) -> [UInt8] {
        ErrorQueue.clear()
        guard let context = unsafe EVP_PKEY_CTX_new_from_pkey(nil, pointer, nil) else {
            throw ErrorQueue.openSSLError("prepare a signature")
        }
        defer { unsafe EVP_PKEY_CTX_free(context) }
        guard unsafe EVP_PKEY_sign_init(context) == 1,
            unsafe EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1,
            unsafe EVP_PKEY_CTX_set_signature_md(context, SHA256.algorithm) == 1
        else { throw ErrorQueue.openSSLError("prepare a signature") }
        let digest = SHA256.digest(of: message)
        var signature = [UInt8](repeating: 0, count: publicKey.modulus.count)
        var count = signature.count
        guard unsafe EVP_PKEY_sign(context, &signature, &count, digest, digest.count) == 1, count == signature.count
        else { throw ErrorQueue.openSSLError("sign") }
        return signature
    }

    /// The key in PEM, PKCS#8, unencrypted: for `SecretFile.create` and nothing else.
    package var pem: [UInt8] {
        get throws(CryptoError) {
            try unsafe PEM.bytes { bio in unsafe PEM_write_bio_PKCS8PrivateKey(bio, pointer, nil, nil, 0, nil, nil) }
        }
    }
}
