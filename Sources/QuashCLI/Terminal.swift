import Glibc
import QuashServer

/// What a command says.
enum Terminal {
    /// Writes the answer of a command to standard output.
    static func say(_ text: String) {
        write(Array(text.utf8) + (text.hasSuffix("\n") ? [] : [UInt8(ascii: "\n")]), to: STDOUT_FILENO)
    }

    /// Writes problems and warnings to standard error, each line with the program's name. What is not printable in
    /// them, such as in the words of a server, is spelled out.
    static func complain(_ lines: [String]) {
        for line in lines { write(Array("quash: \(printable(line))\n".utf8), to: STDERR_FILENO) }
    }

    /// Writes `text` to standard output as it is.
    static func write(_ text: String) { write(Array(text.utf8), to: STDOUT_FILENO) }

    /// The height of the terminal; 24 where it does not say.
    static var rows: Int {
        var size = winsize()
        // SAFETY: ioctl_tty(2): TIOCGWINSZ fills in a winsize.
        let status = unsafe ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size)
        return status == 0 && size.ws_row > 1 ? Int(size.ws_row) : 24
    }

    private static func write(_ bytes: [UInt8], to descriptor: Int32) {
        var rest = bytes[...]
        while !rest.isEmpty {
            // SAFETY: write(2) reads at most as many bytes as it is told behind the pointer; both are of one buffer.
            let written = unsafe rest.withUnsafeBytes { unsafe Glibc.write(descriptor, $0.baseAddress!, $0.count) }
            // Nobody listens any more: there is nothing left to tell.
            if written < 0 && errno != EINTR { return }
            rest = rest.dropFirst(max(0, written))
        }
    }
}
