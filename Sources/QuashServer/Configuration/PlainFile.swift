import Glibc

/// Reads files that are no secret, whole and with a limit.
package enum PlainFile {
    /// Why a file was not read.
    package struct Flaw: Error, CustomStringConvertible {
        /// Goes on after a path: `cannot be opened (No such file or directory)`.
        package let description: String
    }

    /// The bytes of the regular file at `path`, at most `maxBytes` of them. Links are followed.
    package static func read(path: String, maxBytes: Int) throws(Flaw) -> [UInt8] {
        // O_NONBLOCK: opening a FIFO must not wait for a writer before it can be refused.
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw Flaw(description: "cannot be opened (\(errorText(errno)))") }
        defer { close(descriptor) }
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw Flaw(description: "is not a file")
        }
        return try read(descriptor: descriptor, maxBytes: maxBytes)
    }

    /// What is left to read from `descriptor`, at most `maxBytes` bytes.
    package static func read(descriptor: Int32, maxBytes: Int) throws(Flaw) -> [UInt8] {
        // One byte more than allowed, so that a longer file is noticed.
        var bytes = [UInt8](repeating: 0, count: maxBytes + 1)
        var count = 0
        while count < bytes.count {
            // SAFETY: read(2) writes at most as many bytes as are left behind the pointer.
            let got = unsafe bytes.withUnsafeMutableBytes { buffer in
                unsafe Glibc.read(descriptor, buffer.baseAddress! + count, buffer.count - count)
            }
            if got == 0 { break }
            if got > 0 {
                count += got
            } else if errno != EINTR {
                throw Flaw(description: "cannot be read (\(errorText(errno)))")
            }
        }
        guard count <= maxBytes else { throw Flaw(description: "has more than \(maxBytes) bytes") }
        bytes.removeLast(bytes.count - count)
        return bytes
    }
}
