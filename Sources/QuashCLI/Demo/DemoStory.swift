import QuashHTTP
import QuashJSON
import QuashLoop
import QuashProcess
import QuashServer

/// The demo's story, step by step: what was asked, what came back, how long it took, and whether that was as promised.
final class DemoStory {
    private let fleet: DemoFleet
    private let web: BlockingHTTPClient
    private let say: (String) -> Void
    private(set) var brokenPromises = 0

    private struct Pair {
        let access: String
        let refresh: String
    }

    init(_ fleet: DemoFleet, say: @escaping (String) -> Void) throws {
        self.fleet = fleet
        self.say = say
        web = try BlockingHTTPClient()
    }

    // MARK: Chapters

    func tell() throws {
        let gates = "\(DemoFleet.validatorCount) validators" + (fleet.nginxAddress == nil ? "" : " and nginx")
        chapter("A token is good everywhere")
        let alice = try signIn("alice")
        try expectEverywhere("alice's access token at \(gates)", alice.access, accepted: true)

        chapter("Refresh tokens rotate, and a stolen one ends its session")
        let (status, refreshed, time) = try refresh(alice.refresh)
        step("refresh", "POST /oauth2/token", "\(status)", time, isKept: status == 200 && refreshed != nil)
        guard let refreshed else { return }
        try expectEverywhere("the new access token at \(gates)", refreshed.access, accepted: true)
        // The new token is used, so the old one coming back cannot be a retry any more: somebody has stolen a token.
        let (used, latest, _) = try refresh(refreshed.refresh)
        step("refresh once more", "POST /oauth2/token", "\(used)", nil, isKept: used == 200)
        let replayBegun = ContinuousClock.now
        let replayed = try call(
            .post, issuer("/oauth2/token"), body: "grant_type=refresh_token&refresh_token=\(alice.refresh)",
            type: "application/x-www-form-urlencoded")
        let error = replayed.json?["error"]?.string ?? ""
        step(
            "the first refresh token again", "POST /oauth2/token", "\(replayed.status.code) \(error)",
            ContinuousClock.now - replayBegun, isKept: replayed.status.code == 400 && error == "invalid_grant")
        let access = latest?.access ?? refreshed.access
        try refusedEverywhere("its access token, too,", access, since: ContinuousClock.now)

        chapter("Log out, everywhere, at once")
        let again = try signIn("alice")
        let bob = try signIn("bob")
        try expectEverywhere("alice's new token at \(gates)", again.access, accepted: true)
        let begun = ContinuousClock.now
        let logout = try call(.post, issuer("/logout"), token: again.access)
        let position = "\(logout.json?["epoch"]?.string ?? "?"):\(logout.json?["seq"]?.integer ?? 0)"
        step(
            "alice logs out", "POST /logout", "\(logout.status.code) at \(position)", ContinuousClock.now - begun,
            isKept: logout.status == .ok)
        try refusedEverywhere("alice's token", again.access, since: begun)
        try expectEverywhere("bob's token at \(gates)", bob.access, accepted: true)

        try logOutConfirmed(at: gates)
        try redisDies(revoked: [access, again.access], good: bob)
    }

    /// Confirmed: no validator accepts it any more when the answer comes, so each is asked once and not polled.
    private func logOutConfirmed(at gates: String) throws {
        chapter("Log out, and know it")
        // Leases of an epoch before this one, had there been one, would have ended by then.
        let first = ContinuousClock.now
        let confirmed = try call(
            .post, admin("/admin/v1/revocations"), token: fleet.adminToken,
            body: "{\"jti\":\"of-nobody\",\"wait\":\"confirmed\"}")
        step(
            "nothing is confirmed before a lease has passed", "POST /admin/v1/revocations",
            "\(confirmed.status.code) \(confirmed.json?["status"]?.string ?? "")", ContinuousClock.now - first,
            isKept: confirmed.status == .created)
        let carol = try signIn("carol")
        try expectEverywhere("carol's token at \(gates)", carol.access, accepted: true)
        let begun = ContinuousClock.now
        let logout = try call(
            .post, issuer("/logout"), token: carol.access, body: "wait=confirmed",
            type: "application/x-www-form-urlencoded")
        let status = logout.json?["status"]?.string ?? ""
        step(
            "carol logs out, and every validator confirms", "POST /logout", "\(logout.status.code) \(status)",
            ContinuousClock.now - begun, isKept: logout.status == .ok && status == "confirmed")
        try expectEverywhere("carol's token, asked once", carol.access, accepted: false)
    }

    private func redisDies(revoked: [String], good bob: Pair) throws {
        chapter("Redis dies")
        let killed = ContinuousClock.now
        fleet.redis.kill()
        step("kill -9 redis-server", "", "killed", nil, isKept: true)
        try expectEverywhere("bob's token, within the lease", bob.access, accepted: true)
        for token in revoked { try expectEverywhere("a revoked token, within the lease", token, accepted: false) }
        let isClosed = try poll(within: .seconds(15)) { try statuses(bob.access).allSatisfy { $0 == 503 } }
        step(
            "bob's token once the leases have ended", "GET /authz/auth-request",
            try statuses(bob.access).text, ContinuousClock.now - killed, isKept: isClosed)

        chapter("Redis comes back")
        let started = ContinuousClock.now
        try fleet.redis.start()
        let isOpen = try poll(within: .seconds(15)) { try statuses(bob.access).allSatisfy { $0 == 204 || $0 == 200 } }
        step(
            "bob's token", "GET /authz/auth-request", try statuses(bob.access).text, ContinuousClock.now - started,
            isKept: isOpen)
        for token in revoked { try expectEverywhere("a revoked token", token, accepted: false) }

        chapter("Redis loses everything, and a validator starts that has never heard of it")
        let lost = ContinuousClock.now
        fleet.redis.kill()
        try fleet.redis.start(withoutData: true)
        try fleet.addValidator()
        try fleet.waitUntilReady()
        let isRestored = try statuses(bob.access).allSatisfy { $0 == 204 || $0 == 200 }
        step(
            "bob's token, the new validator too", "GET /authz/auth-request", try statuses(bob.access).text,
            ContinuousClock.now - lost, isKept: isRestored)
        for token in revoked { try expectEverywhere("a revoked token, the new validator too", token, accepted: false) }
    }

    // MARK: Steps

    private func signIn(_ subject: String) throws -> Pair {
        let begun = ContinuousClock.now
        let response = try call(
            .post, admin("/admin/v1/sessions"), token: fleet.adminToken, body: "{\"sub\":\"\(subject)\"}")
        guard response.status == .ok, let pair = pair(response) else {
            step("sign in \(subject)", "POST /admin/v1/sessions", "\(response.status)", nil, isKept: false)
            throw ProcessFailure("nobody can sign in: \(String(decoding: response.body, as: UTF8.self))")
        }
        step("sign in \(subject)", "POST /admin/v1/sessions", "200", ContinuousClock.now - begun, isKept: true)
        return pair
    }

    private func refresh(_ token: String) throws -> (status: Int, pair: Pair?, time: Duration) {
        let begun = ContinuousClock.now
        let response = try call(
            .post, issuer("/oauth2/token"), body: "grant_type=refresh_token&refresh_token=\(token)",
            type: "application/x-www-form-urlencoded")
        return (response.status.code, pair(response), ContinuousClock.now - begun)
    }

    private func pair(_ response: HTTPResponse) -> Pair? {
        guard let access = response.json?["access_token"]?.string, let refresh = response.json?["refresh_token"]?.string
        else { return nil }
        return Pair(access: access, refresh: refresh)
    }

    private func expectEverywhere(_ title: String, _ token: String, accepted: Bool) throws {
        let begun = ContinuousClock.now
        let statuses = try statuses(token)
        let isKept = statuses.allSatisfy { accepted ? $0 == 204 || $0 == 200 : $0 == 401 }
        step(title, "GET /authz/auth-request", statuses.text, ContinuousClock.now - begun, isKept: isKept)
    }

    /// Asks each gate again and again until it refuses, and says how long after `begun` that was.
    private func refusedEverywhere(_ title: String, _ token: String, since begun: ContinuousClock.Instant) throws {
        var times = [Duration?](repeating: nil, count: gates.count)
        let isKept = try poll(within: .seconds(5)) {
            // In turn, so that no gate waits for another one's refusal.
            for (index, gate) in gates.enumerated() where times[index] == nil {
                if try ask(gate, token) == 401 { times[index] = ContinuousClock.now - begun }
            }
            return !times.contains(nil)
        }
        let text = times.map { $0?.text ?? "never" }.joined(separator: ", ")
        step("\(title) is refused", "GET /authz/auth-request", "401 after \(text)", nil, isKept: isKept)
    }

    // MARK: Gates

    private enum Gate {
        case validator(String)
        case nginx(String)
    }

    private var gates: [Gate] {
        fleet.validators.map { .validator($0.addresses[0]) } + (fleet.nginxAddress.map { [.nginx($0)] } ?? [])
    }

    private func statuses(_ token: String) throws -> [Int] { try gates.map { try ask($0, token) } }

    private func ask(_ gate: Gate, _ token: String) throws -> Int {
        switch gate {
        case .validator(let address): try call(.get, "http://\(address)/authz/auth-request", token: token).status.code
        case .nginx(let path): try call(.get, "http://localhost/", socket: path, token: token).status.code
        }
    }

    // MARK: Words

    private func chapter(_ title: String) { say("\n\(title)") }

    private func step(_ title: String, _ request: String, _ answer: String, _ time: Duration?, isKept: Bool) {
        if !isKept { brokenPromises += 1 }
        let mark = isKept ? "ok  " : "FAIL"
        say("  \(mark) \(title.padded(46)) \(request.padded(26)) \(answer.padded(24)) \(time?.text ?? "")")
    }

    private func issuer(_ path: String) -> String { "http://\(fleet.issuer.addresses[0])\(path)" }
    private func admin(_ path: String) -> String { "http://\(fleet.issuer.adminAddresses[0])\(path)" }

    private func call(
        _ method: HTTPMethod, _ url: String, socket: String? = nil, token: String? = nil, body: String = "",
        type: String = "application/json"
    ) throws -> HTTPResponse {
        var fields = FieldLines()
        if let token { fields.append("Authorization", "Bearer \(token)") }
        if !body.isEmpty { fields.append("Content-Type", type) }
        var address = try HTTPURL(url)
        if let socket { address = HTTPURL(endpoint: .unix(path: socket), target: address.target) }
        return try web.send(HTTPClient.Request(method, address, fields: fields, body: Array(body.utf8)))
    }
}

extension HTTPResponse {
    fileprivate var json: JSONValue? { try? JSONValue(parsing: body.span) }
}

extension [Int] {
    /// `204 ×3, 200 ×1`.
    fileprivate var text: String {
        var words: [String] = []
        for status in self where words.isEmpty || !words.contains(where: { $0.hasPrefix("\(status) ×") }) {
            words.append("\(status) ×\(count(where: { $0 == status }))")
        }
        return words.joined(separator: ", ")
    }
}

extension Duration {
    /// Milliseconds with one decimal, seconds from one second on.
    fileprivate var text: String {
        let tenths = Int64(self / .microseconds(100))
        return tenths < 10_000 ? "\(tenths / 10).\(tenths % 10) ms" : "\(tenths / 10_000).\(tenths / 1000 % 10) s"
    }
}

extension String {
    fileprivate func padded(_ width: Int) -> String {
        self + String(repeating: " ", count: Swift.max(0, width - count))
    }
}
