import QuashLoop
import TestSupport

extension RawClient {
    convenience init(_ endpoint: Endpoint) throws {
        switch endpoint {
        case .tcp(_, let port): try self.init(port: port)
        case .unix(let path): try self.init(path: path)
        }
    }
}

extension String {
    /// How often `part` occurs.
    func count(of part: String) -> Int { ranges(of: part).count }

    /// The status code of the first response in it.
    var statusCode: Int? { hasPrefix("HTTP/1.1 ") ? Int(dropFirst(9).prefix(3)) : nil }

    /// What follows the first empty line.
    var content: String { firstRange(of: "\r\n\r\n").map { String(self[$0.upperBound...]) } ?? "" }
}
