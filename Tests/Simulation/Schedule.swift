/// What shall happen, all of it made from one seed before anything does. The course of it follows from the schedule
/// alone.
package struct Schedule: Equatable, Sendable {
    /// Of the delays in the network, of the jitter, and of all else that is not said here.
    package var seed: UInt64
    var validators: Int
    var issuers: Int
    /// How long a Redis that was replaced may go on granting.
    var fence: Int64 = 0
    /// Commits that the log keeps.
    var logCommits = 8
    /// Commits answered to one renewal.
    var recordsPerRenewal = 3
    /// By how much the civil time of Redis is wrong.
    var redisWallError: Int64 = 0
    /// Tokens expire while the schedule runs.
    var isFleeting = false
    /// Nothing happens but outages that are shorter than a lease allows: no valid token may be answered 503.
    var isCalm = false
    /// When all is well again, periods are taken out of the directory of the live set.
    var forgetsPeriods = false
    /// In the order of time.
    var steps: [Step]

    struct Step: Equatable, Sendable {
        let at: Instant
        let event: Event
    }

    /// A validator or an issuer, by its number: the validators first.
    typealias Node = Int

    enum Event: Equatable, Sendable {
        case revoke(token: Int, at: Int, isAwaited: Bool, request: Int?)
        case freeze(Node, Int64)
        case pauseMachine(Node, Int64)
        /// The civil clock is wrong by so much, for so long; for good when that is zero.
        case setWall(Node, Int64, for: Int64)
        /// Those of all machines, that of Redis too.
        case setAllWalls(Int64, for: Int64)
        case crash(Node, down: Int64)
        case leave(Node, down: Int64)
        /// A second process with the node id of another.
        case copy(Node)
        case partition(Node, Int64)
        case disconnect(Node)
        /// Messages to it are dropped, doubled and late, or mixed with others that mean nothing.
        case disturb(Node, Mood, Int64)
        case fillDisk(issuer: Int, Int64)
        case excuse(issuer: Int, at: Int)
        case freezeRedis(Int64)
        case setRedisWall(Int64, for: Int64)
        case restartRedis(Finding, down: Int64)
        case failOver(lag: Int64, staying: [Node], for: Int64)
        /// A node that has left an old master finds it again, if that still runs.
        case revisit(Node, Int64)
        case flush
        case delete(ModelRedis.Key)
        case deleteChunk
        case trim
        case failScripts(Int64)
        case damage(Damage)
    }

    /// What somebody writes into Redis that no script writes.
    enum Damage: Equatable, Sendable {
        /// Another type in the place of a key.
        case key(ModelRedis.Key)
        /// The newest record of the log that cannot be read.
        case record
        /// Another type in the place of a chunk of the live set.
        case chunk
        /// Bytes of a chunk that are no revocations: written over others, and added behind them.
        case bytes
        case moreBytes
        /// The number of bytes of a period: none, or one without end.
        case directory
        case endlessDirectory
    }

    struct Mood: Equatable, Sendable {
        var drops = false
        var repeats = false
        var garbles = false
    }

    /// What a Redis that starts again finds.
    enum Finding: Equatable, Sendable {
        case everything
        case all(butTheLast: Int64)
        case nothing
    }

    var needsSnapshots: Bool {
        steps.contains {
            switch $0.event {
            case .restartRedis(.all, _), .failOver: true
            default: false
            }
        }
    }

    var isDamaged: Bool {
        forgetsPeriods
            || steps.contains {
                if case .damage = $0.event { true } else { false }
            }
    }

    /// When the last fault is over.
    var end: Instant { steps.map { $0.at + $0.event.length }.max() ?? 0 }
}

extension Schedule.Event {
    /// How long its effect lasts.
    var length: Int64 {
        switch self {
        case .freeze(_, let length), .pauseMachine(_, let length), .partition(_, let length),
            .disturb(_, _, let length), .fillDisk(_, let length), .freezeRedis(let length), .failScripts(let length),
            .setWall(_, _, let length), .setAllWalls(_, let length), .setRedisWall(_, let length),
            .crash(_, let length), .leave(_, let length), .restartRedis(_, let length), .failOver(_, _, let length),
            .revisit(_, let length):
            length
        default: 0
        }
    }

    var isRevocation: Bool {
        if case .revoke = self { true } else { false }
    }
}
