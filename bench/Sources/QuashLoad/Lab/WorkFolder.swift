import Foundation
import Glibc

/// A new, empty folder with a short path, since a unix socket's may have 107 bytes at most (unix(7)). It goes with
/// everything in it when the value does.
final class WorkFolder: Sendable {
    let path: String

    init() throws {
        var template = Array("/tmp/quash-load-XXXXXX".utf8CString)
        let made = unsafe template.withUnsafeMutableBufferPointer { buffer in
            // SAFETY: mkdtemp(3) rewrites the six X of a NUL-terminated string in place, and the buffer is one.
            unsafe mkdtemp(buffer.baseAddress!).map { unsafe String(cString: $0) }
        }
        guard let made else { throw Failure.lastCall("mkdtemp") }
        path = made
    }

    deinit { remove() }

    func remove() { try? FileManager.default.removeItem(atPath: path) }

    func path(_ name: String) -> String { "\(path)/\(name)" }

    /// Writes a file of this user's alone, and gives its path.
    @discardableResult
    func write(_ name: String, _ text: String) throws -> String {
        let file = path(name)
        let attributes: [FileAttributeKey: Any] = [.posixPermissions: 0o600]
        guard FileManager.default.createFile(atPath: file, contents: Data(text.utf8), attributes: attributes) else {
            throw Failure("\(file) cannot be written")
        }
        return file
    }
}
