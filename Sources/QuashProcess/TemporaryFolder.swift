import Glibc

/// A new, empty folder under `/tmp`, readable by this user alone; it goes with everything in it when the value does.
///
/// The path is kept short, because a unix socket's path may have at most 107 bytes (unix(7)).
package final class TemporaryFolder: Sendable {
    package let path: String

    package init() throws {
        var template = Array("/tmp/quash-XXXXXX".utf8CString)
        let made = unsafe template.withUnsafeMutableBufferPointer { buffer in
            // SAFETY: mkdtemp(3) rewrites the six X of a NUL-terminated string in place, and the buffer is one.
            unsafe mkdtemp(buffer.baseAddress!).map { unsafe String(cString: $0) }
        }
        guard let made else { throw ProcessFailure.lastCall("mkdtemp /tmp/quash-XXXXXX") }
        path = made
    }

    deinit {
        Self.remove(path)
    }

    /// The path of `name` inside the folder.
    package func path(_ name: String) -> String {
        "\(path)/\(name)"
    }

    /// Writes `text` to `name` inside the folder and gives the file's path; the file is this user's alone (mode 0600).
    @discardableResult
    package func write(_ name: String, _ text: String) throws -> String {
        try write(name, bytes: Array(text.utf8))
    }

    /// The same with any bytes.
    @discardableResult
    package func write(_ name: String, bytes: [UInt8]) throws -> String {
        let file = path(name)
        let descriptor = unsafe open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw ProcessFailure.lastCall("open \(file)") }
        defer { close(descriptor) }
        var rest = bytes[...]
        while !rest.isEmpty {
            // SAFETY: the pointer and its count are those of one contiguous buffer, valid during the call.
            let written = unsafe rest.withUnsafeBytes { unsafe Glibc.write(descriptor, $0.baseAddress!, $0.count) }
            guard written > 0 else { throw ProcessFailure.lastCall("write \(file)") }
            rest = rest.dropFirst(written)
        }
        return file
    }

    /// What the file at `path` holds now, or nothing where there is none.
    package static func read(_ path: String) -> String {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return "" }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16_384)
        while true {
            // SAFETY: the pointer and its count are those of one contiguous buffer, valid during the call.
            let count = unsafe chunk.withUnsafeMutableBytes { unsafe Glibc.read(descriptor, $0.baseAddress!, $0.count) }
            guard count > 0 else { break }
            bytes += chunk[..<count]
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Removes a file, or a folder with everything in it. Links are removed, never followed.
    package static func remove(_ path: String) {
        if unsafe unlink(path) == 0 || errno == ENOENT { return }
        if let directory = unsafe opendir(path) {
            // SAFETY: readdir(3) gives an entry that is valid until the next call on the same directory; its name is
            // a NUL-terminated string inside it, copied before the next call.
            while let entry = unsafe readdir(directory) {
                let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) {
                    unsafe String(cString: UnsafeRawPointer($0).assumingMemoryBound(to: CChar.self))
                }
                if name != "." && name != ".." { remove("\(path)/\(name)") }
            }
            unsafe closedir(directory)
        }
        unsafe rmdir(path)
    }
}
