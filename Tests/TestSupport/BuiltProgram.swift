import Glibc

/// A program that was built together with the tests: it lies beside the program that runs them.
package enum BuiltProgram {
    /// Its path.
    package static func path(_ name: String) -> String {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = unsafe buffer.withUnsafeMutableBytes { bytes in
            // SAFETY: readlink(2) writes at most the given count of bytes, and says how many.
            unsafe readlink("/proc/self/exe", bytes.baseAddress!.assumingMemoryBound(to: CChar.self), bytes.count)
        }
        let own = String(decoding: buffer[..<max(0, count)], as: UTF8.self)
        return own.lastIndex(of: "/").map { own[...$0] + name } ?? name
    }
}
