import Glibc
import NemesisHistory
import Quash
import TestSupport

/// What is done to the fleet. The raw value stands in the table.
enum Fault: String, CaseIterable {
    case killValidator = "SIGKILL of a validator, started again"
    case killIssuer = "SIGKILL of an issuer, started again"
    case killBothIssuers = "SIGKILL of both issuers, started again"
    case leaveIssuer = "SIGTERM of an issuer, started again"
    case leaveValidator = "SIGTERM of a validator, started again"
    case killRedis = "SIGKILL of Redis, started again with its data"
    case loseTail = "SIGKILL of Redis, the tail of its append-only file lost"
    case loseData = "SIGKILL of Redis, started again without data"
    case yesterday = "SIGKILL of Redis, started again with an older state"
    case noAppendOnlyFile = "SIGKILL of Redis, started again without an append-only file"
    case stopValidator = "SIGSTOP of a validator"
    case stopIssuer = "SIGSTOP of an issuer"
    case stopRedis = "SIGSTOP of Redis"
    case stopValidatorAcrossLoss = "SIGSTOP of a validator while Redis loses everything"
    case cutValidatorAcrossLoss = "a validator cut off while Redis loses everything"
    case stopIssuerAcrossLoss = "SIGSTOP of an issuer while Redis loses everything"
    case killIssuerInRestore = "SIGKILL of an issuer while it restores"
    case loseTwice = "FLUSHALL again while the feed is restored"
    case flushAll = "FLUSHALL"
    case flushScripts = "SCRIPT FLUSH"
    case deleteKey = "DEL of one key of the feed"
    case deleteLog = "DEL of the log"
    case deleteChunk = "DEL of a chunk of the live set, and a validator that starts"
    case spoilRecord = "an entry of the log that cannot be read"
    case spoilChunk = "bytes of the live set that cannot be read, and a validator that starts"
    case spoilKey = "a key of the feed of another type"
    case killSubscribers = "CLIENT KILL TYPE pubsub"
    case killClients = "CLIENT KILL TYPE normal"
    case outputBuffer = "output buffers of 1 kB in a burst"
    case partitionValidator = "a validator cut off from Redis"
    case lateAnswer = "a renewal answered late, and then nothing"
    case partitionIssuer = "an issuer cut off from Redis"
    case slowLinks = "20 to 60 ms of delay each way on all links"
    case clockOfValidator = "the civil clock of a validator set"
    case clockOfIssuer = "the civil clock of an issuer set"
    case issuerDownAcrossLoss = "an issuer down while Redis loses everything"
    case killMaster = "SIGKILL of the master, its return"
    case stopMaster = "SIGSTOP of the master until after a failover, its return"
    case lagAndKillMaster = "SIGKILL of the master, the promoted one behind by a second"
    case failOver = "SENTINEL FAILOVER"
    case twin = "a second validator with the same node id"

    /// One of each class, in the order of a short run.
    static let smoke: [Fault] = [
        .killValidator, .killIssuer, .flushAll, .stopValidator, .killRedis, .stopRedis, .flushScripts, .loseData,
        .partitionValidator, .stopIssuer, .deleteKey, .spoilRecord, .lateAnswer, .killSubscribers, .outputBuffer,
        .clockOfValidator,
        .loseTail,
        .issuerDownAcrossLoss, .twin, .partitionIssuer,
    ]

    /// Those of a short run behind sentinels.
    static let smokeBehindSentinels: [Fault] = [.stopMaster, .lagAndKillMaster]

    /// Those that a fleet behind sentinels is subjected to.
    static let behindSentinels: Set<Fault> = [
        .killMaster, .stopMaster, .lagAndKillMaster, .failOver, .killValidator, .killIssuer, .stopValidator,
        .stopIssuer,
    ]

    /// Those that need sentinels.
    static let failovers: Set<Fault> = [.killMaster, .stopMaster, .lagAndKillMaster, .failOver]

    func inject(_ injector: Injector) throws {
        switch self {
        case .killValidator, .killIssuer, .killBothIssuers, .leaveIssuer, .leaveValidator, .stopValidator,
            .stopIssuer, .stopRedis, .twin:
            try injector.injectIntoProcesses(self)
        case .stopValidatorAcrossLoss, .cutValidatorAcrossLoss, .stopIssuerAcrossLoss, .issuerDownAcrossLoss,
            .killIssuerInRestore, .loseTwice:
            try injector.injectAcrossLoss(self)
        case .killRedis, .loseTail, .loseData, .yesterday, .noAppendOnlyFile, .flushAll, .flushScripts, .deleteKey,
            .deleteLog, .deleteChunk, .spoilRecord, .spoilChunk, .spoilKey:
            try injector.injectIntoData(self)
        case .killMaster, .stopMaster, .lagAndKillMaster, .failOver: try injector.injectFailover(self)
        case .killSubscribers, .killClients, .outputBuffer, .partitionValidator, .lateAnswer, .partitionIssuer,
            .slowLinks,
            .clockOfValidator, .clockOfIssuer:
            try injector.injectIntoLinks(self)
        }
    }
}

extension Fault {
    /// Whether it sets a civil clock, for which faketime is needed.
    var needsClocks: Bool { self == .clockOfValidator || self == .clockOfIssuer }
}
