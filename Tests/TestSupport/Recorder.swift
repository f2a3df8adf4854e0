import Glibc

/// What happened on other threads, in order, for a test to wait for and look at.
@safe package final class Recorder<Element: Sendable>: @unchecked Sendable {
    // SAFETY: initialised once, destroyed with the value; `elements` is touched only while it is held.
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private var elements: [Element] = []

    package init() {
        unsafe pthread_mutex_init(mutex, nil)
    }

    deinit {
        unsafe pthread_mutex_destroy(mutex)
        unsafe mutex.deallocate()
    }

    /// All that was recorded so far.
    package var all: [Element] {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        return elements
    }

    /// Adds `element`; from any thread.
    package func record(_ element: Element) {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        elements.append(element)
    }

    /// Waits until at least `count` elements were recorded, and gives all.
    @discardableResult
    package func wait(count: Int, within limit: Duration = .seconds(10)) throws -> [Element] {
        guard poll(within: limit, { all.count >= count }) else {
            throw TestSupportError("\(all.count) instead of \(count) after \(limit): \(all.suffix(5))")
        }
        return all
    }

    /// Waits for an element that `condition` accepts, and gives the first.
    @discardableResult
    package func wait(
        within limit: Duration = .seconds(10), for condition: (Element) -> Bool
    ) throws -> Element {
        guard poll(within: limit, { all.contains(where: condition) }), let found = all.first(where: condition) else {
            throw TestSupportError("not seen after \(limit), only: \(all.suffix(5))")
        }
        return found
    }
}
