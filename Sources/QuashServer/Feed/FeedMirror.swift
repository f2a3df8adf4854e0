import Quash
import QuashLoop

/// Where an issuer's feed keeps what it receives, in addition to the index.
struct FeedMirror {
    let keep: ([Revocation], [SessionEnd]) -> Void
    /// Answers, on the follower's loop, the ends of all sessions of which a refresh token may still live.
    let ends: (_ done: @escaping ([SessionEnd]) -> Void) -> Void
    /// Answers, on the follower's loop, whether all that was kept before is durable.
    let flush: (_ done: @escaping (Bool) -> Void) -> Void
    /// As ``RevocationIndex/Writer/discardTime()``.
    let discardTime: () -> Void

    /// A mirror in `outbox`, for a follower on `thread`.
    init(in outbox: Outbox, on thread: LoopThread) {
        keep = { outbox.mirror($0, ends: $1) }
        ends = { done in
            let done = LoopBound(done)
            outbox.readEnds { ends in thread.submit { _ in done.value(ends) } }
        }
        discardTime = outbox.discardTime
        flush = { done in
            let done = LoopBound(done)
            outbox.flush { isDurable in thread.submit { _ in done.value(isDurable) } }
        }
    }
}
