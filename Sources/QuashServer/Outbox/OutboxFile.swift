import Glibc

/// The file of an outbox, open and locked: what is appended and synchronised survives a crash of process or machine.
///
/// Blocking, for a thread of its own.
struct OutboxFile: ~Copyable {
    /// Why the file cannot be used, as a clause that goes on after its path.
    struct Failure: Error, CustomStringConvertible {
        let description: String

        init(_ what: String, _ code: Int32 = errno) {
            description = "\(what) (\(errorText(code)))"
        }

        init(_ description: String) {
            self.description = description
        }
    }

    private let path: String
    private var descriptor: Int32
    /// Everything up to here is whole records.
    private(set) var byteCount: Int

    /// Opens the file at `path`, or makes it, for its owner alone.
    ///
    /// - Throws: when it cannot be opened, is no regular file, is another user's or open to others, or another process
    ///   has it.
    init(path: String) throws(Failure) {
        self.path = path
        (descriptor, byteCount) = try Self.open(path, O_RDWR | O_CREAT)
    }

    deinit { close(descriptor) }

    private static func open(_ path: String, _ flags: Int32) throws(Failure) -> (descriptor: Int32, byteCount: Int) {
        let descriptor = unsafe Glibc.open(path, flags | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0o600)
        guard descriptor >= 0 else { throw Failure("cannot be opened") }
        do throws(Failure) {
            return (descriptor, try inspect(descriptor))
        } catch {
            close(descriptor)
            throw error
        }
    }

    /// - Returns: the size of the file, in bytes.
    private static func inspect(_ descriptor: Int32) throws(Failure) -> Int {
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { throw Failure("cannot be examined") }
        guard status.st_mode & S_IFMT == S_IFREG else { throw Failure("is not a regular file") }
        guard status.st_uid == geteuid() else { throw Failure("belongs to user \(status.st_uid)") }
        guard status.st_mode & 0o077 == 0 else {
            throw Failure("can be used by others than its owner; run chmod 600 on it")
        }
        try lock(descriptor)
        return Int(status.st_size)
    }

    /// Another issuer with the same outbox would write between this one's records. One that is just ending is waited
    /// for, a second.
    private static func lock(_ descriptor: Int32) throws(Failure) {
        for attempt in 1... {
            if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { return }
            guard errno == EWOULDBLOCK || errno == EINTR else { throw Failure("cannot be locked") }
            guard attempt <= 20 else {
                throw Failure("is in use by another process; give each issuer an outbox of its own")
            }
            usleep(50_000)
        }
    }

    /// Passes the whole file to `body`, in pieces.
    func read(_ body: (ArraySlice<UInt8>) -> Void) throws(Failure) {
        var chunk = [UInt8](repeating: 0, count: 1 << 20)
        var position = 0
        while position < byteCount {
            // SAFETY: pread(2) writes at most as many bytes as there are behind the pointer.
            let got = unsafe chunk.withUnsafeMutableBytes { buffer in
                unsafe pread(descriptor, buffer.baseAddress!, buffer.count, off_t(position))
            }
            if got > 0 {
                body(chunk[..<min(got, byteCount - position)])
                position += got
            } else if got == 0 {
                throw Failure("ends before its end")
            } else if errno != EINTR {
                throw Failure("cannot be read")
            }
        }
    }

    /// Appends `bytes` without waiting for the disk. A part that was written before a failure is cut off again.
    mutating func append(_ bytes: [UInt8]) throws(Failure) {
        var count = 0
        while count < bytes.count {
            // SAFETY: pwrite(2) reads at most as many bytes as are left behind the pointer.
            let written = unsafe bytes.withUnsafeBytes { buffer in
                unsafe pwrite(descriptor, buffer.baseAddress! + count, buffer.count - count, off_t(byteCount + count))
            }
            if written >= 0 {
                count += written
            } else if errno != EINTR {
                let failure = Failure("cannot be written")
                // Behind byteCount nothing counts: the next append writes over what this cannot cut off.
                _ = ftruncate(descriptor, off_t(byteCount))
                throw failure
            }
        }
        byteCount += count
    }

    /// Waits until what was appended is on the disk. After a failure nobody knows what is: the file is of no more use.
    func synchronize() throws(Failure) {
        guard fdatasync(descriptor) == 0 else { throw Failure("cannot be written to the disk") }
    }

    /// Puts a file with these bytes in place of this one, in one step. On failure this one stays.
    mutating func replace(with bytes: [UInt8]) throws(Failure) {
        let temporary = path + ".new"
        _ = unsafe unlink(temporary)
        var new = try OutboxFile(path: temporary)
        try new.append(bytes)
        try new.synchronize()
        guard unsafe rename(temporary, path) == 0 else { throw Failure("cannot be replaced") }
        try Self.synchronizeFolder(of: path)
        swap(&descriptor, &new.descriptor)
        byteCount = new.byteCount
    }

    /// Makes the name of the file at `path` as durable as its bytes (fsync(2)).
    private static func synchronizeFolder(of path: String) throws(Failure) {
        let folder = path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        let descriptor = unsafe Glibc.open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Failure("is in a folder that cannot be opened") }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw Failure("is in a folder that cannot be written to the disk") }
    }
}
