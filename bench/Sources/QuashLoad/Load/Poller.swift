import CLinux
import Glibc

/// epoll(7), for reading.
final class Poller {
    private let descriptor: Int32
    private var numbers = [UInt](repeating: 0, count: Int(quash_epoll_room))

    init() throws {
        descriptor = quash_epoll_create()
        guard descriptor >= 0 else { throw Failure.lastCall("epoll_create1") }
    }

    deinit { close(descriptor) }

    /// A descriptor that is closed is no longer watched, by itself.
    func watch(_ watched: Int32, as number: Int) throws {
        guard quash_epoll_add(descriptor, watched, UInt(number)) == 0 else { throw Failure.lastCall("epoll_ctl") }
    }

    /// The numbers of what can be read, after `nanoseconds` at most.
    func wait(nanoseconds: UInt64, _ body: (Int) throws -> Void) throws {
        // SAFETY: there is room for as many numbers as the function writes at most.
        let count = unsafe quash_epoll_wait(descriptor, &numbers, UInt(nanoseconds))
        guard count >= 0 else {
            if errno == EINTR { return }
            throw Failure.lastCall("epoll_wait")
        }
        for index in 0..<Int(count) { try body(Int(numbers[index])) }
    }
}
