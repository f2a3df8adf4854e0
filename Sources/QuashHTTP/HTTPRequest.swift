import Glibc

/// A request as its route sees it: a view of the received bytes, which the compiler does not let outlive the call that
/// it is given to. Nothing is copied or allocated to make one or to look into it.
package struct HTTPRequest: ~Escapable {
    private let bytes: RawSpan
    private let fields: Span<FieldSlice>
    private let head: RequestHead
    /// The content, without its transfer coding. Empty while only the head has come (`bodyLimitBytes`).
    package let body: RawSpan

    @_lifetime(copy bytes, copy fields, copy body)
    init(bytes: RawSpan, fields: Span<FieldSlice>, head: RequestHead, body: RawSpan) {
        self.bytes = bytes
        self.fields = fields
        self.head = head
        self.body = body
    }

    package var method: HTTPMethod { head.method }

    /// The method's bytes, also of one that is `.other`.
    package var methodName: RawSpan {
        @_lifetime(copy self) get { bytes.extracting(head.methodName.range) }
    }

    /// The path as it was sent, from its first slash up to the question mark: not decoded, not normalised. "*" for the
    /// asterisk form of OPTIONS.
    package var path: RawSpan {
        @_lifetime(copy self) get { bytes.extracting(head.path.range) }
    }

    /// What follows the question mark; nil without one.
    package var query: RawSpan? {
        @_lifetime(copy self)
        get {
            guard let query = head.query else { return nil }
            return bytes.extracting(query.range)
        }
    }

    /// Host and port for which the request is meant (RFC 9112 §3.3); empty for HTTP/1.0 without a Host field.
    package var authority: RawSpan {
        @_lifetime(copy self) get { bytes.extracting(head.authority.range) }
    }

    /// Whether the request has a body, which may not have come yet.
    package var hasBody: Bool { head.framing != .none }

    package var fieldCount: Int { fields.count }

    /// The name of the field at `index`, in the order of the head and as it was spelled.
    @_lifetime(copy self)
    package func fieldName(at index: Int) -> RawSpan {
        bytes.extracting(fields[index].name.range)
    }

    /// The value of the field at `index`, without white space around it.
    @_lifetime(copy self)
    package func fieldValue(at index: Int) -> RawSpan {
        bytes.extracting(fields[index].value.range)
    }

    /// The index of the next field called `name`, from `start` on; nil without one.
    /// - Parameter name: in lower case; fields match without regard to case.
    package func index(of name: StaticString, from start: Int = 0) -> Int? {
        var index = start
        while index < fields.count {
            let slice = fields[index].name
            if Int(slice.count) == name.utf8CodeUnitCount, bytes.extracting(slice.range).equals(lowercase: name) {
                return index
            }
            index += 1
        }
        return nil
    }

    /// How many fields are called `name`, which is in lower case. A field that may come once, such as Authorization,
    /// and comes twice, is for its user to refuse.
    package func count(of name: StaticString) -> Int {
        var count = 0
        var start = 0
        while let index = index(of: name, from: start) {
            count += 1
            start = index + 1
        }
        return count
    }

    /// The value of the first field called `name`, which is in lower case; nil without one.
    @_lifetime(copy self)
    package func firstValue(of name: StaticString) -> RawSpan? {
        guard let index = index(of: name) else { return nil }
        return fieldValue(at: index)
    }
}

extension RawSpan {
    /// Whether these are the bytes of `text`. O(n).
    package func equals(_ text: StaticString) -> Bool {
        byteCount == text.utf8CodeUnitCount && hasPrefix(text)
    }

    /// Whether these begin with the bytes of `text`.
    package func hasPrefix(_ text: StaticString) -> Bool {
        guard byteCount >= text.utf8CodeUnitCount else { return false }
        return unsafe withUnsafeBytes { bytes in
            // SAFETY: both have at least `utf8CodeUnitCount` bytes.
            unsafe bytes.baseAddress.map { unsafe memcmp($0, text.utf8Start, text.utf8CodeUnitCount) == 0 }
                ?? (text.utf8CodeUnitCount == 0)
        }
    }

    /// Whether these are the bytes of `text`, which is in lower case, without regard to the case of ASCII letters.
    package func equals(lowercase text: StaticString) -> Bool {
        unsafe withUnsafeBytes { unsafe FieldSyntax.equals(text, in: $0, 0..<$0.count) }
    }

    /// A copy of the bytes.
    package var array: [UInt8] {
        unsafe withUnsafeBytes { unsafe [UInt8]($0) }
    }

    /// A copy as text; bytes that are not UTF-8 become the replacement character.
    package var text: String {
        unsafe withUnsafeBytes { unsafe String(decoding: $0, as: UTF8.self) }
    }
}
