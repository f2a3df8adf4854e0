import CYAML

/// The YAML file: a flat mapping of settings to scalars and lists of scalars, and nothing else of YAML.
///
/// Anchors, aliases, tags, nested mappings and a second document are refused: no setting needs them, and each is a way
/// for a file to mean something else than it seems to. Every scalar is text; the table of settings says what it means.
struct YAMLDocument {
    struct Entry: Equatable {
        let key: String
        /// Counted from 1.
        let line: Int
        let values: [String]
        let isList: Bool
    }

    /// In the order of the file; a key may be there twice.
    private(set) var entries: [Entry] = []

    /// Reads `bytes`, which are UTF-8.
    init(_ bytes: [UInt8]) throws(YAMLFlaw) {
        // SAFETY: yaml_parser_set_input_string borrows the bytes, and the parser ends before this closure does.
        let result: Result<[Entry], YAMLFlaw> = unsafe bytes.withUnsafeBufferPointer { buffer in
            do throws(YAMLFlaw) {
                var parser = unsafe YAMLEvents(buffer)
                return .success(try Self.entries(&parser))
            } catch {
                return .failure(error)
            }
        }
        entries = try result.get()
    }

    private static func entries(_ parser: inout YAMLEvents) throws(YAMLFlaw) -> [Entry] {
        _ = try parser.next()
        // A file of nothing but comments has no document.
        if case .streamEnd = try parser.next().kind { return [] }
        let start = try parser.next()
        guard case .mappingStart = start.kind else {
            throw YAMLFlaw(start.line, "the file is not a mapping", "write one setting a line, as in lease: 5s")
        }
        var entries: [Entry] = []
        while true {
            let event = try parser.next()
            switch event.kind {
            case .mappingEnd:
                _ = try parser.next()
                guard case .streamEnd = try parser.next().kind else {
                    throw YAMLFlaw(parser.line, "a second document begins", "keep the first one alone")
                }
                return entries
            case .scalar(let key):
                entries.append(try entry(key, event.line, &parser))
            default:
                throw YAMLFlaw(event.line, "a key is not plain text", "write the name of a setting")
            }
        }
    }

    private static func entry(_ key: String, _ line: Int, _ parser: inout YAMLEvents) throws(YAMLFlaw) -> Entry {
        let event = try parser.next()
        switch event.kind {
        case .scalar(let value):
            return Entry(key: key, line: line, values: [value], isList: false)
        case .sequenceStart:
            var values: [String] = []
            while true {
                let event = try parser.next()
                switch event.kind {
                case .scalar(let value): values.append(value)
                case .sequenceEnd: return Entry(key: key, line: line, values: values, isList: true)
                default: throw nested(key, event.line)
                }
            }
        default:
            throw nested(key, event.line)
        }
    }

    private static func nested(_ key: String, _ line: Int) -> YAMLFlaw {
        YAMLFlaw(line, "the value of \(quoted(key)) is nested", "write one value, or a list of values")
    }
}

/// Why a file is not what `YAMLDocument` reads.
struct YAMLFlaw: Error, Equatable {
    /// Counted from 1.
    let line: Int
    let reason: String
    let remedy: String

    init(_ line: Int, _ reason: String, _ remedy: String) {
        self.line = line
        self.reason = reason
        self.remedy = remedy
    }
}

/// libyaml's events, one at a time.
@safe
private struct YAMLEvents: ~Copyable {
    struct Event {
        let kind: Kind
        let line: Int
    }

    enum Kind {
        case scalar(String)
        case mappingStart, mappingEnd, sequenceStart, sequenceEnd, streamEnd
        /// The start of the stream, the start and the end of a document.
        case frame
    }

    private let parser: UnsafeMutablePointer<yaml_parser_t>
    /// Of the last event, counted from 1.
    private(set) var line = 1

    /// - Parameter bytes: must outlive this value.
    init(_ bytes: UnsafeBufferPointer<UInt8>) {
        unsafe parser = .allocate(capacity: 1)
        unsafe parser.initialize(to: yaml_parser_t())
        // It fails for want of memory alone (libyaml, api.c).
        guard unsafe yaml_parser_initialize(parser) == 1 else { preconditionFailure("yaml_parser_initialize failed") }
        // Otherwise a byte order mark chooses UTF-16, and the same bytes mean something else to other readers.
        unsafe yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
        unsafe yaml_parser_set_input_string(parser, bytes.baseAddress, bytes.count)
    }

    deinit {
        unsafe yaml_parser_delete(parser)
        unsafe parser.deallocate()
    }

    mutating func next() throws(YAMLFlaw) -> Event {
        var event = unsafe yaml_event_t()
        guard unsafe yaml_parser_parse(parser, &event) == 1 else { throw syntaxFlaw() }
        // SAFETY: yaml_event_delete frees what yaml_parser_parse put into this event; all that is kept is copied.
        defer { unsafe yaml_event_delete(&event) }
        line = unsafe Int(event.start_mark.line) + 1
        return unsafe Event(kind: try kind(of: event), line: line)
    }

    private func kind(of event: yaml_event_t) throws(YAMLFlaw) -> Kind {
        // SAFETY: `type` says which member of the union was written (yaml.h).
        switch unsafe event.type {
        case YAML_SCALAR_EVENT:
            let scalar = unsafe event.data.scalar
            try unsafe refuse(anchor: scalar.anchor, tag: scalar.tag)
            let text = unsafe String(
                decoding: UnsafeBufferPointer(start: scalar.value, count: scalar.length), as: UTF8.self)
            if unsafe scalar.style == YAML_PLAIN_SCALAR_STYLE, ["", "~", "null"].contains(text) {
                throw YAMLFlaw(line, "a setting has no value", "give one, or take the line out")
            }
            return .scalar(text)
        case YAML_MAPPING_START_EVENT:
            try unsafe refuse(anchor: event.data.mapping_start.anchor, tag: event.data.mapping_start.tag)
            return .mappingStart
        case YAML_SEQUENCE_START_EVENT:
            try unsafe refuse(anchor: event.data.sequence_start.anchor, tag: event.data.sequence_start.tag)
            return .sequenceStart
        case YAML_ALIAS_EVENT: throw YAMLFlaw(line, "an alias is used", "write the value itself")
        case YAML_MAPPING_END_EVENT: return .mappingEnd
        case YAML_SEQUENCE_END_EVENT: return .sequenceEnd
        case YAML_STREAM_END_EVENT: return .streamEnd
        default: return .frame
        }
    }

    private func refuse(anchor: UnsafeMutablePointer<yaml_char_t>?, tag: UnsafeMutablePointer<yaml_char_t>?)
        throws(YAMLFlaw)
    {
        if unsafe anchor != nil {
            throw YAMLFlaw(line, "an anchor is defined", "take out the & and the name behind it")
        }
        if unsafe tag != nil { throw YAMLFlaw(line, "a tag is used", "take out the ! and the name behind it") }
    }

    private func syntaxFlaw() -> YAMLFlaw {
        // SAFETY: `problem` is a string constant of libyaml's, or nil.
        let problem = unsafe parser.pointee.problem.map { unsafe String(cString: $0) } ?? "cannot be parsed"
        let line = unsafe Int(parser.pointee.problem_mark.line) + 1
        return YAMLFlaw(line, "not YAML: \(problem)", "correct the line or the one before it")
    }
}
