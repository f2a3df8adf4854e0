import QuashCrypto

/// A connection's bytes through its TLS session, in both directions.
extension Connection {
    /// Takes what the socket gave and delivers what it means.
    func decrypt(_ bytes: UnsafeRawBufferPointer, _ tls: TLSSession) {
        // After closeAfterFlush the session takes no more, and what arrives is thrown away.
        guard state == .handshaking || state == .open else { return }
        do throws(CryptoError) {
            try unsafe tls.receive(bytes)
            advance(tls)
        } catch {
            tlsFailed(tls, error)
        }
    }

    /// Writes `bytes` through the session; as `write` otherwise.
    func encrypt(_ bytes: UnsafeRawBufferPointer, _ tls: TLSSession) -> Bool {
        do throws(CryptoError) {
            try unsafe tls.send(bytes)
            return sendOutput(of: tls)
        } catch {
            tlsFailed(tls, error)
            return false
        }
    }

    /// Works as far as the received bytes reach; a client begins its handshake with the first call.
    func advance(_ tls: TLSSession) {
        do throws(CryptoError) {
            try unsafe tls.advance { event in
                switch unsafe event {
                case .established: if state == .handshaking { opened() }
                case .plaintext(let bytes): unsafe deliver(bytes)
                case .peerClosed: reachedEnd()
                }
            }
            sendOutput(of: tls)
        } catch {
            tlsFailed(tls, error)
        }
    }

    /// Writes the ciphertext that waits in the session; false when some of it has to wait for the peer.
    @discardableResult
    func sendOutput(of tls: TLSSession) -> Bool {
        guard tls.pendingOutputBytes > 0 else { return queuedBytes == 0 }
        let output = tls.takeOutput()
        return unsafe output.withUnsafeBytes { unsafe send($0) }
    }

    private func tlsFailed(_ tls: TLSSession, _ error: CryptoError) {
        // What waits is the alert that tells the peer why.
        sendOutput(of: tls)
        if case .outputFull = error {
            close(because: LoopError(.limit, "the peer does not read: \(error)"))
        } else {
            close(because: LoopError(.tls, "\(error)"))
        }
    }
}
