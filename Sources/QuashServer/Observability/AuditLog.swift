package import Logging
import Quash
import QuashHTTP
import QuashJSON

/// Who did something that is audited.
struct AuditActor: Sendable {
    /// The credential's fingerprint, `certificate` or `nobody`; for other acts whose they are.
    let name: String
    /// Where from, as `HTTPExchange.peer` says it.
    let peer: String
}

extension AuditActor {
    /// Whoever may send a signal to the process.
    static let process = AuditActor(name: "process", peer: "")
}

/// What is audited. The names are an interface.
enum AuditAction: String, CaseIterable, Sendable {
    /// A first pair of tokens was minted.
    case sessionCreate = "session.create"
    /// The sessions of a subject were shown.
    case sessionsList = "sessions.list"
    /// All sessions of a subject were ended.
    case sessionsEnd = "sessions.end"
    /// A client ended its own session, or all of its subject's.
    case sessionLogout = "session.logout"
    /// Something was revoked.
    case revocationCreate = "revocation.create"
    /// The feed was opened without issuers.
    case feedRecover = "feed.recover"
    /// Keys were read anew.
    case keysReload = "keys.reload"
    /// A credential was refused.
    case credentialRefused = "credential.refused"

    /// For the documentation.
    var meaning: String {
        switch self {
        case .sessionCreate: "a first pair of tokens was minted"
        case .sessionsList: "the sessions of a subject were shown"
        case .sessionsEnd: "all sessions of a subject were ended"
        case .sessionLogout: "whoever held a token ended its session, or all of its subject's"
        case .revocationCreate: "an administrator revoked something"
        case .feedRecover: "the feed was opened without issuers that are gone"
        case .keysReload: "keys and clients were read anew"
        case .credentialRefused: "an administrator or a client presented a wrong credential"
        }
    }
}

/// Writes one line for each administrative act: who, what, when, and with what result. It is written whatever the level
/// of the log is, and never holds a token, a credential or a key.
///
/// On one loop.
final class AuditLog {
    /// Names in one line.
    private static let maxTargets = 10

    private let log: Logger
    /// Of what strangers cause: by the listener, so that who floods one hides nothing that happens at the other.
    private var refusals: [String: LineLimit] = [:]
    private var failedLogouts: Set<String> = []
    /// Sessions whose failed logout was told; beyond that they may be told again.
    private static let maxFailedLogouts = 10_000

    init(_ log: Logger) {
        var log = log
        log.logLevel = .trace
        self.log = log
    }

    /// - Parameter targets: what it was done to, such as subjects or sessions.
    func record(
        _ action: AuditAction, by actor: AuditActor, result: String, targets: [String] = [],
        _ facts: [(String, String?)] = []
    ) {
        var fields: Logger.Metadata = [
            "action": "\(action.rawValue)", "actor": "\(actor.name)", "peer": "\(actor.peer)", "result": "\(result)",
        ]
        if !targets.isEmpty {
            fields["targets"] = .array(targets.prefix(Self.maxTargets).map { .string(Self.withoutTokens($0)) })
            fields["count"] = "\(targets.count)"
        }
        for case (let name, let value?) in facts where !value.isEmpty { fields[name] = "\(Self.withoutTokens(value))" }
        log.record(.audit, fields)
    }

    /// Somebody may give a whole token where its `jti` is asked for.
    private static func withoutTokens(_ text: String) -> String {
        String(decoding: redacted(Array(text.utf8)), as: UTF8.self)
    }

    /// A wrong credential was presented, or none where one is needed.
    func refused(_ actor: AuditActor, listener: String, now: BootInstant = ClockReading.now().boot) {
        guard let suppressed = refusals[listener, default: LineLimit()].admit(now: now) else { return }
        record(
            .credentialRefused, by: actor, result: "refused",
            [("listener", listener), ("suppressed", suppressed == 0 ? nil : "\(suppressed)")])
    }

    /// Whoever held a token wanted to end its session, or all of its subject's.
    ///
    /// - Parameter result: nil when it is not known to have ended. That is told once: the same token can be presented
    ///   again and again for as long as Redis is away, and each such line names what is to be repeated.
    func loggedOut(_ session: String, by actor: AuditActor, result: String?, everywhere: Bool) {
        let act = "\(session) \(everywhere)"
        if result == nil {
            if failedLogouts.count >= Self.maxFailedLogouts { failedLogouts = [] }
            guard failedLogouts.insert(act).inserted else { return }
        } else {
            failedLogouts.remove(act)
        }
        record(
            .sessionLogout, by: actor, result: result ?? "unavailable", targets: [session],
            [("everywhere", everywhere ? "true" : nil)])
    }
}

extension Logger {
    /// A signal asked for a reload, and the configuration has problems: nothing is reloaded.
    package func refusedReload(_ problems: [String]) {
        for problem in problems { record(.reloadRefused, ["error": "\(problem)"]) }
        AuditLog(self).record(
            .keysReload, by: .process, result: "refused", [("error", problems.joined(separator: "; "))])
    }
}

/// One administrative act from its request to its answer, of which the answer is told to the client and to the audit.
struct AuditedExchange {
    let exchange: HTTPExchange
    private let audit: AuditLog
    private let action: AuditAction
    private let actor: AuditActor

    init(_ exchange: HTTPExchange, _ action: AuditAction, by actor: AuditActor, in audit: AuditLog) {
        self.exchange = exchange
        self.audit = audit
        self.action = action
        self.actor = actor
    }

    /// Answers, and writes what became of it.
    func send(
        _ status: HTTPStatus = .ok, json: JSONValue, result: String, targets: [String] = [],
        _ facts: [(String, String?)] = []
    ) {
        audit.record(action, by: actor, result: result, targets: targets, facts)
        exchange.send(status, json: json)
    }

    /// Answers that it was not done, for the request is wrong.
    func send(_ problem: Problem, targets: [String] = []) {
        audit.record(action, by: actor, result: "refused", targets: targets, [("error", problem.detail)])
        exchange.send(problem)
    }

    /// Answers that it could not be done, or is not known to be.
    func send(unavailable reason: String, targets: [String] = [], _ facts: [(String, String?)] = []) {
        audit.record(action, by: actor, result: "unavailable", targets: targets, facts + [("error", reason)])
        exchange.send(unavailable: reason)
    }
}
