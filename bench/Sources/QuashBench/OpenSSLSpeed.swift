import Glibc

/// What OpenSSL's own benchmark says of this machine, now.
enum OpenSSLSpeed {
    /// The time of one RSA verification with a key of 2048 bits, in nanoseconds: the floor of an RS256 verification.
    /// Takes two seconds.
    static func verifyNanoseconds() -> Double {
        // `rsa 2048 bits 0.000246s 0.000016s   4070.1  61300.0`: seconds and rates of signing and verifying.
        let columns = output(of: "openssl speed -seconds 1 rsa2048 2>/dev/null").last?.split(separator: " ") ?? []
        guard let rate = columns.last.flatMap({ Double($0) }), rate > 0 else {
            preconditionFailure("openssl speed did not say a rate")
        }
        return 1_000_000_000 / rate
    }

    /// The lines that a shell command writes.
    private static func output(of command: String) -> [String] {
        guard let stream = unsafe popen(command, "r") else { preconditionFailure("popen failed for \(command)") }
        defer { unsafe pclose(stream) }
        var lines: [String] = []
        var line = [CChar](repeating: 0, count: 512)
        // SAFETY: fgets(3) writes at most the given number of bytes and ends them with a zero, which makes a C string.
        while unsafe fgets(&line, CInt(line.count), stream) != nil {
            let text = line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
            lines.append(String(decoding: text, as: UTF8.self).filter { !$0.isNewline })
        }
        return lines
    }
}
