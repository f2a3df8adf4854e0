/// Finds the lines of a head in bytes that arrive in pieces, and refuses every byte that no line may have.
///
/// A line ends with CR LF and nothing else (RFC 9112 §2.2 lets a recipient take a bare LF; senders and proxies that
/// disagree on it are how requests are smuggled). What has been searched is not searched again.
struct LineReader {
    /// The offset at which the next line begins.
    private(set) var position: Int
    private var searched: Int

    enum Outcome: Equatable {
        /// The line without its end; the next one begins after it.
        case line(Range<Int>)
        /// The end of the line has not come.
        case incomplete
        /// A control character that may not be there, a CR without LF, or an LF without CR.
        case malformed
    }

    init(at position: Int = 0) {
        self.position = position
        searched = position
    }

    /// - Parameter allowsTab: a field's value may have tabs, a start line may not.
    mutating func next(in bytes: UnsafeRawBufferPointer, allowsTab: Bool) -> Outcome {
        while true {
            let found = unsafe FieldSyntax.firstControl(in: bytes, from: searched)
            searched = found
            guard found < bytes.count else { return .incomplete }
            switch unsafe bytes[found] {
            case 0x09 where allowsTab:
                searched = found + 1
            case 0x0D:
                guard found + 1 < bytes.count else { return .incomplete }
                guard unsafe bytes[found + 1] == 0x0A else { return .malformed }
                let line = position..<found
                position = found + 2
                searched = position
                return .line(line)
            default:
                return .malformed
            }
        }
    }
}
