/// What a connection tells its user. Every call comes on the connection's loop, never from within a call of the user's
/// into the connection.
package protocol ConnectionDelegate: AnyObject {
    /// The connection is ready to write to: connected and, with TLS, with the handshake done. Called once, or never.
    func connectionOpened(_ connection: Connection)

    /// `bytes` arrived. They are valid during the call only.
    func connection(_ connection: Connection, received bytes: UnsafeRawBufferPointer)

    /// Everything that was queued has been handed to the kernel, after a `write` that returned false.
    func connectionDrained(_ connection: Connection)

    /// The peer ended its side; no more bytes will come, but it may still read. Without an own answer to this, the
    /// connection closes with `.endOfStream`.
    func connectionReachedEnd(_ connection: Connection)

    /// The connection is gone. Called exactly once, and last. `reason` is nil when this side closed it.
    func connectionClosed(_ connection: Connection, because reason: LoopError?)
}

extension ConnectionDelegate {
    /// Closes the connection: most users have nothing to say to a peer that has ended.
    package func connectionReachedEnd(_ connection: Connection) {
        connection.close(because: LoopError(.endOfStream, "the peer closed the connection"))
    }
}
