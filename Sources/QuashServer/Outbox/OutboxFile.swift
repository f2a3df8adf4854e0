import Glibc
import Quash

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
    /// The folder has the name of this file on the disk too.
    private var isNameDurable = true
    /// Of the outbox that the file holds; nil before ``replace(by:of:)``.
    private var head: OutboxHead?
    /// Counts the lengths that were written to the head.
    private var turn = 0
    private let synchronizeFolder: (_ path: String) throws(Failure) -> Void

    /// Opens the file at `path`, or makes it, for its owner alone.
    ///
    /// - Parameter synchronizeFolder: makes the name of the file at a path as durable as its bytes.
    /// - Throws: when it cannot be opened, is no regular file, is another user's or open to others, or another process
    ///   has it.
    init(
        path: String,
        synchronizeFolder: @escaping (_ path: String) throws(Failure) -> Void = OutboxFile.synchronizeFolder(of:)
    ) throws(Failure) {
        self.path = path
        self.synchronizeFolder = synchronizeFolder
        (descriptor, byteCount) = try Self.open(path, O_RDWR | O_CREAT)
    }

    deinit { close(descriptor) }

    /// A lock is held on an inode, and what must be locked is the name: while this process waited for the lock, the
    /// one that held it may have put another file under the name. Then that other file is opened.
    private static func open(_ path: String, _ flags: Int32) throws(Failure) -> (descriptor: Int32, byteCount: Int) {
        for _ in 0..<100 {
            let descriptor = unsafe Glibc.open(path, flags | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0o600)
            guard descriptor >= 0 else { throw Failure("cannot be opened") }
            do throws(Failure) {
                let byteCount = try inspect(descriptor)
                if try isNamed(path, descriptor) { return (descriptor, byteCount) }
            } catch {
                close(descriptor)
                throw error
            }
            close(descriptor)
        }
        throw Failure("is replaced again and again by another process")
    }

    /// Whether the open file is the one under this name.
    private static func isNamed(_ path: String, _ descriptor: Int32) throws(Failure) -> Bool {
        var opened = stat()
        var named = stat()
        guard unsafe fstat(descriptor, &opened) == 0 else { throw Failure("cannot be examined") }
        guard unsafe lstat(path, &named) == 0 else {
            if errno == ENOENT { return false }
            throw Failure("cannot be examined")
        }
        return opened.st_dev == named.st_dev && opened.st_ino == named.st_ino
    }

    /// - Returns: the size of the file, in bytes.
    private static func inspect(_ descriptor: Int32) throws(Failure) -> Int {
        try lock(descriptor)
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { throw Failure("cannot be examined") }
        guard status.st_mode & S_IFMT == S_IFREG else { throw Failure("is not a regular file") }
        guard status.st_uid == geteuid() else { throw Failure("belongs to user \(status.st_uid)") }
        guard status.st_mode & 0o077 == 0 else {
            throw Failure("can be used by others than its owner; run chmod 600 on it")
        }
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

    /// Passes the file from `offset` on to `body`, in pieces of at most `pieceBytes`, until that answers false.
    func read(
        from offset: Int = 0, pieceBytes: Int = 1 << 20, _ body: (ArraySlice<UInt8>) -> Bool
    ) throws(Failure) {
        var chunk = [UInt8](repeating: 0, count: pieceBytes)
        var position = offset
        while position < byteCount {
            // SAFETY: pread(2) writes at most as many bytes as there are behind the pointer.
            let got = unsafe chunk.withUnsafeMutableBytes { buffer in
                unsafe pread(descriptor, buffer.baseAddress!, buffer.count, off_t(position))
            }
            if got > 0 {
                guard body(chunk[..<min(got, byteCount - position)]) else { return }
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
        do throws(Failure) {
            try write(bytes, at: byteCount)
        } catch {
            // Behind byteCount nothing counts: the next append writes over what this cannot cut off.
            _ = ftruncate(descriptor, off_t(byteCount))
            throw error
        }
        byteCount += bytes.count
    }

    private func write(_ bytes: [UInt8], at offset: Int) throws(Failure) {
        var count = 0
        while count < bytes.count {
            // SAFETY: pwrite(2) reads at most as many bytes as are left behind the pointer.
            let written = unsafe bytes.withUnsafeBytes { buffer in
                unsafe pwrite(descriptor, buffer.baseAddress! + count, buffer.count - count, off_t(offset + count))
            }
            if written >= 0 {
                count += written
            } else if errno != EINTR {
                throw Failure("cannot be written")
            }
        }
    }

    /// Waits until what was appended is on the disk, and the name of the file with it; then writes into the head how
    /// long the file is. After a failure it is unknown what is there: the file is of no more use.
    mutating func synchronize() throws(Failure) {
        guard fdatasync(descriptor) == 0 else { throw Failure("cannot be written to the disk") }
        if !isNameDurable {
            try synchronizeFolder(path)
            isNameDurable = true
        }
        guard let head else { return }
        turn += 1
        let slot = head.slot(byteCount, turn: turn)
        try write(slot.bytes, at: slot.offset)
    }

    /// Puts a file with these records in place of this one, in one step.
    ///
    /// - Throws: and this one stays; or, when only its folder could not be written to the disk, the new one has taken
    ///   its place, and the next ``synchronize()`` tries that again.
    mutating func replace(by records: [UInt8], of outbox: Nonce) throws(Failure) {
        let temporary = path + ".new"
        _ = unsafe unlink(temporary)
        let head = OutboxHead(outbox: outbox)
        var new = try OutboxFile(path: temporary)
        try new.append(head.encoded(durableBytes: OutboxHead.byteCount + records.count))
        try new.append(records)
        try new.synchronize()
        guard unsafe rename(temporary, path) == 0 else { throw Failure("cannot be replaced") }
        // From here on the name stands for the new file, whatever fails: what was appended to the other would be lost.
        swap(&descriptor, &new.descriptor)
        byteCount = new.byteCount
        self.head = head
        isNameDurable = false
        try synchronize()
    }

    /// Makes the name of the file at `path` as durable as its bytes (fsync(2)).
    static func synchronizeFolder(of path: String) throws(Failure) {
        let folder = path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        let descriptor = unsafe Glibc.open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Failure("is in a folder that cannot be opened") }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw Failure("is in a folder that cannot be written to the disk") }
    }
}
