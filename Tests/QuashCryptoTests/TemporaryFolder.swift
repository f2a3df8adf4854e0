import Glibc
import Testing

/// A new, empty folder readable by this user alone; it goes with its files when the value does.
final class TemporaryFolder: Sendable {
    let path: String

    init() throws {
        var template = Array("/tmp/quash-XXXXXX".utf8CString)
        // SAFETY: mkdtemp(3) rewrites the six X of a NUL-terminated string in place, and the buffer is one.
        let made = unsafe template.withUnsafeMutableBufferPointer { buffer in
            unsafe mkdtemp(buffer.baseAddress!).map { unsafe String(cString: $0) }
        }
        path = try #require(made)
    }

    deinit {
        guard let directory = unsafe opendir(path) else { return }
        // SAFETY: readdir(3): d_name is NUL-terminated inside the entry, which lives until the next call.
        while let entry = unsafe readdir(directory) {
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) {
                unsafe String(cString: UnsafeRawPointer($0).assumingMemoryBound(to: CChar.self))
            }
            if name != "." && name != ".." { unsafe unlink(path(name)) }
        }
        unsafe closedir(directory)
        unsafe rmdir(path)
    }

    /// The path of `name` inside the folder.
    func path(_ name: String) -> String {
        "\(path)/\(name)"
    }

    /// Writes `text` to `name` inside the folder and gives the file's path.
    func write(_ name: String, _ text: String, mode: UInt32 = 0o600) throws -> String {
        let file = path(name)
        let descriptor = unsafe open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        try #require(descriptor >= 0)
        defer { close(descriptor) }
        let bytes = Array(text.utf8)
        let written = unsafe bytes.withUnsafeBytes { unsafe Glibc.write(descriptor, $0.baseAddress, $0.count) }
        try #require(written == bytes.count)
        try #require(fchmod(descriptor, mode) == 0)
        return file
    }
}
