import Quash
import QuashCrypto
import QuashJWT
import QuashRedis

/// The sessions in Redis: one hash each, with a hash tag of its own so that they spread over a cluster, and one sorted
/// set of sessions for each subject. Every key expires with the last refresh token it is about.
final class SessionStore {
    /// Sessions that one subject may have at a time; signing in once more ends the oldest.
    static let maxSessionsPerSubject = 100

    private static let signIn = script("sign-in", PackageResources.sign_in_lua)
    private static let listSession = script("list-session", PackageResources.list_session_lua)
    private static let rotate = script("rotate", PackageResources.rotate_lua, allowsFullMemory: true)
    private static let end = script("end-session", PackageResources.end_session_lua, allowsFullMemory: true)
    private static let timeout: Duration = .seconds(2)

    private let client: RedisClient
    /// How long the record of an ended session stays: as long as one of its access tokens may live.
    private let tombstone: Duration

    init(client: RedisClient, tombstone: Duration) {
        self.client = client
        self.tombstone = tombstone
    }

    typealias Answer<Value> = (Result<Value, any Error>) -> Void

    /// What became of a refresh token that was presented.
    enum Rotation: Equatable {
        /// It was current; its successor is now.
        case rotated(SessionRecord)
        /// It was spent a moment ago and its successor is unused: a retry.
        case replayed(SessionRecord)
        /// It was spent before. The session has ended by this.
        case reused(SessionRecord)
        case ended(SessionRecord)
        case unknown
    }

    /// Records a new session whose current refresh token is `refresh`.
    ///
    /// - Parameter answer: sessions of the subject that are more than it may have, those that expire first.
    func create(
        _ session: SessionID, _ record: SessionRecord, refresh: TokenID, expires: WallInstant,
        answer: @escaping Answer<[SessionID]>
    ) {
        var arguments = [bytes(expires.seconds)]
        for field in record.fields + [("current", Self.hash(refresh))] {
            arguments += [bytes(field.0), bytes(field.1)]
        }
        // The list first: whatever is recorded as a session can be found and ended.
        var surplus: [SessionID] = []
        list(session, of: record.subject, until: expires) { surplus = $0 }
        client.eval(Self.signIn, keys: [Self.key(session)], arguments: arguments, timeout: Self.timeout) { result in
            answer(result.map { _ in surplus }.mapError { $0 })
        }
    }

    /// Lists a session under its subject until then.
    ///
    /// - Parameter answer: sessions that are more than the subject may have; none where that is not known.
    private func list(
        _ session: SessionID, of subject: String, until expires: WallInstant, answer: @escaping ([SessionID]) -> Void
    ) {
        let arguments = [
            bytes(session), bytes(expires.milliseconds), bytes(ClockReading.now().wall.milliseconds),
            bytes(Self.maxSessionsPerSubject),
        ]
        client.eval(Self.listSession, keys: [Self.subjectKey(subject)], arguments: arguments, timeout: Self.timeout) {
            answer((try? $0.get().elements)?.compactMap(Self.session) ?? [])
        }
    }

    private static func session(_ value: RESPValue) -> SessionID? { value.text.flatMap { SessionID($0) } }

    /// Spends the refresh token `presented`, whose successor shall be `next`.
    ///
    /// One atomic step in Redis: however many try at once, one rotates.
    func rotate(
        _ presented: TokenID, to next: TokenID, keyID: String, now: WallInstant, grace: Duration,
        lifetimes: SessionRecord.Lifetimes, answer: @escaping Answer<Rotation>
    ) {
        let expires = now + lifetimes.refresh
        let arguments = [
            bytes(Self.hash(presented)), bytes(Self.hash(next)), bytes(now.milliseconds),
            bytes(grace.wholeMilliseconds), bytes(keyID), bytes(expires.seconds), bytes(tombstone.components.seconds),
            bytes((now + lifetimes.access).milliseconds), bytes(lifetimes), bytes(expires.milliseconds),
        ]
        let key = Self.key(presented.session)
        client.eval(Self.rotate, keys: [key], arguments: arguments, timeout: Self.timeout) { [self] result in
            let rotation = Result { try Self.rotation(try result.get()) }
            if case .success(.rotated(let record)) = rotation {
                list(presented.session, of: record.subject, until: expires) { _ in }
            }
            answer(rotation)
        }
    }

    /// Ends a session. Ending it twice answers the same. It stays in its subject's list until ``forget(_:of:)``, so
    /// that whoever ends all of a subject's sessions finds it as long as its end may not have been published.
    ///
    /// - Parameter answer: its record, or nil when there is none (any more).
    func end(_ session: SessionID, now: WallInstant, answer: @escaping Answer<SessionRecord?>) {
        let arguments = [bytes(now.milliseconds), bytes(tombstone.components.seconds)]
        client.eval(Self.end, keys: [Self.key(session)], arguments: arguments, timeout: Self.timeout) { result in
            answer(Result { try Self.record(try result.get()) })
        }
    }

    /// Reads a session.
    ///
    /// - Parameter answer: its record and whether `refresh` is its current refresh token; nil when there is none.
    func read(
        _ session: SessionID, refresh: TokenID? = nil, answer: @escaping Answer<(SessionRecord, isCurrent: Bool)?>
    ) {
        let command = RedisCommand([bytes("HGETALL"), Self.key(session)])
        client.send(command, timeout: Self.timeout) { result in
            answer(
                Result {
                    let fields = Self.fields(try result.get().elements ?? [])
                    guard let record = SessionRecord(fields: fields) else { return nil }
                    let current = refresh.map(Self.hash)
                    return (record, isCurrent: fields.contains { $0.name == "current" && $0.value == current })
                })
        }
    }

    /// The sessions of a subject, the one that expires first in front. Some may have ended.
    func sessions(of subject: String, answer: @escaping Answer<[SessionID]>) {
        let now = ClockReading.now().wall.milliseconds
        client.send(
            RedisCommand([bytes("ZREMRANGEBYSCORE"), Self.subjectKey(subject), bytes("-inf"), bytes(now)]),
            timeout: Self.timeout, completion: { _ in })
        // Sign-ins at the same instant may go beyond what a subject may have, for a moment.
        let command = RedisCommand([
            bytes("ZRANGE"), Self.subjectKey(subject), bytes(0), bytes(10 * Self.maxSessionsPerSubject - 1),
        ])
        client.send(command, timeout: Self.timeout) { result in
            answer(Result { (try result.get().elements ?? []).compactMap(Self.session) })
        }
    }

    /// Takes names out of a subject's list whose sessions are gone, or whose ends are published.
    func forget(_ sessions: [SessionID], of subject: String, done: @escaping () -> Void = {}) {
        guard !sessions.isEmpty else { return done() }
        client.send(
            RedisCommand([bytes("ZREM"), Self.subjectKey(subject)] + sessions.map { bytes($0) }),
            timeout: Self.timeout, completion: { _ in done() })
    }

    // MARK: In Redis

    /// - Parameter allowsFullMemory: for what ends sessions, which a Redis that is full must still do.
    private static func script(_ name: String, _ source: [UInt8], allowsFullMemory: Bool = false) -> RedisScript {
        let first = allowsFullMemory ? "#!lua flags=allow-oom\n" : ""
        return RedisScript(name: name, source: first + String(decoding: source, as: UTF8.self))
    }

    private static func key(_ session: SessionID) -> [UInt8] { bytes("quash:session:{\(session)}") }

    /// The subject by its hash, so that any text is a key and none is a name in Redis.
    private static func subjectKey(_ subject: String) -> [UInt8] {
        bytes("quash:subject:{\(digestText(subject))}")
    }

    private static func hash(_ refresh: TokenID) -> String {
        digestText(refresh.description)
    }

    private static func digestText(_ text: String) -> String {
        let digest = SHA256.digest(of: Array(text.utf8).span)
        return Base64URL.encode(digest.span)
    }

    private static func fields(_ elements: some Collection<RESPValue>) -> [(name: String, value: String)] {
        let texts = elements.map { $0.text ?? "" }
        return stride(from: 0, to: texts.count - 1, by: 2).map { (texts[$0], texts[$0 + 1]) }
    }

    private static func rotation(_ value: RESPValue) throws -> Rotation {
        guard let parts = value.elements, let outcome = parts.first?.text else { throw SessionAnswerError() }
        if outcome == "unknown" { return .unknown }
        guard let record = SessionRecord(fields: fields(parts.dropFirst())) else { throw SessionAnswerError() }
        switch outcome {
        case "rotated": return .rotated(record)
        case "replayed": return .replayed(record)
        case "reused": return .reused(record)
        case "ended": return .ended(record)
        default: throw SessionAnswerError()
        }
    }

    private static func record(_ value: RESPValue) throws -> SessionRecord? {
        guard let parts = value.elements, let outcome = parts.first?.text else { throw SessionAnswerError() }
        if outcome == "unknown" { return nil }
        guard let record = SessionRecord(fields: fields(parts.dropFirst())) else { throw SessionAnswerError() }
        return record
    }
}

/// Redis holds something else under a session's key than a session.
struct SessionAnswerError: Error, CustomStringConvertible {
    var description: String { "redis answered something else than a session" }
}

/// The UTF-8 of a command's argument.
private func bytes(_ value: some CustomStringConvertible) -> [UInt8] { Array(value.description.utf8) }
