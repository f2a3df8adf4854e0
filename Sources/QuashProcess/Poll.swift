import Glibc

/// Asks `condition` again and again until it holds or `limit` has passed; blocks the calling thread.
///
/// This is how the demo and the tests wait for a fact of another process or thread that sends no signal. It never waits
/// longer than the fact needs, so a generous limit costs nothing.
///
/// - Returns: whether the condition came to hold.
@discardableResult
package func poll(within limit: Duration = .seconds(10), _ condition: () throws -> Bool) rethrows -> Bool {
    let clock = ContinuousClock()
    let deadline = clock.now + limit
    var pauseMicroseconds: UInt32 = 200
    while try !condition() {
        guard clock.now < deadline else { return false }
        usleep(pauseMicroseconds)
        pauseMicroseconds = min(pauseMicroseconds * 2, 10_000)
    }
    return true
}
