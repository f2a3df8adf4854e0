/// A command: its name and its arguments, each any bytes.
package struct RedisCommand: Equatable, Sendable, CustomStringConvertible {
    package let arguments: [[UInt8]]

    /// - Parameter arguments: the name first; at least that.
    package init(_ arguments: [[UInt8]]) {
        precondition(!arguments.isEmpty, "a Redis command needs a name")
        self.arguments = arguments
    }

    /// The command of these words, for example `RedisCommand("SET", key, value)`.
    package init(_ words: String...) {
        self.init(words.map { Array($0.utf8) })
    }

    /// The name alone: arguments may be secrets.
    package var description: String {
        String(decoding: arguments[0], as: UTF8.self)
    }

    /// The bytes of the command as RESP sends it: an array of bulk strings.
    ///
    /// Written here and not by redisFormatCommandArgv, which wants arrays of C pointers and gives memory to be freed by
    /// its caller: nine lines without an unsafe one. Complexity: O(bytes).
    var encoded: [UInt8] {
        var bytes: [UInt8] = []
        // A length has at most 20 digits; with its mark and two line ends, 25 bytes go beside each argument.
        bytes.reserveCapacity(arguments.reduce(25) { $0 + $1.count + 25 })
        bytes += "*\(arguments.count)\r\n".utf8
        for argument in arguments {
            bytes += "$\(argument.count)\r\n".utf8
            bytes += argument
            bytes += "\r\n".utf8
        }
        return bytes
    }
}
