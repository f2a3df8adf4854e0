import NemesisHistory
import Quash
import QuashHTTP
import QuashJSON
import QuashJWT
import QuashLoop
import TestSupport

/// The clients: they sign in, are validated, refresh, log out and are revoked, without a pause; and others ask about
/// any token at any validator, all the time.
final class Traffic: Sendable {
    /// Lives of sessions that go on at once, and how many begin in a second.
    struct Load: Sendable {
        var clients = 240
        var sessionsPerSecond = 110
        var askersPerValidator = 3
        var asksPerSecond = 60
    }

    private static let bystanders = 200
    private static let keptRevoked = 3_000

    private let observer: Observer
    private let web: Web
    private let issuers: [Node]
    private let load: Load
    private let validators: Locked<[Node]>
    private let good = Locked<[Token]>([])
    private let revoked = Locked<[Token]>([])
    private let count = Locked(0)
    private let isStopped = Locked(false)
    private let clocksAgree = Locked(true)
    private let tasks = Locked<[Task<Void, Never>]>([])

    init(observer: Observer, web: Web, issuers: [Node], validators: [Node], load: Load) {
        self.observer = observer
        self.web = web
        self.issuers = issuers
        self.load = load
        self.validators = Locked(validators)
    }

    // MARK: What the faults tell

    /// Another validator is to be asked too, from now on.
    func add(_ validator: Node) { validators.withLock { $0.append(validator) } }

    func remove(_ validator: Node) { validators.withLock { $0.removeAll { $0 === validator } } }

    /// Whether the issuers agree about the time. While they do not, nothing is revoked by time of issue, for that is
    /// not promised then.
    func setClocksAgree(_ agree: Bool) { clocksAgree.withLock { $0 = agree } }

    // MARK: Life

    func start() {
        for _ in 0..<load.clients { run { await $0.live() } }
        for validator in validators.withLock({ $0 }) { ask(validator) }
    }

    /// More askers, for a validator that was added.
    func ask(_ validator: Node) {
        for _ in 0..<load.askersPerValidator { run { await $0.ask(at: validator) } }
    }

    func stop() async {
        isStopped.withLock { $0 = true }
        for task in tasks.withLock({ $0 }) { await task.value }
    }

    private var goesOn: Bool { !isStopped.withLock { $0 } }

    private func run(_ body: @escaping @Sendable (Traffic) async -> Void) {
        let task = Task { await body(self) }
        tasks.withLock { $0.append(task) }
    }

    private func pause(_ duration: Duration) async { try? await Task.sleep(for: duration) }

    private func live() async {
        let period = Duration.seconds(1) * load.clients / load.sessionsPerSecond
        await pause(period * Double.random(in: 0..<1))
        while goesOn {
            let next = ContinuousClock.now + period
            await oneSession()
            let left = next - ContinuousClock.now
            await pause(left > .zero ? left : .milliseconds(1))
        }
    }

    /// Asks a validator about any token, good or revoked.
    private func ask(at validator: Node) async {
        let period = Duration.seconds(1) * load.askersPerValidator / load.asksPerSecond
        while goesOn, validators.withLock({ $0.contains { $0 === validator } }) {
            let tokens = Bool.random() ? good : revoked
            if let token = tokens.withLock({ $0.randomElement() }) {
                await check(token, at: validator, timeout: .seconds(5))
            }
            await pause(period)
        }
    }

    // MARK: One session

    private func issuer() -> Node? {
        let there = issuers.filter { !$0.isAway }
        return Int.random(in: 0..<20) == 0 ? issuers.randomElement() : there.randomElement()
    }

    private func oneSession() async {
        let agreed = clocksAgree.withLock { $0 }
        guard let issuer = issuer(), let (token, refresh, session) = await signIn(at: issuer) else { return }
        if good.withLock({ $0.count < Self.bystanders }) {
            // One of those that nobody ever revokes.
            return good.withLock { $0.append(token) }
        }
        if let validator = validators.withLock({ $0.randomElement() }) { await check(token, at: validator) }
        var tokens = [token]
        var isUsable = true
        if Int.random(in: 0..<4) == 0 {
            let reply = await web.form(
                issuer.endpoint, "/oauth2/token", body: "grant_type=refresh_token&refresh_token=\(refresh)",
                timeout: .seconds(2))
            if let access = reply.json?["access_token"]?.string {
                let next = Token(number: number(), access: access)
                tokens.append(next)
                if let validator = validators.withLock({ $0.randomElement() }) { await check(next, at: validator) }
            } else if reply.status != 503 {
                // Redis may have lost that it was rotated, and then it is taken for stolen: the session may have ended.
                token.history.withLock { $0.asks(at: reply.span.start) }
                isUsable = reply.status == nil
            }
        }
        guard isUsable, let other = self.issuer() else { return }
        await revoke(
            tokens, session: session, refresh: refresh, at: other,
            byTime: agreed && clocksAgree.withLock { $0 })
    }

    private func number() -> Int {
        count.withLock {
            $0 += 1
            return $0
        }
    }

    private func signIn(at issuer: Node) async -> (Token, refresh: String, session: String)? {
        let number = number()
        let reply = await web.send(
            .post, issuer.adminEndpoint, "/admin/v1/sessions", bearer: ProcessFleet.adminToken,
            body: "{\"sub\":\"user-\(number)\"}", timeout: .seconds(2))
        guard reply.status == 200, let json = reply.json, let access = json["access_token"]?.string,
            let refresh = json["refresh_token"]?.string, let session = json["session"]?.string
        else {
            if let status = reply.status, status != 503 {
                observer.violate(.unexpected, "sign-in at \(issuer.name): \(status)")
            }
            return nil
        }
        return (Token(number: number, access: access), refresh, session)
    }

    // MARK: Revoking

    private enum Way: String, CaseIterable {
        case logout
        case session
        case tokens
        case refreshToken
        case subject
    }

    private func revoke(
        _ tokens: [Token], session: String, refresh: String, at issuer: Node, byTime: Bool
    ) async {
        var way = Way.allCases.randomElement() ?? .logout
        if way == .subject, !byTime { way = .session }
        let waits = way != .refreshToken && Bool.random()
        let now = Observer.now
        for token in tokens { token.history.withLock { $0.asks(at: now) } }
        let reply = await send(way, tokens, session, refresh, at: issuer, waits: waits)
        let outcome = outcome(of: reply, way)
        for token in tokens {
            token.history.withLock { history in
                switch outcome {
                case .confirmed: history.isConfirmed(at: reply.span.end)
                case .stored, .unconfirmed: history.isStored(at: reply.span.end)
                case .failed: break
                }
            }
        }
        observer.revoked(tokens, by: "\(way.rawValue) at \(issuer.name)", outcome, reply.span)
        guard outcome != .failed else { return }
        await follow(tokens, outcome, position: position(reply.json))
        revoked.withLock { kept in
            for token in tokens {
                if kept.count < Self.keptRevoked {
                    kept.append(token)
                } else {
                    // Some are asked about until the end, others make room.
                    kept[Int.random(in: Self.keptRevoked / 3..<Self.keptRevoked)] = token
                }
            }
        }
    }

    private func send(
        _ way: Way, _ tokens: [Token], _ session: String, _ refresh: String, at issuer: Node, waits: Bool
    ) async -> Web.Reply {
        let wait = waits ? "wait=confirmed&timeout=6s" : ""
        switch way {
        case .logout:
            return await web.form(
                issuer.endpoint, "/logout", bearer: tokens[0].access, body: wait, timeout: .seconds(9))
        case .refreshToken:
            return await web.form(
                issuer.endpoint, "/oauth2/revoke", body: "token=\(refresh)", timeout: .seconds(9))
        case .session, .tokens, .subject:
            var object = JSONObject()
            if waits {
                object["wait"] = "confirmed"
                object["timeout"] = "6s"
            }
            switch way {
            case .session: object["session"] = .string(session)
            case .tokens: object["jti"] = .array(tokens.compactMap { Self.identifier(of: $0) }.map { .string($0) })
            case .subject: object["sub"] = .string("user-\(tokens[0].number)")
            case .logout, .refreshToken: break
            }
            return await web.send(
                .post, issuer.adminEndpoint, "/admin/v1/revocations", bearer: ProcessFleet.adminToken,
                body: String(decoding: JSONValue.object(object).serialized(), as: UTF8.self), timeout: .seconds(9))
        }
    }

    private func outcome(of reply: Web.Reply, _ way: Way) -> Observer.Outcome {
        guard let status = reply.status else { return .failed }
        let word = reply.json?["status"]?.string
        switch (status, word) {
        case (200, _) where way == .refreshToken: return .stored
        case (200, "stored"), (201, "stored"): return .stored
        case (200, "confirmed"), (201, "confirmed"): return .confirmed
        case (202, "unconfirmed"): return .unconfirmed
        case (503, _): return .failed
        default:
            observer.violate(.unexpected, "\(way.rawValue): \(status) \(word ?? "")")
            return .failed
        }
    }

    private func position(_ json: JSONValue?) -> String? {
        guard let epoch = json?["epoch"]?.string, let sequence = json?["seq"]?.integer else { return nil }
        return "\(epoch):\(sequence)"
    }

    /// Asks every validator at once when it was confirmed; with the position, and after a lease, when it was stored.
    private func follow(_ tokens: [Token], _ outcome: Observer.Outcome, position: String?) async {
        let nodes = validators.withLock { $0 }
        if outcome != .confirmed {
            if let position, let token = tokens.randomElement(), let node = nodes.randomElement() {
                await check(token, at: node, minimum: position)
            }
            await pause(observer.timing.staleness + .milliseconds(1))
        }
        await withTaskGroup { group in
            for node in nodes {
                for token in tokens { group.addTask { await self.check(token, at: node) } }
            }
        }
    }

    /// Many revocations at once, of tokens that nobody has.
    func burst(at issuer: Node) {
        for _ in 0..<40 {
            let names = (0..<100).map { _ in JSONValue.string("nobody-\(UInt64.random(in: .min ... .max))") }
            let body = String(decoding: JSONValue.serialized(["jti": .array(names)])(), as: UTF8.self)
            run { traffic in
                _ = await traffic.web.send(
                    .post, issuer.adminEndpoint, "/admin/v1/revocations", bearer: ProcessFleet.adminToken, body: body,
                    timeout: .seconds(5))
            }
        }
    }

    // MARK: Asking

    /// Asks every validator about every token that is kept, once, after all faults.
    func sweep() async {
        let nodes = validators.withLock { $0 }
        let tokens = revoked.withLock { $0 } + good.withLock { $0 }
        for part in stride(from: 0, to: tokens.count, by: 16) {
            await withTaskGroup { group in
                for token in tokens[part..<min(part + 16, tokens.count)] {
                    for node in nodes { group.addTask { await self.check(token, at: node, timeout: .seconds(5)) } }
                }
            }
        }
    }

    private func check(
        _ token: Token, at node: Node, minimum: String? = nil, timeout: Duration = .milliseconds(400)
    ) async {
        // Mostly not worth it, and what waits for it would ask nobody else meanwhile.
        if node.isAway, timeout < .seconds(1), Int.random(in: 0..<4) > 0 { return }
        let started = node.startTime
        var fields: FieldLines = [:]
        if let minimum { fields.append("X-Quash-Min", minimum) }
        let reply = await web.send(
            .get, node.endpoint, "/authz/auth-request", bearer: token.access, fields: fields, timeout: timeout)
        let verdict: TokenHistory.Verdict
        switch reply.status {
        case 204: verdict = .accepted
        case 401: verdict = .refused
        case 503: verdict = .unavailable
        case nil: return observer.unanswered()
        case let status?: return observer.violate(.unexpected, "\(node.name) answered \(status)")
        }
        observer.answered(
            token, node,
            TokenHistory.Answer(
                verdict, sent: reply.span.start, answered: reply.span.end, started: started,
                statedMinimum: minimum != nil))
    }

    /// The `jti` of a token, read without a key.
    private static func identifier(of token: Token) -> String? {
        let parts = token.access.split(separator: ".")
        guard parts.count == 3, let payload = Base64URL.decode(String(parts[1])) else { return nil }
        return (try? JSONValue(parsing: payload.span))?["jti"]?.string
    }
}
