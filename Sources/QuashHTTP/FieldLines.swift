/// Header fields as they go over the wire, each line ended, in the order in which they were added. Made once, sent many
/// times: a response that says the same of a token each time keeps its lines.
package struct FieldLines: Sendable, Equatable, ExpressibleByDictionaryLiteral {
    package private(set) var bytes: [UInt8] = []

    package init() {}

    /// Lines that others have.
    ///
    /// - Parameter bytes: of lines that were made here.
    package init(bytes: [UInt8]) { self.bytes = bytes }

    package init(dictionaryLiteral elements: (StaticString, String)...) {
        for (name, value) in elements { append(name, value) }
    }

    /// Adds a field. A name that is no token, or a value that is no field value, is a bug: whoever passes what came
    /// from outside has asked `isFieldValue` before.
    package mutating func append(_ name: StaticString, _ value: String) {
        let value = Array(value.utf8)
        unsafe value.withUnsafeBytes { unsafe append(name, bytes: $0) }
    }

    /// Adds a field whose value is a view of bytes.
    package mutating func append(_ name: StaticString, _ value: RawSpan) {
        unsafe value.withUnsafeBytes { unsafe append(name, bytes: $0) }
    }

    private mutating func append(_ name: StaticString, bytes value: UnsafeRawBufferPointer) {
        let name = unsafe UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount)
        unsafe precondition(!name.isEmpty && name.allSatisfy(FieldSyntax.isToken), "a field name that is no token")
        // The value is not part of the message: it could be a secret.
        precondition(unsafe isFieldValue(value), "a field value with a control character or white space at its ends")
        unsafe bytes.append(contentsOf: name)
        bytes += [0x3A, 0x20]
        unsafe bytes.append(contentsOf: value)
        bytes += [0x0D, 0x0A]
    }
}
