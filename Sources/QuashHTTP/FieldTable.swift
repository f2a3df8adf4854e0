/// The fields of one head as a table of offsets, filled line by line. Its memory is made once and used again.
@safe
struct FieldTable: ~Copyable {
    private let entries: UnsafeMutablePointer<FieldSlice>
    private(set) var count = 0

    enum Failure: Error { case malformed, tooMany }

    init() {
        unsafe entries = .allocate(capacity: HTTPLimits.maxFields)
    }

    deinit {
        unsafe entries.deallocate()
    }

    mutating func removeAll() { count = 0 }

    /// The fields. Unsafe: to be used only while the table exists and before `removeAll`.
    @unsafe
    var unsafeSpan: Span<FieldSlice> {
        // SAFETY: the first `count` entries are initialised. Nothing ties the span to the table, as its name says: a
        // span borrowed from it would keep the whole connection from being changed while a route answers a request.
        @_lifetime(immortal)
        get { unsafe _overrideLifetime(Span(_unsafeStart: entries, count: count), borrowing: ()) }
    }

    subscript(index: Int) -> FieldSlice {
        precondition(index < count, "a field beyond the last")
        return unsafe entries[index]
    }

    /// Adds the field in `line`, which has no control character but tabs and no end of line (RFC 9112 §5).
    ///
    /// Refused: a line that begins with white space (obs-fold), a name that is not a token, which covers white space
    /// before the colon (RFC 9112 §5.1), and more fields than the limit.
    mutating func append(line: Range<Int>, of bytes: UnsafeRawBufferPointer) throws(Failure) -> FieldSlice {
        guard count < HTTPLimits.maxFields else { throw .tooMany }
        var colon = line.lowerBound
        while colon < line.upperBound, unsafe FieldSyntax.isToken(bytes[colon]) { colon += 1 }
        guard colon > line.lowerBound, colon < line.upperBound, unsafe bytes[colon] == 0x3A else { throw .malformed }
        let value = unsafe FieldSyntax.trimmed(colon + 1..<line.upperBound, in: bytes)
        let field = FieldSlice(name: Slice(line.lowerBound..<colon), value: Slice(value))
        // SAFETY: `count` is below the capacity; FieldSlice is trivial.
        unsafe (entries + count).initialize(to: field)
        count += 1
        return field
    }
}
