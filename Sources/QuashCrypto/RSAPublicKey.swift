import COpenSSL

/// The RSA keys that are used at all.
///
/// RFC 7518 §3.3 demands 2048 bits or more; 4096 bounds the work that one verification can be made to cost; 65537 is
/// what everyone uses, and small exponents have been the way into broken verifiers.
public enum RSAPolicy {
    /// The sizes of a modulus, in bits.
    public static let modulusBits = 2048...4096
    /// The only public exponent, big-endian: 65537.
    public static let exponent: [UInt8] = [1, 0, 1]
}

/// A public RSA key within `RSAPolicy`, for RSASSA-PKCS1-v1_5 with SHA-256 (RS256, RFC 7518 §3.3).
@safe
public final class RSAPublicKey: @unchecked Sendable {
    // SAFETY: the key is changed by nobody after init. EVP_PKEY(3) may be shared by threads that only read it, and its
    // references are counted atomically. Hence also `@unchecked Sendable`.
    let pointer: OpaquePointer
    /// The modulus n, big-endian without leading zeros.
    public let modulus: [UInt8]

    /// The exponent e, big-endian.
    public var exponent: [UInt8] { RSAPolicy.exponent }

    /// A key from its numbers, big-endian without leading zeros, as RFC 7518 §6.3.1 has them.
    ///
    /// - Throws: `CryptoError.key` outside `RSAPolicy`.
    public convenience init(modulus: [UInt8], exponent: [UInt8]) throws(CryptoError) {
        // The cheap refusals come first, so that no number of absurd size reaches OpenSSL.
        guard modulus.count <= RSAPolicy.modulusBits.upperBound / 8, modulus.first != 0 else {
            throw .key(problem: "the RSA modulus is too large or starts with a zero")
        }
        guard exponent == RSAPolicy.exponent else { throw .key(problem: "the RSA exponent is not 65537") }
        try unsafe self.init(owning: try Self.key(modulus: modulus, exponent: exponent))
    }

    /// A key from PEM (SubjectPublicKeyInfo, RFC 7468 §13).
    ///
    /// - Throws: `CryptoError.key` if there is none or it is outside `RSAPolicy`.
    public convenience init(pem: String) throws(CryptoError) {
        switch unsafe PEM.publicKey(Array(pem.utf8)) {
        case .success(let key): try unsafe self.init(owning: key)
        case .failure(let problem): throw .key(problem: "the PEM text \(problem.text)")
        }
    }

    /// Takes over one reference to `key`, also when it throws.
    init(owning key: OpaquePointer) throws(CryptoError) {
        unsafe pointer = key
        do throws(CryptoError) {
            modulus = try unsafe Self.checkedModulus(of: key)
        } catch {
            // Swift runs no deinit for an object that was not initialized whole.
            unsafe EVP_PKEY_free(key)
            throw error
        }
    }

    deinit {
        unsafe EVP_PKEY_free(pointer)
    }

    /// The key in PEM (SubjectPublicKeyInfo).
    package var pem: String {
        get throws(CryptoError) {
            let bytes = try unsafe PEM.bytes { bio in unsafe PEM_write_bio_PUBKEY(bio, pointer) }
            return String(decoding: bytes, as: UTF8.self)
        }
    }

    private static func key(modulus: [UInt8], exponent: [UInt8]) throws(CryptoError) -> OpaquePointer {
        ErrorQueue.clear()
        let n = unsafe BN_bin2bn(modulus, Int32(modulus.count), nil)
        let e = unsafe BN_bin2bn(exponent, Int32(exponent.count), nil)
        let builder = unsafe OSSL_PARAM_BLD_new()
        let context = unsafe EVP_PKEY_CTX_new_from_name(nil, "RSA", nil)
        defer {
            unsafe EVP_PKEY_CTX_free(context)
            unsafe OSSL_PARAM_BLD_free(builder)
            unsafe BN_free(e)
            unsafe BN_free(n)
        }
        guard let n = unsafe n, let e = unsafe e, let builder = unsafe builder, let context = unsafe context,
            unsafe OSSL_PARAM_BLD_push_BN(builder, quash_rsa_modulus, n) == 1,
            unsafe OSSL_PARAM_BLD_push_BN(builder, quash_rsa_exponent, e) == 1,
            let parameters = unsafe OSSL_PARAM_BLD_to_param(builder)
        else { throw ErrorQueue.openSSLError("describe an RSA key") }
        defer { unsafe OSSL_PARAM_free(parameters) }
        var key: OpaquePointer?
        guard unsafe EVP_PKEY_fromdata_init(context) == 1,
            unsafe EVP_PKEY_fromdata(context, &key, quash_evp_pkey_public_key, parameters) == 1, let key = unsafe key
        else { throw .key(problem: "not an RSA key: \(ErrorQueue.takeReason())") }
        return unsafe key
    }

    /// The modulus of `key`, if it is within `RSAPolicy`.
    private static func checkedModulus(of key: OpaquePointer) throws(CryptoError) -> [UInt8] {
        // "RSA" excludes RSA-PSS keys, which must not be used with PKCS#1 v1.5.
        guard unsafe EVP_PKEY_is_a(key, "RSA") == 1 else { throw .key(problem: "the key is not an RSA key") }
        let bits = unsafe Int(EVP_PKEY_get_bits(key))
        guard RSAPolicy.modulusBits.contains(bits) else {
            throw .key(
                problem: "the RSA key has \(bits) bits; it must have "
                    + "\(RSAPolicy.modulusBits.lowerBound) to \(RSAPolicy.modulusBits.upperBound)")
        }
        guard try unsafe number(quash_rsa_exponent, of: key) == RSAPolicy.exponent else {
            throw .key(problem: "the RSA exponent is not 65537")
        }
        let modulus = try unsafe number(quash_rsa_modulus, of: key)
        guard let last = modulus.last, last & 1 == 1 else { throw .key(problem: "the RSA modulus is even") }
        return modulus
    }

    private static func number(_ name: UnsafePointer<CChar>, of key: OpaquePointer) throws(CryptoError) -> [UInt8] {
        var number: OpaquePointer?
        guard unsafe EVP_PKEY_get_bn_param(key, name, &number) == 1, let number = unsafe number else {
            throw ErrorQueue.openSSLError("read an RSA key")
        }
        defer { unsafe BN_free(number) }
        let count = unsafe Int(BN_num_bits(number) + 7) / 8
        return unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, initializedCount in
            // SAFETY: BN_bn2bin(3) writes BN_num_bytes, which is the count above.
            initializedCount = unsafe Int(BN_bn2bin(number, buffer.baseAddress))
        }
    }
}

extension RSAPublicKey: Equatable {
    public static func == (left: RSAPublicKey, right: RSAPublicKey) -> Bool {
        left.modulus == right.modulus
    }
}
