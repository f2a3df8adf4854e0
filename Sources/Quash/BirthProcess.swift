import Glibc
import Synchronization

/// The process in which something was made: what its threads keep up to date is out of date in a child that fork(2)
/// made, which has the memory and none of the threads.
///
/// Each fork counts, in the child (pthread_atfork(3)). Children of vfork(2) and posix_spawn(3) do nothing but call
/// exec.
package struct BirthProcess: Sendable {
    private let forks = Forks.shared
    private let count: UInt64

    /// This process.
    package init() { count = Forks.areCounted ? forks.count.load(ordering: .relaxed) : .max }

    /// Whether the process that runs is this one, and no child of it. One load.
    package var isCurrent: Bool { forks.count.load(ordering: .relaxed) == count }
}

/// How often this process and its parents have forked, on the way to this one.
private final class Forks: Sendable {
    static let shared = Forks()
    let count = Atomic<UInt64>(0)

    /// False where no handler could be registered: then nothing that asks holds in any process. It is registered after
    /// `shared` was made, so that the handler finds it whenever another thread forks.
    static let areCounted: Bool = {
        _ = shared
        // SAFETY: the handler adds to an atomic that exists, which is all that may be done in a child.
        return pthread_atfork(nil, nil) { Forks.shared.count.add(1, ordering: .relaxed) } == 0
    }()
}
