import QuashCrypto
import QuashHTTP
import QuashJSON
import QuashLoop
import QuashServer

/// Sends the canary through one gateway, round after round, on a loop.
final class CanaryGateway {
    struct Settings {
        let interval: Duration
        let deadline: Duration
        /// Rounds; 0 for ever.
        let count: Int
    }

    private struct Session {
        let name: String
        let token: Secret
        /// Whether the issuer has said that it is revoked.
        var isRevoked = false
    }

    static let subject = "quash-canary"

    private let gateway: HTTPURL
    private let issuer: AdminClient
    private let client: HTTPClient
    private let loop: Loop
    private let settings: Settings
    private let found: (CanaryFinding) -> Void
    private let ended: () -> Void

    private var round: CanaryRound
    private var session: Session?
    private var begun: LoopInstant
    private var timer: Timer?
    /// Counts rounds; what comes late belongs to another one than the current.
    private var number = 0
    /// Rounds that ended.
    private var rounds = 0
    private var isOver = false

    /// - Parameters:
    ///   - found: what a round has found.
    ///   - ended: called once, after the last round.
    init(
        _ gateway: HTTPURL, issuer: AdminClient, tls: TLSContext?, on loop: Loop, _ settings: Settings,
        found: @escaping (CanaryFinding) -> Void, ended: @escaping () -> Void
    ) {
        self.gateway = gateway
        self.issuer = issuer
        self.loop = loop
        self.settings = settings
        self.found = found
        self.ended = ended
        client = HTTPClient(on: loop, tls: tls)
        round = CanaryRound(deadline: settings.deadline)
        begun = loop.now
    }

    /// Begins a round.
    func start() {
        number += 1
        begun = loop.now
        round = CanaryRound(deadline: settings.deadline)
        let body: JSONValue = ["sub": .string(Self.subject)]
        ask("/admin/v1/sessions", body) { [self] answer in
            guard let name = answer.json["session"]?.string, let text = answer.json["access_token"]?.string,
                text.utf8.count <= CanaryLimits.maxTokenBytes, let token = try? Secret(Array(text.utf8), .bearer)
            else { return act(round.issuerFailed("the issuer answers a sign-in with no token", .unreachable)) }
            session = Session(name: name, token: token)
            act(round.signedIn())
        }
    }

    /// Ends the round under way without a finding, and takes its session back.
    func stop() {
        number += 1
        timer?.close()
        timer = nil
        leave { [self] in over() }
    }

    private func act(_ action: CanaryRound.Action) {
        switch action {
        case .none: break
        case .probe: pause(round.pause(now: loop.now)) { [self] in probe() }
        case .revokeAndProbe:
            revoke()
            probe()
        case .end(let finding): end(finding)
        }
    }

    private func probe() {
        guard let session else { preconditionFailure("a probe without a session") }
        let request = HTTPClient.Request(
            .get, gateway,
            fields: [
                "Authorization": "Bearer \(session.token.text)", "User-Agent": "quash-canary/\(BuildVersion.current)",
            ], timeout: CanaryLimits.probeTimeout, maxBodyBytes: CanaryLimits.maxProbeBodyBytes)
        let (sent, number) = (loop.now, number)
        client.send(request) { [self] result in
            guard number == self.number else { return }
            act(round.probed(Self.answer(result), sent: sent, now: loop.now))
        }
    }

    private static func answer(_ result: Result<HTTPResponse, HTTPError>) -> CanaryRound.Answer {
        switch result {
        case .success(let response) where (200...299).contains(response.status.code): .accepted
        case .success(let response) where response.status == .unauthorized: .refused
        case .success(let response):
            .undecided("the gateway answers \(response.status); name a path that is 2xx for any good token")
        case .failure(let error): .undecided(error.description)
        }
    }

    private func revoke() {
        guard let session else { preconditionFailure("a revocation without a session") }
        let body: JSONValue = [
            "session": .string(session.name), "reason": "canary", "wait": "confirmed",
            "timeout": .string(settings.deadline.shortText),
        ]
        ask("/admin/v1/revocations", body, within: settings.deadline) { [self] answer in
            self.session?.isRevoked = true
            act(round.revoked(isConfirmed: answer.json["status"] == "confirmed", now: loop.now))
        }
    }

    private func end(_ finding: CanaryFinding) {
        found(finding)
        number += 1
        let number = number
        leave { [self] in
            guard number == self.number else { return }
            rounds += 1
            if settings.count > 0 && rounds >= settings.count { return over() }
            pause(max(.zero, settings.interval - (loop.now - begun))) { [self] in start() }
        }
    }

    private func over() {
        if !isOver { ended() }
        isOver = true
    }

    /// Forgets the session, after it was revoked if it was not: it would stay until it expires.
    private func leave(_ done: @escaping () -> Void) {
        let left = session
        session = nil
        guard let left, !left.isRevoked else { return done() }
        let body: JSONValue = ["session": .string(left.name), "reason": "canary", "wait": "stored"]
        issuer.send(.post, "/admin/v1/revocations", body: body, on: loop) { _ in done() }
    }

    private func ask(
        _ target: String, _ body: JSONValue, within limit: Duration = .zero,
        answered: @escaping (AdminClient.Answer) -> Void
    ) {
        let number = number
        issuer.send(.post, target, body: body, within: limit, on: loop) { [self] result in
            guard number == self.number else { return }
            do throws(CommandFailure) {
                answered(try issuer.accepted(try result.get()))
            } catch {
                act(round.issuerFailed(error.lines.joined(separator: "; "), error.outcome))
            }
        }
    }

    private func pause(_ duration: Duration, then: @escaping () -> Void) {
        timer?.close()
        timer = Timer(on: loop, fire: then)
        timer?.start(after: duration)
    }
}
