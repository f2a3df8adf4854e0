import COpenSSL

/// OpenSSL's error queue, one per thread.
///
/// What one call leaves there changes what the next `SSL_*` call of the same thread reports (SSL_get_error(3)), so
/// every failure drains it, and every `SSL_*` call starts by clearing it.
enum ErrorQueue {
    static func clear() {
        ERR_clear_error()
    }

    /// Empties the queue and returns its codes, oldest first.
    static func takeCodes() -> [UInt] {
        var codes: [UInt] = []
        while true {
            let code = ERR_get_error()
            if code == 0 { return codes }
            codes.append(code)
        }
    }

    /// Empties the queue and returns its reasons in words, the oldest, which is the cause, first.
    static func takeReason() -> String {
        let reasons = takeCodes().map(text(of:))
        return reasons.isEmpty ? "no reason given" : reasons.joined(separator: "; ")
    }

    static func text(of code: UInt) -> String {
        // SAFETY: ERR_reason_error_string(3) returns null or a static string.
        guard let reason = unsafe ERR_reason_error_string(code) else { return "error \(code)" }
        return unsafe String(cString: reason)
    }

    /// The error of an OpenSSL call that has just failed.
    static func openSSLError(_ operation: String) -> CryptoError {
        .openSSL(operation: operation, reason: takeReason())
    }
}
