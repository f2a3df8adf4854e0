package import Logging

/// Everything that Quash logs. The names are an interface: they stand in each line's field `event`, and filters and
/// alerts are built on them. What is said for people may change.
package enum LoggedEvent: String, CaseIterable, Sendable {
    case issuerStarted = "issuer.started"
    case issuerStopped = "issuer.stopped"
    case validatorStarted = "validator.started"
    case validatorStopped = "validator.stopped"
    case adminListenerFailed = "admin_listener.failed"
    case loopFailed = "loop.failed"
    case acceptPaused = "accept.paused"
    case settingFixed = "reload.setting_fixed"
    case reloadRefused = "reload.refused"
    case signingLoaded = "signing.loaded"
    case signingKept = "signing.kept"
    case keysLoaded = "keys.loaded"
    case keysFailed = "keys.failed"
    case redisConnected = "redis.connected"
    case redisUnreachable = "redis.unreachable"
    case redisSilent = "redis.silent"
    case redisUnfit = "redis.unfit"
    case redisAtRisk = "redis.at_risk"
    case subscriptionLost = "subscription.lost"
    case leaseHeld = "lease.held"
    case clockWrong = "clock.wrong"
    case clockRight = "clock.right"
    case indexFull = "index.full"
    case indexCut = "index.cut"
    case indexRoomy = "index.roomy"
    case feedUnanswered = "feed.unanswered"
    case feedGap = "feed.gap"
    case feedResync = "feed.resync"
    case feedDamaged = "feed.damaged"
    case feedMissing = "feed.missing"
    case feedRecovering = "feed.recovering"
    case feedUnreadable = "feed.unreadable"
    case feedRefused = "feed.refused"
    case feedForeignMessage = "feed.foreign_message"
    case feedRestoring = "feed.restoring"
    case feedNotRestored = "feed.not_restored"
    case feedExcused = "feed.excused"
    case commitUncertain = "commit.uncertain"
    case epochBegun = "epoch.begun"
    case epochOpened = "epoch.opened"
    case epochDamaged = "epoch.damaged"
    case epochWaiting = "epoch.waiting"
    case epochFenced = "epoch.fenced"
    case epochSuperseded = "epoch.superseded"
    case registryUnread = "registry.unread"
    case registryUnreadable = "registry.unreadable"
    case nodeDuplicate = "node.duplicate"
    case issuerUnnamed = "issuer.unnamed"
    case layoutBegun = "layout.begun"
    case layoutNewer = "layout.newer"
    case feedUnsealed = "feed.unsealed"
    case issuerRefused = "issuer.refused"
    case issuerReplaces = "issuer.replaces"
    case issuerUnregistered = "issuer.unregistered"
    case tokenAhead = "token.ahead"
    case sessionReused = "session.reused"
    case sessionsReplayed = "sessions.replayed"
    case requestUnserved = "request.unserved"
    case outboxMade = "outbox.made"
    case outboxTorn = "outbox.torn"
    case outboxDamaged = "outbox.damaged"
    case outboxBehindRedis = "outbox.behind_redis"
    case outboxRestored = "outbox.restored"
    case outboxFull = "outbox.full"
    case outboxBehind = "outbox.behind"
    case outboxLost = "outbox.lost"
    case outboxNotRewritten = "outbox.not_rewritten"
    case logLost = "log.lost"
    case audit

    package var level: Logger.Level {
        switch self {
        case .adminListenerFailed, .loopFailed, .redisUnfit, .indexFull, .indexCut, .feedUnreadable, .outboxFull,
            .outboxBehind, .outboxLost:
            .critical
        case .reloadRefused, .signingKept, .clockWrong, .feedDamaged, .feedMissing, .feedRefused, .epochDamaged,
            .layoutNewer, .feedUnsealed, .epochSuperseded, .issuerUnnamed, .issuerRefused, .outboxDamaged,
            .outboxBehindRedis:
            .error
        case .settingFixed, .keysFailed, .redisUnreachable, .redisSilent, .redisAtRisk, .subscriptionLost,
            .feedUnanswered, .feedForeignMessage, .feedNotRestored, .commitUncertain, .epochWaiting, .epochFenced,
            .registryUnreadable, .nodeDuplicate, .issuerUnregistered, .sessionReused, .requestUnserved, .outboxTorn,
            .acceptPaused, .outboxNotRewritten, .logLost, .tokenAhead:
            .warning
        case .issuerStarted, .issuerStopped, .validatorStarted, .validatorStopped, .signingLoaded, .clockRight,
            .indexRoomy, .feedRecovering, .feedRestoring, .feedExcused, .epochBegun, .epochOpened, .issuerReplaces,
            .layoutBegun, .sessionsReplayed, .outboxMade, .outboxRestored, .audit:
            .notice
        case .keysLoaded, .redisConnected, .leaseHeld, .feedResync: .info
        case .feedGap, .registryUnread: .debug
        }
    }

    /// For people.
    package var text: String {
        switch self {
        case .issuerStarted: "issuer started"
        case .issuerStopped: "issuer stopped"
        case .validatorStarted: "validator started"
        case .validatorStopped: "validator stopped"
        case .adminListenerFailed: "the admin listener does not start"
        case .loopFailed: "a loop does not start"
        case .acceptPaused: "a listener has stopped accepting until a connection closes"
        case .settingFixed: "a changed setting counts from the next start"
        case .reloadRefused: "nothing is reloaded"
        case .signingLoaded: "signing keys and clients loaded"
        case .signingKept: "the signing keys and clients stay as they were"
        case .keysLoaded: "keys loaded"
        case .keysFailed: "cannot load keys"
        case .redisConnected: "connected to redis"
        case .redisUnreachable: "redis cannot be reached"
        case .redisSilent: "redis does not tell how it is configured"
        case .redisUnfit: "this redis must not be used: nothing is accepted"
        case .redisAtRisk: "redis is at risk"
        case .subscriptionLost: "lost the subscription"
        case .leaseHeld: "lease held"
        case .clockWrong: "the clocks of this node and of redis differ: nothing is decided before they agree"
        case .clockRight: "the clock was set, and agrees with that of redis: reading the live set again"
        case .indexFull: "the index refuses revocations: this node refuses every token"
        case .indexCut: "the index is full: tokens are refused before they expire"
        case .indexRoomy: "the index has room again: no token is cut short"
        case .feedUnanswered: "the feed did not answer"
        case .feedGap: "a message is missing: fetching it"
        case .feedResync: "reading the live set"
        case .feedDamaged: "the live set in redis lost data: asking the issuers to restore it"
        case .feedMissing: "the live set in redis lacks revocations that this issuer holds: restoring them"
        case .feedRecovering: "no epoch is open: waiting for an issuer"
        case .feedUnreadable:
            "the feed holds an entry that cannot be read: refusing every token until the issuers restored the feed"
        case .feedRefused: "redis refuses the same step again and again: asking the issuers to restore the feed"
        case .feedForeignMessage: "something else is published on the feed's channel"
        case .feedRestoring: "redis lacks revocations: restoring them"
        case .feedNotRestored: "the feed is not restored yet"
        case .feedExcused: "the feed is restored without issuers"
        case .commitUncertain: "a revocation is not known to be stored"
        case .epochBegun: "began a new epoch"
        case .epochOpened: "the epoch is open"
        case .epochDamaged: "the data of the last epoch was damaged: restoring it"
        case .epochWaiting: "no lease is granted before every issuer has restored the feed"
        case .epochFenced:
            "this redis serves another epoch, and may be an old master: waiting until that would be fenced"
        case .epochSuperseded: "this redis serves an epoch that is over: an old master came back"
        case .registryUnread: "the registry was not read"
        case .registryUnreadable: "the registry holds lines that cannot be read: confirmations wait a lease for them"
        case .nodeDuplicate: "two processes use one node-id; give each its own"
        case .issuerUnnamed:
            "an issuer writes to the feed that the setting issuers does not name: a feed that lost its data would not wait for it"
        case .tokenAhead:
            "a token of ours is dated ahead of this node's clock: the clock of this node, or of an issuer, is wrong"
        case .sessionReused: "a refresh token was used twice: its session has ended"
        case .requestUnserved: "a request could not be served"
        case .outboxTorn: "a crash tore the last write to the outbox, which was not yet acknowledged; it is cut off"
        case .layoutBegun: "every node reads the new layout of the feed: issuers write it from now on"
        case .layoutNewer: "the feed has a newer layout than this version reads: upgrade this node"
        case .feedUnsealed: "entries of the feed carry no seal of an issuer"
        case .issuerRefused: "this issuer may not commit revocations"
        case .issuerReplaces: "an operator replaces another outbox by this issuer's"
        case .issuerUnregistered: "this issuer could not be registered in Redis; it tries again"
        case .outboxBehindRedis: "the outbox holds fewer commits than Redis has recorded for it"
        case .outboxRestored: "what the outbox had lost was restored from the feed"
        case .sessionsReplayed: "every session that had ended has been ended in the session store again"
        case .outboxMade: "a new outbox was made"
        case .outboxDamaged:
            "the outbox lost records that were on the disk; intact records before and after the damage were kept"
        case .outboxFull: "the outbox takes no more: revocations are refused"
        case .outboxBehind: "the outbox has missed too much: restart this issuer once there is room on the disk"
        case .outboxLost: "the outbox is lost: restart this issuer on a sound disk"
        case .outboxNotRewritten: "the outbox could not be written anew"
        case .logLost: "lines of the log were lost: nobody read them"
        case .audit: "audit"
        }
    }
}

extension Logger {
    /// Logs `event` with its name, in one line.
    package func record(_ event: LoggedEvent, _ fields: Logger.Metadata = [:]) {
        log(
            level: event.level, "\(event.text)",
            metadata: fields.merging([LoggedEvent.field: "\(event.rawValue)"]) { $1 })
    }
}

extension LoggedEvent {
    /// The field that holds the name.
    static let field = "event"
}
