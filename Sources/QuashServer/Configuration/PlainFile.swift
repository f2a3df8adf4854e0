import Glibc
import QuashCrypto

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
        do throws(DescriptorBytes.Failure) {
            return try DescriptorBytes.read(descriptor, maxBytes: maxBytes)
        } catch {
            switch error {
            case .tooLong: throw Flaw(description: "has more than \(maxBytes) bytes")
            case .unreadable(let code): throw Flaw(description: "cannot be read (\(errorText(code)))")
            }
        }
    }
}
