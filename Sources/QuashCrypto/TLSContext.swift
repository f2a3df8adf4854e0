import COpenSSL
import Glibc

/// The limits of TLS in one place.
package enum TLSLimits {
    /// Ciphertext that may wait in a session for the network, in bytes.
    package static let maxPendingOutputBytes = 4 * 1024 * 1024
    /// The largest plaintext of one TLS record, RFC 8446 §5.1.
    static let maxRecordBytes = 16 * 1024
}

/// What every TLS session of one listener, or of one kind of client, has in common: certificate, key and trust.
///
/// Made once, read only from then on, shared between loops. To reload certificates, make a new one for new sessions.
/// TLS 1.2 or newer; no renegotiation, no compression, no resumption.
@safe
package final class TLSContext: @unchecked Sendable {
    // SAFETY: SSL_new(3) counts references atomically and is documented as safe from several threads for one SSL_CTX
    // that nobody changes; nothing here changes it after init, hence also `@unchecked Sendable`.
    let pointer: OpaquePointer
    let isServer: Bool

    /// A certificate chain in PEM, leaf first, and its private key, which `SecretFile` guards.
    package struct Identity: Sendable {
        package var certificateChainPath: String
        package var privateKeyPath: String

        package init(certificateChainPath: String, privateKeyPath: String) {
            self.certificateChainPath = certificateChainPath
            self.privateKeyPath = privateKeyPath
        }
    }

    /// Whom a client believes.
    package enum Trust: Sendable {
        case systemRoots
        case certificateAuthorities(path: String)
    }

    /// A server's context. With `clientCertificateAuthoritiesPath`, mutual TLS: a client without a certificate that
    /// leads to one of these authorities is refused.
    package static func server(
        identity: Identity, clientCertificateAuthoritiesPath: String? = nil
    ) throws(CryptoError) -> TLSContext {
        let context = try TLSContext(isServer: true)
        try context.use(identity)
        if let path = clientCertificateAuthoritiesPath { try context.requireClientCertificates(from: path) }
        return context
    }

    /// A client's context. It always verifies the server; `identity` is for servers that ask for mutual TLS.
    package static func client(trust: Trust, identity: Identity? = nil) throws(CryptoError) -> TLSContext {
        let context = try TLSContext(isServer: false)
        switch trust {
        case .systemRoots:
            guard unsafe SSL_CTX_set_default_verify_paths(context.pointer) == 1 else {
                throw ErrorQueue.openSSLError("load the system's certificate authorities")
            }
        case .certificateAuthorities(let path):
            try context.trust(path)
        }
        unsafe SSL_CTX_set_verify(context.pointer, SSL_VERIFY_PEER, nil)
        if let identity { try context.use(identity) }
        return context
    }

    /// Until when the certificate of the identity is good (RFC 5280 §4.1.2.5), in seconds since 1970; nil without one.
    package var certificateExpiry: Int64? {
        // SAFETY: SSL_CTX_get0_certificate(3) and X509_get0_notAfter(3) give internal pointers, which are read at once.
        guard let certificate = unsafe SSL_CTX_get0_certificate(pointer) else { return nil }
        var time = unsafe tm()
        guard unsafe ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &time) == 1 else { return nil }
        return unsafe Int64(timegm(&time))
    }

    private init(isServer: Bool) throws(CryptoError) {
        ErrorQueue.clear()
        guard let context = unsafe SSL_CTX_new(isServer ? TLS_server_method() : TLS_client_method()) else {
            throw ErrorQueue.openSSLError("make a TLS context")
        }
        unsafe self.pointer = context
        self.isServer = isServer
        // Level 2 is 112 bits of security: RSA and DH from 2048 bits, no SHA-1 signatures.
        unsafe SSL_CTX_set_security_level(context, 2)
        unsafe quash_ssl_ctx_harden(context)
        guard unsafe quash_ssl_ctx_require_tls12(context) == 1, unsafe SSL_CTX_set_num_tickets(context, 0) == 1 else {
            throw ErrorQueue.openSSLError("configure a TLS context")
        }
    }

    deinit {
        unsafe SSL_CTX_free(pointer)
    }

    private func use(_ identity: Identity) throws(CryptoError) {
        ErrorQueue.clear()
        guard unsafe SSL_CTX_use_certificate_chain_file(pointer, identity.certificateChainPath) == 1 else {
            throw .file(path: identity.certificateChainPath, problem: certificateProblem())
        }
        var pem = try SecretFile.read(path: identity.privateKeyPath)
        defer { SecretFile.wipe(&pem) }
        switch unsafe PEM.privateKey(pem) {
        case .failure(let problem):
            throw .file(path: identity.privateKeyPath, problem: problem.text)
        case .success(let key):
            defer { unsafe EVP_PKEY_free(key) }
            ErrorQueue.clear()
            guard unsafe SSL_CTX_use_PrivateKey(pointer, key) == 1, unsafe SSL_CTX_check_private_key(pointer) == 1
            else {
                let reason = ErrorQueue.takeReason()
                throw .file(
                    path: identity.privateKeyPath,
                    problem: "does not belong to the certificate in \(identity.certificateChainPath): \(reason)")
            }
        }
    }

    private func trust(_ path: String) throws(CryptoError) {
        ErrorQueue.clear()
        guard unsafe SSL_CTX_load_verify_file(pointer, path) == 1 else {
            throw .file(path: path, problem: certificateProblem())
        }
    }

    private func requireClientCertificates(from path: String) throws(CryptoError) {
        try trust(path)
        // The names tell a client which of its certificates to send.
        guard let names = unsafe SSL_load_client_CA_file(path) else {
            throw .file(path: path, problem: certificateProblem())
        }
        unsafe SSL_CTX_set_client_CA_list(pointer, names)
        unsafe SSL_CTX_set_verify(pointer, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nil)
    }

    private func certificateProblem() -> String {
        "holds no usable certificates in PEM: \(ErrorQueue.takeReason())"
    }
}
