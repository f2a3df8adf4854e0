import Glibc

/// Ends each blocking call on a socket after so many seconds, with EAGAIN (socket(7), SO_RCVTIMEO and SO_SNDTIMEO).
package func limitBlocking(on descriptor: Int32, seconds: Int) {
    var limit = timeval(tv_sec: seconds, tv_usec: 0)
    let size = socklen_t(MemoryLayout<timeval>.size)
    // SAFETY: setsockopt(2) reads as many bytes as it is told.
    unsafe _ = setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, size)
    unsafe _ = setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, size)
}
