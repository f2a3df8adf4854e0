/// Why a command, a connection or a setting of Redis failed, in words that a person can act on.
package struct RedisError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The kinds of failure that callers tell apart.
    package enum Code: Equatable, Sendable {
        /// A URL, an option or a file of the configuration cannot be used.
        case configuration
        /// There is no connection. A command that ends so was surely not sent.
        case unavailable
        /// Too much waits already on this connection. A command that ends so was surely not sent.
        case overloaded
        /// The connection was lost while a command waited for its reply: nobody knows whether it was executed.
        case lost
        /// The deadline passed while a command waited for its reply: nobody knows whether it was or will be executed.
        case timedOut
        /// What the peer sent is not RESP2, goes over a limit, or answers nothing that was asked.
        case protocolViolation
        /// The server answered with an error, whose first word this is: `NOSCRIPT`, `READONLY`, `LOADING`,
        /// `MASTERDOWN`, `BUSY`, `NOPERM`, `WRONGPASS`, `OOM`, or `ERR` for what has no word of its own.
        case server(prefix: String)
    }

    package let code: Code
    /// The whole sentence, without a final stop. It never holds a password or the arguments of a command.
    package let description: String

    package init(_ code: Code, _ description: String) {
        self.code = code
        self.description = description
    }

    /// Whether the command was sent and no reply came, so that it may have been executed, or still may be.
    package var isOutcomeUnknown: Bool {
        code == .lost || code == .timedOut
    }

    /// The first word of the server's error, when it was the server that answered with one.
    package var serverPrefix: String? {
        if case .server(let prefix) = code { prefix } else { nil }
    }

    /// The error that a reply carries.
    ///
    /// - Parameter text: the reply without its `-`. An unknown command's text repeats its arguments; they are cut off.
    init(reply text: String, to command: String) {
        let prefix = text.prefix { $0 != " " }
        let isWord = !prefix.isEmpty && prefix.utf8.allSatisfy { (0x41...0x5A).contains($0) }
        let kept: Substring
        if let arguments = text.firstRange(of: ", with args beginning with") {
            kept = text[..<arguments.lowerBound]
        } else {
            kept = text[...]
        }
        // What a script may not do for its caller is an ERR before Redis 7.2.
        let code = kept.hasPrefix("ERR The user executing the script") ? "NOPERM" : isWord ? String(prefix) : "ERR"
        let shown = String(decoding: kept.utf8.prefix(RedisLimits.maxErrorTextBytes), as: UTF8.self)
        self.init(.server(prefix: code), "Redis refused \(command): \(shown)")
    }
}
