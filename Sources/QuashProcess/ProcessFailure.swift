import Glibc

/// Why a child process, or a file for one, is not as it was wanted, in words.
package struct ProcessFailure: Error, CustomStringConvertible {
    package let description: String

    package init(_ description: String) {
        self.description = description
    }

    /// The failure of a C call that set `errno`.
    package static func lastCall(_ call: String) -> ProcessFailure {
        let code = errno
        return ProcessFailure("\(call): \(unsafe String(cString: strerror(code)))")
    }
}
