import Glibc

/// What can be read from an open file, in one allocation.
package enum DescriptorBytes {
    /// Why not all of it was read.
    package enum Failure: Error, Equatable {
        /// There is more than was allowed.
        case tooLong
        /// read(2) failed with this `errno`.
        case unreadable(code: Int32)
    }

    /// What is left to read from `descriptor`, at most `maxBytes` bytes.
    package static func read(_ descriptor: Int32, maxBytes: Int) throws(Failure) -> [UInt8] {
        // One byte more than allowed, so that a longer file is noticed.
        var bytes = [UInt8](repeating: 0, count: maxBytes + 1)
        var count = 0
        while count < bytes.count {
            // SAFETY: read(2) writes at most as many bytes as are left behind the pointer.
            let got = unsafe bytes.withUnsafeMutableBytes { buffer in
                unsafe Glibc.read(descriptor, buffer.baseAddress! + count, buffer.count - count)
            }
            if got == 0 { break }
            if got > 0 {
                count += got
            } else if errno != EINTR {
                throw .unreadable(code: errno)
            }
        }
        guard count <= maxBytes else { throw .tooLong }
        bytes.removeLast(bytes.count - count)
        return bytes
    }
}
