import COpenSSL

/// Keys in PEM, read and written through memory BIOs.
enum PEM {
    /// The private key in `pem`, PKCS#8 or PKCS#1, of any type; the caller owns it. `problem` names what is wrong.
    static func privateKey(_ pem: [UInt8]) -> Result<OpaquePointer, Problem> {
        // An encrypted key is refused here. With no callback OpenSSL would ask the terminal, and a service would hang.
        unsafe key(pem) { bio in unsafe PEM_read_bio_PrivateKey(bio, nil, { _, _, _, _ in -1 }, nil) }
    }

    /// The public key in `pem`, SubjectPublicKeyInfo, of any type; the caller owns it.
    static func publicKey(_ pem: [UInt8]) -> Result<OpaquePointer, Problem> {
        unsafe key(pem) { bio in unsafe PEM_read_bio_PUBKEY(bio, nil, nil, nil) }
    }

    struct Problem: Error {
        let text: String
    }

    /// The bytes that `write` leaves in a memory BIO.
    static func bytes(_ write: (OpaquePointer) -> Int32) throws(CryptoError) -> [UInt8] {
        guard let bio = unsafe BIO_new(BIO_s_mem()) else { throw ErrorQueue.openSSLError("allocate a memory BIO") }
        defer { unsafe BIO_free(bio) }
        guard unsafe write(bio) == 1 else { throw ErrorQueue.openSSLError("write PEM") }
        var start: UnsafePointer<CChar>?
        let count = unsafe quash_bio_memory(bio, &start)
        // SAFETY: BIO_get_mem_data(3) gives the BIO's own bytes, valid until it changes; they are copied here.
        return unsafe Array(UnsafeRawBufferPointer(start: start, count: count))
    }

    private static func key(_ pem: [UInt8], read: (OpaquePointer) -> OpaquePointer?) -> Result<OpaquePointer, Problem> {
        ErrorQueue.clear()
        return unsafe pem.withUnsafeBytes { bytes in
            // SAFETY: BIO_new_mem_buf(3) borrows the bytes, which outlive this closure and so the BIO.
            guard let bio = unsafe BIO_new_mem_buf(bytes.baseAddress, Int32(clamping: bytes.count)) else {
                return unsafe .failure(Problem(text: ErrorQueue.takeReason()))
            }
            defer { unsafe BIO_free(bio) }
            guard let key = unsafe read(bio) else { return unsafe .failure(problem()) }
            return unsafe .success(key)
        }
    }

    private static func problem() -> Problem {
        let codes = ErrorQueue.takeCodes()
        if codes.contains(where: { quash_error_is_passphrase($0) != 0 }) {
            return Problem(text: "is encrypted with a passphrase; give an unencrypted key")
        }
        return Problem(text: "holds no key in PEM that OpenSSL can read")
    }
}
