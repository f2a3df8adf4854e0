import Testing

@testable import QuashLoad

@Suite struct HTTPResponseReaderTests {
    private func read(_ text: String) throws -> HTTPResponse? {
        var reader = HTTPResponseReader()
        return try reader.read(Array(text.utf8).span)
    }

    @Test(arguments: [
        ("HTTP/1.1 204 No Content\r\n\r\n", HTTPResponse(status: 204, closes: false, bodyCount: 0)),
        ("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n", .init(status: 401, closes: false, bodyCount: 0)),
        ("HTTP/1.1 200 OK\r\ncontent-LENGTH:5  \r\n\r\nhello", .init(status: 200, closes: false, bodyCount: 5)),
        (
            "HTTP/1.1 503 \r\nConnection: Close\r\nContent-Length: 2\r\n\r\nno",
            .init(status: 503, closes: true, bodyCount: 2)
        ),
        ("HTTP/1.0 204 No Content\r\n\r\n", .init(status: 204, closes: true, bodyCount: 0)),
        ("HTTP/1.0 204 No Content\r\nConnection: keep-alive\r\n\r\n", .init(status: 204, closes: false, bodyCount: 0)),
    ])
    func aWholeResponseIsRead(text: String, response: HTTPResponse) throws {
        #expect(try read(text) == response)
    }

    @Test func aResponseMayComeByteByByte() throws {
        var reader = HTTPResponseReader()
        let bytes = Array("HTTP/1.1 200 OK\r\nX: \r\nContent-Length: 3\r\n\r\nabc".utf8)
        for _ in 0..<2 {
            for index in bytes.indices.dropLast() {
                #expect(try reader.read(bytes.span.extracting(index..<index + 1)) == nil)
                #expect(reader.isWithin)
            }
            let last = try reader.read(bytes.span.extracting(bytes.count - 1..<bytes.count))
            #expect(last == HTTPResponse(status: 200, closes: false, bodyCount: 3))
            #expect(reader.body == Array("abc".utf8))
            reader.next()
            #expect(!reader.isWithin)
        }
    }

    @Test(arguments: [
        "HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 2x0 OK\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", "SSH-2.0-OpenSSH\r\n\r\n", "\r\n\r\n\r\n\r\n",
    ])
    func whatCannotBeReadIsAFailure(text: String) {
        #expect(throws: Failure.self) { try read(text) }
    }
}
