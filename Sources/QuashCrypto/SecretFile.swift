import COpenSSL
import Glibc

/// Reads and creates files that hold secrets: private keys, passwords, admin credentials.
package enum SecretFile {
    /// The largest secret file that is read. A 4096-bit key in PEM is about 3 KiB.
    package static let maxBytes = 64 * 1024

    /// The bytes of the file at `path`, in one allocation that the caller may wipe with `wipe(_:)`.
    ///
    /// Refused, each with an error that says what to do: a symbolic link, anything but a regular file, a file of
    /// another user than this process or root, one that its group or others may touch, one larger than `maxBytes`.
    /// Root may let a group read its own file, which is how systemd and Kubernetes hand a secret to another user: the
    /// one with an access list behind the group's mode (systemd.exec(5), LoadCredential=), the other with `fsGroup`.
    /// The checks are made on the open descriptor, so the file cannot be exchanged between check and use.
    package static func read(path: String) throws(CryptoError) -> [UInt8] {
        // O_NONBLOCK: opening a FIFO must not wait for a writer before it can be refused.
        let descriptor = unsafe open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            let problem = errno == ELOOP ? "is a symbolic link; give the path of the file itself" : errorText(errno)
            throw .file(path: path, problem: problem)
        }
        defer { close(descriptor) }

        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { throw .file(path: path, problem: errorText(errno)) }
        if let problem = problem(with: status, user: geteuid()) { throw .file(path: path, problem: problem) }
        return try contents(of: descriptor, path: path)
    }

    /// Creates the file at `path` with `contents`, mode 0600, and waits until it is on the disk.
    ///
    /// A file that is there already is never replaced: it may hold the only copy of a key.
    package static func create(path: String, contents: [UInt8]) throws(CryptoError) {
        let descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .file(path: path, problem: errorText(errno)) }
        defer { close(descriptor) }
        var count = 0
        while count < contents.count {
            let written = unsafe contents.withUnsafeBytes { buffer in
                unsafe Glibc.write(descriptor, buffer.baseAddress! + count, buffer.count - count)
            }
            if written >= 0 {
                count += written
            } else if errno != EINTR {
                throw .file(path: path, problem: errorText(errno))
            }
        }
        guard fsync(descriptor) == 0 else { throw .file(path: path, problem: errorText(errno)) }
    }

    /// When the file at `path` was last written, in seconds since 1970; 0 when there is none.
    package static func modified(path: String) -> Int64 {
        var status = stat()
        return unsafe stat(path, &status) == 0 ? Int64(status.st_mtim.tv_sec) : 0
    }

    /// Overwrites `bytes` in a way that the optimizer keeps (OPENSSL_cleanse(3)).
    package static func wipe(_ bytes: inout [UInt8]) {
        unsafe bytes.withUnsafeMutableBytes { buffer in unsafe OPENSSL_cleanse(buffer.baseAddress, buffer.count) }
    }

    /// - Parameter user: who reads the file.
    static func problem(with status: stat, user: uid_t) -> String? {
        if status.st_mode & S_IFMT != S_IFREG { return "is not a regular file" }
        if status.st_uid != 0 && status.st_uid != user {
            return "belongs to user \(status.st_uid); it must belong to user \(user) or to root"
        }
        let forbidden: mode_t = status.st_uid != user ? 0o037 : 0o077
        if status.st_mode & forbidden != 0 {
            let mode = String(status.st_mode & 0o7777, radix: 8)
            return "has mode \(mode), so others than its owner may use it; run chmod 600 on it"
        }
        if status.st_size > maxBytes { return "has \(status.st_size) bytes; at most \(maxBytes) are read" }
        return nil
    }

    private static func contents(of descriptor: Int32, path: String) throws(CryptoError) -> [UInt8] {
        do throws(DescriptorBytes.Failure) {
            return try DescriptorBytes.read(descriptor, maxBytes: maxBytes)
        } catch {
            switch error {
            case .tooLong: throw .file(path: path, problem: "has more than \(maxBytes) bytes")
            case .unreadable(let code): throw .file(path: path, problem: errorText(code))
            }
        }
    }

    private static func errorText(_ code: Int32) -> String {
        // SAFETY: strerror(3) returns a string that is valid until the next call on this thread; it is copied at once.
        unsafe String(cString: strerror(code))
    }
}
