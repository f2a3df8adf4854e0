import COpenSSL

/// One TLS connection as bytes in, bytes out. It knows no socket and no clock.
///
/// The owner feeds what the network gave (`receive`), lets the session work (`advance`), and after every call, also one
/// that threw, sends what `takeOutput` returns: a failed handshake leaves the alert for the peer there.
/// A network that ends before `.peerClosed` has lost or hidden data (RFC 8446 §6.1); only the owner can see that.
///
/// It belongs to one loop.
@safe
package final class TLSSession {
    /// Which end of the connection this is.
    package enum Role {
        case server
        /// `serverName` is a DNS name or the text of an IP address; the server's certificate must be for it.
        case client(serverName: String)
    }

    /// What came out of the bytes that were received.
    @unsafe
    package enum Event {
        /// The handshake is done and the peer's certificate, where one was demanded, is verified. Once, and first.
        case established
        /// Decrypted bytes, valid during the call.
        case plaintext(UnsafeRawBufferPointer)
        /// The peer said close_notify: what came before is complete. Once, and last.
        case peerClosed
    }

    private enum State {
        case handshaking
        case established
        /// The peer ended its direction; ours still works.
        case peerClosed
        case closed
        case failed(CryptoError)
    }

    private let session: OpaquePointer
    // SAFETY: both BIOs belong to `session` since SSL_set_bio and are freed with it.
    private let input: OpaquePointer
    private let output: OpaquePointer
    private var state = State.handshaking
    private var isAdvancing = false

    /// A new session. A client has its first flight ready after the first `advance`.
    ///
    /// - Throws: `CryptoError.tls` for a `serverName` that cannot name a server.
    package init(_ context: TLSContext, role: Role) throws(CryptoError) {
        ErrorQueue.clear()
        guard let session = unsafe SSL_new(context.pointer) else { throw ErrorQueue.openSSLError("make a TLS session") }
        guard let input = unsafe BIO_new(BIO_s_mem()), let output = unsafe BIO_new(BIO_s_mem()) else {
            unsafe SSL_free(session)
            throw ErrorQueue.openSSLError("allocate a memory BIO")
        }
        unsafe quash_bio_retry_when_empty(input)
        unsafe quash_bio_retry_when_empty(output)
        unsafe SSL_set_bio(session, input, output)
        unsafe self.session = session
        unsafe self.input = input
        unsafe self.output = output

        switch role {
        case .server:
            precondition(context.isServer, "a server session needs a server's context")
            unsafe SSL_set_accept_state(session)
        case .client(let serverName):
            precondition(!context.isServer, "a client session needs a client's context")
            unsafe SSL_set_connect_state(session)
            try expect(serverName)
        }
    }

    deinit {
        unsafe SSL_free(session)
    }

    /// Takes bytes from the network. They are processed by the next `advance`.
    package func receive(_ ciphertext: UnsafeRawBufferPointer) throws(CryptoError) {
        if case .failed(let error) = state { throw error }
        guard unsafe !ciphertext.isEmpty else { return }
        var written = 0
        guard unsafe BIO_write_ex(input, ciphertext.baseAddress, ciphertext.count, &written) == 1,
            written == ciphertext.count
        else { throw fail(ErrorQueue.openSSLError("buffer ciphertext")) }
    }

    /// Handshakes and decrypts as far as the received bytes reach, and tells `onEvent` of each step in order.
    ///
    /// `onEvent` may call `send` and `close`; after `close` no further event comes.
    /// - Throws: what ended the session. Every later call that needs the session throws the same.
    package func advance(_ onEvent: (Event) -> Void) throws(CryptoError) {
        precondition(!isAdvancing, "advance called from inside its own event")
        isAdvancing = true
        defer { isAdvancing = false }
        if case .failed(let error) = state { throw error }
        if case .handshaking = state {
            ErrorQueue.clear()
            let result = unsafe SSL_do_handshake(session)
            guard result == 1 else { return try waitOrFail(result) }
            state = .established
            unsafe onEvent(.established)
        }
        try unsafe read(onEvent)
        if pendingOutputBytes > TLSLimits.maxPendingOutputBytes { throw fail(.outputFull) }
    }

    /// Encrypts `plaintext` whole into the output.
    ///
    /// Not before `.established` and not after `close`: both are bugs of the caller.
    /// - Throws: `.outputFull` when the network has not taken enough of what was sent before; the session goes on.
    package func send(_ plaintext: UnsafeRawBufferPointer) throws(CryptoError) {
        switch state {
        case .handshaking: preconditionFailure("TLS send before the handshake is done")
        case .closed: preconditionFailure("TLS send after close")
        case .failed(let error): throw error
        case .established, .peerClosed: break
        }
        guard pendingOutputBytes + plaintext.count <= TLSLimits.maxPendingOutputBytes else { throw .outputFull }
        var sent = 0
        while sent < plaintext.count {
            ErrorQueue.clear()
            var written = 0
            let rest = unsafe UnsafeRawBufferPointer(rebasing: plaintext[sent...])
            // A memory BIO takes everything and renegotiation is off, so there is nothing to wait for: no is failure.
            let result = unsafe SSL_write_ex(session, rest.baseAddress, rest.count, &written)
            guard result == 1 else { throw fail(.tls(reason: ErrorQueue.takeReason())) }
            sent += written
        }
    }

    /// Ciphertext that waits for the network, in bytes.
    package var pendingOutputBytes: Int {
        unsafe BIO_ctrl_pending(output)
    }

    /// The ciphertext to send now, in order; empties the output.
    package func takeOutput() -> [UInt8] {
        let count = pendingOutputBytes
        guard count > 0 else { return [] }
        return unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, initializedCount in
            unsafe precondition(BIO_read_ex(output, buffer.baseAddress, count, &initializedCount) == 1)
        }
    }

    /// Says close_notify, if there is a session to close, and ends the events. What `takeOutput` holds is still to be
    /// sent.
    package func close() {
        switch state {
        case .established, .peerClosed:
            ErrorQueue.clear()
            // 0 only says that the peer's close_notify has not come yet (SSL_shutdown(3)).
            if unsafe SSL_shutdown(session) < 0 { ErrorQueue.clear() }
            state = .closed
        case .handshaking:
            state = .closed
        case .closed, .failed:
            // SSL_shutdown(3): not to be called after a fatal error.
            break
        }
    }

    /// The TLS version and cipher in use, for logs: `TLSv1.3 TLS_AES_256_GCM_SHA384`.
    package var negotiated: String {
        // SAFETY: both calls return static strings.
        unsafe String(cString: SSL_get_version(session)) + " "
            + String(cString: SSL_CIPHER_get_name(SSL_get_current_cipher(session)))
    }

    private func read(_ onEvent: (Event) -> Void) throws(CryptoError) {
        let outcome: Result<Void, CryptoError> = unsafe withUnsafeTemporaryAllocation(
            byteCount: TLSLimits.maxRecordBytes, alignment: 16
        ) { buffer in
            while case .established = state {
                ErrorQueue.clear()
                var count = 0
                let result = unsafe SSL_read_ex(session, buffer.baseAddress, buffer.count, &count)
                if result == 1 {
                    unsafe onEvent(.plaintext(UnsafeRawBufferPointer(rebasing: buffer[..<count])))
                } else if unsafe SSL_get_error(session, result) == SSL_ERROR_ZERO_RETURN {
                    state = .peerClosed
                    unsafe onEvent(.peerClosed)
                } else {
                    do throws(CryptoError) {
                        return .success(try waitOrFail(result))
                    } catch {
                        return .failure(error)
                    }
                }
            }
            return .success(())
        }
        try outcome.get()
    }

    private func waitOrFail(_ result: Int32) throws(CryptoError) {
        guard unsafe SSL_get_error(session, result) != SSL_ERROR_WANT_READ else { return }
        let reason = ErrorQueue.takeReason()
        let verification = unsafe SSL_get_verify_result(session)
        guard verification == X509_V_OK else {
            // SAFETY: X509_verify_cert_error_string(3) returns a static string for every code that is not unknown.
            let text = unsafe String(cString: X509_verify_cert_error_string(verification))
            throw fail(.certificateRefused(reason: text))
        }
        throw fail(.tls(reason: reason))
    }

    private func fail(_ error: CryptoError) -> CryptoError {
        state = .failed(error)
        return error
    }

    /// Demands that the server's certificate is for `name` (RFC 9525: subject alternative names only), and says so in
    /// SNI, which carries DNS names only (RFC 6066 §3).
    private func expect(_ name: String) throws(CryptoError) {
        // X509_check_host(3) takes an empty name for "check nothing" and a leading dot for "any subdomain".
        guard !name.isEmpty, !name.utf8.contains(0), !name.hasPrefix(".") else {
            throw .tls(reason: "not a server's name: \(name.debugDescription)")
        }
        // SAFETY: SSL_get0_param(3) returns the session's own parameters, which live as long as it does.
        let parameters = unsafe SSL_get0_param(session)
        defer { ErrorQueue.clear() }
        if unsafe X509_VERIFY_PARAM_set1_ip_asc(parameters, name) == 1 { return }
        let flags = UInt32(X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT)
        unsafe SSL_set_hostflags(session, flags)
        guard unsafe SSL_set1_host(session, name) == 1, unsafe quash_ssl_set_sni(session, name) == 1 else {
            throw ErrorQueue.openSSLError("set the server's name")
        }
    }
}

@available(*, unavailable)
extension TLSSession: Sendable {}
