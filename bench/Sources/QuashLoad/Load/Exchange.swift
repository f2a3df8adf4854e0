import Glibc

/// One request after the other on a connection that is kept, each waited for: for what is asked seldom.
final class Exchange {
    struct Answer {
        let status: Int
        let body: [UInt8]
        var text: String { String(decoding: body, as: UTF8.self) }
    }

    private let target: Target
    private var descriptor: Int32 = -1
    private var reader = HTTPResponseReader()
    private static let timeoutMilliseconds: Int32 = 15_000

    init(_ target: Target) { self.target = target }

    deinit { disconnect() }

    func get(_ path: String, bearer: String? = nil) throws -> Answer {
        try ask(Self.request("GET", path, bearer: bearer))
    }

    func post(_ path: String, json: String, bearer: String?) throws -> Answer {
        let fields = "Content-Type: application/json\r\nContent-Length: \(json.utf8.count)\r\n"
        return try ask(Self.request("POST", path, bearer: bearer, fields: fields, body: json))
    }

    /// The bytes of a request.
    static func request(
        _ method: String, _ path: String, bearer: String?, fields: String = "", body: String = ""
    ) -> [UInt8] {
        let credential = bearer.map { "Authorization: Bearer \($0)\r\n" } ?? ""
        return Array("\(method) \(path) HTTP/1.1\r\nHost: localhost\r\n\(credential)\(fields)\r\n\(body)".utf8)
    }

    private func ask(_ request: [UInt8]) throws -> Answer {
        if descriptor < 0 { descriptor = try target.connect() }
        do {
            reader.next()
            try write(request)
            while true {
                let bytes = try read()
                if let response = try reader.read(bytes.span) {
                    let answer = Answer(status: response.status, body: reader.body)
                    if response.closes { disconnect() }
                    return answer
                }
            }
        } catch {
            disconnect()
            throw error
        }
    }

    private func write(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            // SAFETY: the pointer and the count are of what is left of the one array.
            let count = unsafe bytes.withUnsafeBytes {
                unsafe Glibc.send(
                    descriptor, $0.baseAddress! + sent, bytes.count - sent, Int32(MSG_NOSIGNAL))
            }
            if count > 0 {
                sent += count
            } else {
                guard errno == EAGAIN else { throw Failure.lastCall("send to \(target)") }
                try wait(POLLOUT)
            }
        }
    }

    private func read() throws -> [UInt8] {
        try wait(POLLIN)
        var chunk = [UInt8](repeating: 0, count: 65_536)
        // SAFETY: the pointer and the count are of the one array.
        let count = unsafe chunk.withUnsafeMutableBytes {
            unsafe Glibc.recv(descriptor, $0.baseAddress!, $0.count, 0)
        }
        guard count > 0 else {
            throw count == 0 ? Failure("\(target) closed the connection") : Failure.lastCall("recv from \(target)")
        }
        return Array(chunk[..<count])
    }

    private func wait(_ event: Int32) throws {
        var entry = pollfd(fd: descriptor, events: Int16(event), revents: 0)
        // SAFETY: poll(2) is given one entry and that there is one.
        guard unsafe Glibc.poll(&entry, 1, Self.timeoutMilliseconds) == 1 else {
            throw Failure("\(target) does not answer within \(Self.timeoutMilliseconds / 1000) s")
        }
    }

    private func disconnect() {
        if descriptor >= 0 { close(descriptor) }
        descriptor = -1
        reader.next()
    }
}
