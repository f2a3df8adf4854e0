import Glibc

/// Runs `body` in a child that fork(2) makes of this process, and gives its status: what `body` returned.
///
/// The child has the calling thread alone, and any lock that another thread held is held for ever in it. So `body`
/// calls only what takes none, or none that other threads of the test use, and the child ends without cleaning anything
/// up.
///
/// - Throws: when the child ended by a signal: SIGALRM after 20 seconds.
package func inForkedChild(_ body: () -> Int32) throws -> Int32 {
    let child = fork()
    guard child >= 0 else { throw TestSupportError("fork: errno \(errno)") }
    if child == 0 {
        alarm(20)
        _exit(body())
    }
    var status: Int32 = 0
    // SAFETY: waitpid(2) writes the status of this child, which nobody else waits for.
    while unsafe waitpid(child, &status, 0) < 0 {
        guard errno == EINTR else { throw TestSupportError("waitpid: errno \(errno)") }
    }
    // As WIFEXITED and WEXITSTATUS, which are macros.
    guard status & 0x7F == 0 else { throw TestSupportError("the child was ended by signal \(status & 0x7F)") }
    return status >> 8 & 0xFF
}
