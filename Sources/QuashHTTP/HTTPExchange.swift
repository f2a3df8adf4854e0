package import QuashLoop

/// The answer that one request is waiting for. It may be kept and used later, on the loop of its server.
///
/// When the client is gone, an answer is dropped without a word. To answer twice is a bug and traps.
package struct HTTPExchange {
    private let connection: ServerConnection
    private let number: UInt64
    private let isHead: Bool

    init(_ connection: ServerConnection, number: UInt64, isHead: Bool) {
        self.connection = connection
        self.number = number
        self.isHead = isHead
    }

    package var loop: Loop { connection.loop }

    /// Tells the exchanges of one connection from those of others, while it is open.
    package var client: ObjectIdentifier { ObjectIdentifier(connection) }

    /// Who asks, for people, as `Connection.peer` says it; empty once the client is gone.
    package var peer: String { connection.peer }

    /// Whether there is still somebody to answer.
    package var isOpen: Bool { !connection.isClosed }

    /// Answers with a response that was made in advance, and with `extraFields` if there are any.
    package func send(_ response: PreparedResponse, extraFields: FieldLines? = nil) {
        connection.answer(number, response, extraFields: extraFields, withoutBody: isHead)
    }

    /// Answers with a response made for this request.
    /// - Parameter fields: without Content-Length, Date, Connection and Transfer-Encoding, which are made here.
    package func send(_ status: HTTPStatus, fields: FieldLines = [:], body: [UInt8] = []) {
        send(PreparedResponse(status, fields: fields, body: body))
    }

    /// Begins a response of status 200 that goes on, and is the last of its connection.
    ///
    /// - Parameter fields: without Content-Length, Date, Connection and Transfer-Encoding.
    /// - Returns: nil when the client has sent other requests that wait for their answers, and this one has still to be
    ///   answered.
    package func stream(fields: FieldLines) -> HTTPStream? {
        connection.beginStream(number, fields: fields)
    }

    /// Answers with text in UTF-8.
    package func send(_ status: HTTPStatus, text: String) {
        send(status, fields: ["Content-Type": "text/plain; charset=utf-8"], body: Array(text.utf8))
    }
}

@available(*, unavailable)
extension HTTPExchange: Sendable {}
