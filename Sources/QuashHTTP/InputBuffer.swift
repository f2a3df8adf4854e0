/// The bytes that a connection has received and not yet used.
///
/// During a read they are borrowed from the loop's read buffer, so a request that arrives whole is never copied. What
/// is left at the end of the read is kept here, and later reads are appended to it.
@safe
struct InputBuffer: ~Copyable {
    private var borrowed: UnsafeRawBufferPointer?
    private var kept: [UInt8] = []
    /// What has been used of `borrowed`, or of `kept`.
    private var used = 0

    /// A read begins. `bytes` stay valid until `endRead`.
    mutating func beginRead(_ bytes: UnsafeRawBufferPointer) {
        unsafe precondition(borrowed == nil, "a read within a read")
        if kept.isEmpty {
            unsafe borrowed = unsafe bytes
            used = 0
        } else {
            unsafe kept.append(contentsOf: bytes)
        }
    }

    /// The read ends: keeps a copy of what was not used.
    mutating func endRead() {
        if let bytes = unsafe borrowed {
            unsafe borrowed = nil
            if used < bytes.count { unsafe kept = [UInt8](bytes[used...]) }
            used = 0
        }
        compact()
    }

    /// Lets go of what was used of the bytes that are kept; not within a read.
    mutating func compact() {
        if used >= kept.count { kept = [] } else if used > 0 { kept.removeFirst(used) }
        used = 0
    }

    /// Whether everything that came has been used.
    var isEmpty: Bool {
        if let bytes = unsafe borrowed { return used >= bytes.count }
        return used >= kept.count
    }

    /// Bytes that stay in memory between two reads.
    var keptBytes: Int { kept.count }

    /// Drops the first `count` bytes.
    mutating func use(_ count: Int) {
        used += count
    }

    /// What is there now.
    var view: View {
        if let bytes = unsafe borrowed {
            unsafe View(borrowed: UnsafeRawBufferPointer(rebasing: bytes[used...]), kept: [], used: 0)
        } else {
            unsafe View(borrowed: nil, kept: kept, used: used)
        }
    }

    /// What is there at one moment; it stays as it is while the buffer goes on.
    @safe
    struct View {
        fileprivate let borrowed: UnsafeRawBufferPointer?
        fileprivate let kept: [UInt8]
        fileprivate let used: Int

        func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
            if let bytes = unsafe borrowed { return unsafe body(bytes) }
            return unsafe kept.withUnsafeBytes { unsafe body(UnsafeRawBufferPointer(rebasing: $0[used...])) }
        }
    }
}
