/// A response without a length that goes on until one of both sides ends it: for a client that follows something.
///
/// It is the last of its connection (RFC 9112 §6.3: its content ends with the connection), and on the loop of its
/// server.
package final class HTTPStream {
    private let connection: ServerConnection
    private let number: UInt64
    private var closed: (() -> Void)?

    init(_ connection: ServerConnection, number: UInt64) {
        self.connection = connection
        self.number = number
    }

    /// Calls `closed` once, when the client is gone or the stream was ended.
    package func whenClosed(_ closed: @escaping () -> Void) { self.closed = closed }

    /// Sends more. Nothing piles up for a client that does not read: while something that was sent before waits for it,
    /// this is left out, and after the server's `writeTimeout` the connection closes.
    ///
    /// - Returns: false when it was left out.
    @discardableResult
    package func send(_ bytes: [UInt8]) -> Bool { connection.send(bytes) }

    /// Ends the response, and with it the connection.
    package func end() { connection.endStream(number) }

    func didClose() {
        let closed = closed
        self.closed = nil
        closed?()
    }
}

@available(*, unavailable)
extension HTTPStream: Sendable {}
