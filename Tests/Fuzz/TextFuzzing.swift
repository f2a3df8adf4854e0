import QuashJSON
import QuashJWT

@testable import QuashServer

/// A decoded text is spelled in one way only, and what is encoded comes back.
func fuzzBase64URL(_ bytes: [UInt8]) throws(BrokenProperty) {
    var decoded: [UInt8] = []
    if Base64URL.decode(bytes.span, appendingTo: &decoded) {
        try require(Array(Base64URL.encode(decoded.span).utf8) == bytes, "another spelling of the same bytes")
    } else {
        try require(decoded.isEmpty, "a refused text left bytes behind")
    }
    try require(Base64URL.decode(Base64URL.encode(bytes.span)) == bytes, "encoded and decoded, other bytes")
    if let id = SessionID(bytes.span) {
        try require(Array(id.description.utf8) == bytes, "another spelling of a session")
    }
    if let id = TokenID(bytes.span) {
        try require(Array(id.description.utf8) == bytes, "another spelling of a jti")
    }
}

/// What is accepted is written and read again as the same value, and the two readers accept the same documents.
func fuzzJSON(_ bytes: [UInt8]) throws(BrokenProperty) {
    guard let value = try? JSONValue(parsing: bytes.span) else {
        try require(!isAcceptedByScanner(bytes), "the scanner accepts what the tree refuses")
        return
    }
    try require(isAcceptedByScanner(bytes), "the scanner refuses what the tree accepts")
    try require(String(validating: bytes, as: UTF8.self) != nil, "an accepted document is not UTF-8")
    for document in [value.serialized(), value.prettyPrinted()] {
        guard let again = try? JSONValue(parsing: document.span) else {
            throw BrokenProperty(
                description: "what was written is refused: \(String(decoding: document, as: UTF8.self))")
        }
        try require(again == value, "what was written reads as something else")
        try require(again.serialized() == value.serialized(), "what was written is spelled in another way")
    }
}

/// Reads over the document as one value, and not token by token as `JSONValue` does.
private func isAcceptedByScanner(_ bytes: [UInt8]) -> Bool {
    var scanner = JSONScanner(bytes.span)
    do {
        try scanner.skipValue()
        return try scanner.next() == .end
    } catch {
        return false
    }
}

/// The order of a form's parameters means nothing, and no control character comes out.
func fuzzForm(_ bytes: [UInt8]) throws(BrokenProperty) {
    let names = ["grant_type", "refresh_token", "token", "token_type_hint", "scope", "client_id", "client_secret", "a"]
    let form = FormParameters(bytes)
    let ampersand = UInt8(ascii: "&")
    let pairs = bytes.split(separator: ampersand)
    let reversed = FormParameters(Array(pairs.reversed().joined(separator: [ampersand])))
    try require((form == nil) == (reversed == nil), "accepted in one order only")
    guard let form, let reversed else { return }
    for name in names {
        try require(form[name] == reversed[name], "the order changes \(name)")
        guard let value = form[name] else { continue }
        try require(value.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F }, "a control character in \(name)")
    }
}
