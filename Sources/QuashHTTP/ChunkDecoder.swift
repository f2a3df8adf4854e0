/// Reads the chunked transfer coding (RFC 9112 §7.1), fed with any split of its bytes.
///
/// Extensions are ignored and trailers dropped, both after their syntax has been checked. White space around a chunk's
/// size is refused: readers that disagree on it can be made to see different requests.
///
/// States: size → data → end of data → size …; size 0 → trailers → done.
struct ChunkDecoder: ~Copyable {
    enum Event: Equatable {
        /// These bytes of the input are content.
        case data(Range<Int>)
        /// Everything has been used that can be; what is left over belongs to an unfinished line.
        case incomplete
        /// The last chunk and its trailers have been read.
        case done
        case malformed
    }

    private enum State {
        case size
        case data(left: Int)
        case dataEnd
        case trailers(bytes: Int)
        case done
    }

    private var state = State.size
    private var trailers = FieldTable()

    /// - Parameter position: where to go on in `bytes`; moved past what has been used.
    mutating func next(_ bytes: UnsafeRawBufferPointer, at position: inout Int) -> Event {
        while true {
            switch state {
            case .size:
                var lines = LineReader(at: position)
                switch unsafe lines.next(in: bytes, allowsTab: true) {
                case .malformed: return .malformed
                case .incomplete:
                    return bytes.count - position > HTTPLimits.maxChunkLineBytes ? .malformed : .incomplete
                case .line(let line):
                    guard line.count <= HTTPLimits.maxChunkLineBytes, let size = unsafe Self.size(line, bytes) else {
                        return .malformed
                    }
                    position = lines.position
                    state = size == 0 ? .trailers(bytes: 0) : .data(left: size)
                }
            case .data(let left):
                let count = min(left, bytes.count - position)
                guard count > 0 else { return .incomplete }
                let data = position..<position + count
                position += count
                state = count == left ? .dataEnd : .data(left: left - count)
                return .data(data)
            case .dataEnd:
                let rest = bytes.count - position
                if rest >= 1, unsafe bytes[position] != 0x0D { return .malformed }
                guard rest >= 2 else { return .incomplete }
                guard unsafe bytes[position + 1] == 0x0A else { return .malformed }
                position += 2
                state = .size
            case .trailers(let used):
                guard let event = unsafe readTrailer(bytes, &position, used: used) else { continue }
                return event
            case .done:
                return .done
            }
        }
    }

    /// One line of the trailer section; nil when there may be another.
    private mutating func readTrailer(_ bytes: UnsafeRawBufferPointer, _ position: inout Int, used: Int) -> Event? {
        var lines = LineReader(at: position)
        let outcome = unsafe lines.next(in: bytes, allowsTab: true)
        let end = outcome == .incomplete ? bytes.count : lines.position
        guard used + end - position <= HTTPLimits.maxFieldsBytes else { return .malformed }
        switch outcome {
        case .malformed: return .malformed
        case .incomplete: return .incomplete
        case .line(let line):
            // Offsets of fields have 16 bits: they count from the line.
            let rebased = unsafe UnsafeRawBufferPointer(rebasing: bytes[line])
            if !line.isEmpty, unsafe (try? trailers.append(line: 0..<line.count, of: rebased)) == nil {
                return .malformed
            }
            state = line.isEmpty ? .done : .trailers(bytes: used + end - position)
            position = lines.position
            return nil
        }
    }

    /// chunk-size [ chunk-ext ]: up to eight hexadecimal digits, then nothing or a semicolon and what follows it.
    private static func size(_ line: Range<Int>, _ bytes: UnsafeRawBufferPointer) -> Int? {
        var size = 0
        var offset = line.lowerBound
        while offset < line.upperBound, let digit = unsafe FieldSyntax.hexValue(bytes[offset]) {
            guard offset - line.lowerBound < 8 else { return nil }
            size = size << 4 | Int(digit)
            offset += 1
        }
        guard offset > line.lowerBound else { return nil }
        return unsafe offset == line.upperBound || bytes[offset] == 0x3B ? size : nil
    }
}
