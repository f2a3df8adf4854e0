/// The fields that say who is asking, as an application sees them.
enum Identity {
    /// What CGI, WSGI and their like call the five.
    static let variables: Set<String> = [
        "X_AUTH_SUBJECT", "X_AUTH_SESSION", "X_AUTH_JTI", "X_AUTH_EXPIRES", "X_AUTH_SCOPE",
    ]

    /// What an application that is careless with names makes of one: in upper case, without blanks around, and with an
    /// underscore for whatever is no letter and no digit (RFC 3875 §4.1.18 says so of the hyphen; some go further).
    static func variable(_ name: some StringProtocol) -> String {
        String(
            name.trimmed.uppercased().map { character in
                character.isASCII && (character.isLetter || character.isNumber) ? character : "_"
            })
    }

    /// The same after `%2D` and its like were decoded, which a server may do that is more careless still.
    private static func decoded(_ name: some StringProtocol) -> String {
        var bytes: [UInt8] = []
        var rest = Array(name.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
            {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The identity that a request carries: for each variable the values, in their order.
    static func fields(of request: ReceivedRequest) -> [String: [String]] {
        fields(in: request.lines.dropFirst().map(\.self))
    }

    /// What an application finds that merges the trailer with the head, which RFC 9110 §6.5.1 forbids.
    static func trailerFields(of request: ReceivedRequest) -> [String: [String]] { fields(in: request.trailerLines) }

    private static func fields(in lines: [String]) -> [String: [String]] {
        var fields: [String: [String]] = [:]
        for line in lines {
            // A line that goes on another one is a line of its own to those who know no folding.
            guard let colon = line.firstIndex(of: ":") else { continue }
            let names = [variable(line[..<colon]), variable(decoded(line[..<colon]))]
            guard let name = names.first(where: variables.contains) else { continue }
            fields[name, default: []].append(line[line.index(after: colon)...].trimmed)
        }
        return fields
    }
}
