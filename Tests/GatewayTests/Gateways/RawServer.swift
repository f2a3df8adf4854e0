import QuashLoop
import TestSupport

/// A request as a server behind a gateway got it, byte for byte.
struct ReceivedRequest: Sendable {
    /// Up to and with the empty line.
    let head: [UInt8]
    /// With the framing of its chunks.
    let content: [UInt8]
    /// The lines after the last chunk.
    var trailer: [UInt8] = []
    /// Counts the connections, from 0.
    var connection = 0

    /// The lines of the head, without their ends.
    var lines: [String] { Self.lines(head) }
    var trailerLines: [String] { Self.lines(trailer) }

    private static func lines(_ bytes: [UInt8]) -> [String] {
        String(decoding: bytes, as: UTF8.self).split(whereSeparator: { $0 == "\r\n" || $0 == "\n" || $0 == "\r" })
            .map(String.init)
    }

    var requestLine: String { lines.first ?? "" }

    /// The values of every field called `name`, which is in lower case.
    func values(of name: String) -> [String] {
        lines.dropFirst().compactMap { line in
            guard let colon = line.firstIndex(of: ":"), line[..<colon].lowercased() == name else { return nil }
            return line[line.index(after: colon)...].trimmed
        }
    }
}

extension StringProtocol {
    /// Without the spaces and tabs at both ends.
    var trimmed: String {
        String(drop { $0 == " " || $0 == "\t" }.reversed().drop { $0 == " " || $0 == "\t" }.reversed())
    }
}

/// A server that takes whatever comes, keeps it, and answers as it is told: the application behind a gateway, or a
/// validator that has gone wrong.
final class RawServer: Sendable {
    enum Reply: Sendable {
        case send(String)
        case sendAndClose(String)
        /// The connection stays open, and nothing comes.
        case silence
    }

    /// What an application answers that has nothing to say.
    static let ok = Reply.send("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Type: text/plain\r\n\r\nok\n")

    /// What a validator answers that accepts.
    static let acceptance = Reply.send(
        "HTTP/1.1 200 OK\r\nX-Auth-Subject: alice\r\nX-Auth-Session: s\r\nX-Auth-Jti: j\r\nX-Auth-Expires: 1800000000\r\n"
            + "X-Auth-Scope:\r\nContent-Length: 0\r\n\r\n")

    let endpoint: Endpoint
    private let thread: LoopThread
    private let received = Locked<[ReceivedRequest]>([])

    init(
        at endpoint: Endpoint = .tcp(host: "127.0.0.1", port: 0),
        answer: @escaping @Sendable (ReceivedRequest) -> Reply = { _ in RawServer.ok }
    ) throws {
        let address = try BoundAddress(endpoint)
        self.endpoint = address.endpoint
        thread = try LoopThread(name: "raw-server")
        thread.submit { [received] loop in
            var connections = 0
            // The listener lives as long as its loop.
            _ = try? Listener(on: loop, at: address, limits: ConnectionLimits(maxQueuedBytes: 1 << 20)) { _ in
                defer { connections += 1 }
                return RawServerConnection(number: connections) { request in
                    received.withLock { $0.append(request) }
                    return answer(request)
                }
            }
        }
    }

    deinit {
        thread.stop()
        thread.join()
    }

    var port: UInt16 {
        guard case .tcp(_, let port) = endpoint else { preconditionFailure("a unix socket has no port") }
        return port
    }

    /// What has come since the last call of this.
    func takeReceived() -> [ReceivedRequest] {
        received.withLock { requests in
            defer { requests.removeAll() }
            return requests
        }
    }
}

/// One connection of the server, on its loop.
private final class RawServerConnection: ConnectionDelegate {
    private let number: Int
    private let answer: (ReceivedRequest) -> RawServer.Reply
    private var input: [UInt8] = []

    init(number: Int, answer: @escaping (ReceivedRequest) -> RawServer.Reply) {
        self.number = number
        self.answer = answer
    }

    func connectionOpened(_ connection: Connection) {}
    func connectionDrained(_ connection: Connection) {}
    func connectionClosed(_ connection: Connection, because reason: LoopError?) {}

    func connection(_ connection: Connection, received bytes: UnsafeRawBufferPointer) {
        unsafe input.append(contentsOf: bytes)
        while let request = nextRequest() {
            switch answer(request) {
            case .send(let text): _ = connection.write(Array(text.utf8))
            case .sendAndClose(let text):
                _ = connection.write(Array(text.utf8))
                connection.closeAfterFlush(deadline: .seconds(1))
                return
            case .silence: break
            }
        }
    }

    /// Takes a whole request off the input.
    private func nextRequest() -> ReceivedRequest? {
        guard let headEnd = end(of: "\r\n\r\n", from: 0) else { return nil }
        let head = ReceivedRequest(head: Array(input[..<headEnd]), content: [])
        var (contentEnd, end) = (headEnd, headEnd)
        if head.values(of: "transfer-encoding").contains(where: { $0.lowercased() == "chunked" }) {
            guard let ends = endOfChunks(from: headEnd) else { return nil }
            (contentEnd, end) = (ends.content, ends.trailer)
        } else if let length = head.values(of: "content-length").first.flatMap({ Int($0) }) {
            guard input.count >= headEnd + length else { return nil }
            end += length
            contentEnd = end
        }
        defer { input.removeFirst(end) }
        return ReceivedRequest(
            head: head.head, content: Array(input[headEnd..<contentEnd]), trailer: Array(input[contentEnd..<end]),
            connection: number)
    }

    /// Where the last chunk and the trailer end.
    private func endOfChunks(from start: Int) -> (content: Int, trailer: Int)? {
        var position = start
        while let lineEnd = end(of: "\r\n", from: position) {
            let size = String(decoding: input[position..<lineEnd], as: UTF8.self).prefix { $0.isHexDigit }
            guard let size = Int(size, radix: 16) else { return (lineEnd, lineEnd) }
            if size == 0 {
                // Lines until an empty one.
                var line = lineEnd
                while let next = end(of: "\r\n", from: line) {
                    if next == line + 2 { return (lineEnd, next) }
                    line = next
                }
                return nil
            }
            position = lineEnd + size + 2
            guard position <= input.count else { return nil }
        }
        return nil
    }

    private func end(of mark: String, from start: Int) -> Int? {
        let mark = Array(mark.utf8)
        guard input.count >= start + mark.count else { return nil }
        for index in start...(input.count - mark.count) where input[index..<(index + mark.count)].elementsEqual(mark) {
            return index + mark.count
        }
        return nil
    }
}
