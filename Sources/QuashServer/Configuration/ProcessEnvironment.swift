import Glibc

/// The environment of this process (environ(7)).
package enum ProcessEnvironment {
    /// Every variable. Of two with one name the first counts, as for getenv(3); bytes that are no UTF-8 are replaced.
    package static var current: [String: String] {
        var variables: [String: String] = [:]
        // SAFETY: environ(7) is an array of NUL-terminated strings that ends with a null pointer. Nothing in this
        // program changes it.
        var entry = unsafe environ
        while let text = unsafe entry.pointee {
            let parts = unsafe String(cString: text).split(
                separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if parts.count == 2, variables[String(parts[0])] == nil { variables[String(parts[0])] = String(parts[1]) }
            unsafe entry += 1
        }
        return variables
    }
}
