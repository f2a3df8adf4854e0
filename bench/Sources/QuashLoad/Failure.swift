import Glibc

/// Why something could not be measured, in words.
struct Failure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }

    /// The failure of a C call that set `errno`.
    static func lastCall(_ call: String) -> Failure {
        let code = errno
        // SAFETY: strerror(3) gives a NUL-terminated string, which is copied before anything else is called.
        return Failure("\(call): \(unsafe String(cString: strerror(code)))")
    }
}
