/// How a command ends. The numbers are an interface: scripts branch on them.
enum Outcome: Int32 {
    /// Done; for a revocation that was waited for: confirmed.
    case done = 0
    /// The arguments or the configuration are wrong; nothing was tried.
    case usage = 2
    /// The revocation is stored, but not every validator is known to have applied it; or a canary found that a
    /// revoked token was accepted too late.
    case unconfirmed = 3
    /// Somebody who could decide said no.
    case refused = 4
    /// Nobody who could decide was reached.
    case unreachable = 5
}

/// Why a command did not do what it was asked to.
struct CommandFailure: Error {
    let outcome: Outcome
    /// What was wrong, with which value, and what to do: a line for each problem.
    let lines: [String]

    init(_ outcome: Outcome, _ line: String) {
        self.outcome = outcome
        lines = [line]
    }
}
