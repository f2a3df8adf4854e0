/// A response of which everything but the date is made in advance, once, for any number of answers.
package struct PreparedResponse: Sendable {
    package let status: HTTPStatus
    /// Up to and including "Date: ", which stands last, so that the date is appended and not patched.
    private let head: [UInt8]
    package let body: [UInt8]

    /// - Parameter fields: without Content-Length, Date, Connection and Transfer-Encoding, which are made here.
    package init(_ status: HTTPStatus, fields: FieldLines = [:], body: [UInt8] = []) {
        precondition(body.isEmpty || !status.hasNoContent, "a response of status \(status.code) has no content")
        precondition(status.code >= 200, "an interim response is no answer")
        var head = Array("HTTP/1.1 \(status.code) \(status.reason)\r\n".utf8)
        head += fields.bytes
        // RFC 9110 §8.6: not with 204; 304 would have to say the length that 200 would have had.
        if !status.hasNoContent { head += Array("Content-Length: \(body.count)\r\n".utf8) }
        head += Array("Date: ".utf8)
        self.status = status
        self.head = head
        self.body = body
    }

    /// Appends the whole response to `output`.
    /// - Parameters:
    ///   - closes: this is the connection's last response.
    ///   - withoutBody: it answers HEAD, for which the length is told and the content left out (RFC 9110 §9.3.2).
    func append(
        to output: inout [UInt8], date: inout HTTPDate, extraFields: FieldLines? = nil, closes: Bool, withoutBody: Bool
    ) {
        output += head
        date.append(to: &output)
        if let extraFields { output += extraFields.bytes }
        if closes { output += Self.closeLine }
        output += Self.lineEnd
        if !withoutBody { output += body }
    }

    private static let closeLine = Array("Connection: close\r\n".utf8)
    private static let lineEnd: [UInt8] = [0x0D, 0x0A]
}
