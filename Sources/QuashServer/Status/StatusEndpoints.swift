import Quash
import QuashHTTP
import QuashJSON
import QuashLoop

/// The status page, and what it and `quash status` follow.
///
/// The page itself holds nothing but its own text, so it is given to everybody. What it shows it fetches with the
/// administration's credential, which an operator types into it: a browser sends no bearer credential by itself, a
/// cookie would be one more secret to guard and could be used by other pages, and an address with a credential in it is
/// kept in histories and logs. The page keeps it in a variable for as long as it is open, and nowhere else.
final class StatusEndpoints {
    /// Who follows at a time.
    static let maxFollowers = 16
    /// Between two documents while the registry is not read.
    private static let interval: Duration = .milliseconds(1500)
    /// Between two, however often the registry is read.
    private static let leastInterval: Duration = .milliseconds(500)
    /// After a change, which is seldom alone.
    private static let changeDelay: Duration = .milliseconds(50)

    private let status: FleetStatus
    private let isCredentialNeeded: Bool
    private var followers: [ObjectIdentifier: HTTPStream] = [:]
    private var timer: Timer?
    private var isChangeTold = true
    private var lastTold = BootInstant(nanoseconds: 0)

    /// - Parameter isCredentialNeeded: whether the page has to ask for one.
    init(_ status: FleetStatus, on loop: Loop, isCredentialNeeded: Bool) {
        self.status = status
        self.isCredentialNeeded = isCredentialNeeded
        timer = Timer(on: loop) { [weak self] in self?.tell() }
        status.recent.changed = { [weak self] in self?.changed() }
        // What is shown is then as fresh as it can be.
        status.registryWasRead = { [weak self] in
            guard let self, BootInstant.now - lastTold >= Self.leastInterval else { return }
            tell()
        }
    }

    func close() {
        timer?.close()
        for follower in Array(followers.values) { follower.end() }
    }

    // MARK: The page

    /// Answers the page's own files, for which no credential is asked.
    ///
    /// - Returns: false when the path is none of them, and nothing was answered.
    func respond(to request: borrowing HTTPRequest, _ exchange: HTTPExchange) -> Bool {
        let path = request.path
        let file: (type: String, body: [UInt8])
        if path.equals("/status") {
            file = ("text/html; charset=utf-8", isCredentialNeeded ? Self.page : Self.openPage)
        } else if path.equals("/status/page.css") {
            file = ("text/css; charset=utf-8", PackageResources.page_css)
        } else if path.equals("/status/page.js") {
            file = ("text/javascript; charset=utf-8", PackageResources.page_js)
        } else {
            return false
        }
        guard request.method == .get || request.method == .head else {
            exchange.send(allowing: "GET, HEAD")
            return true
        }
        var fields = Self.fields
        fields.append("Content-Type", file.type)
        exchange.send(.ok, fields: fields, body: file.body)
        return true
    }

    /// Nothing from elsewhere, nothing inline, nothing framed, nothing sent anywhere but here.
    private static let fields: FieldLines = [
        "Content-Security-Policy":
            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; "
            + "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
        "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "no-store",
    ]

    private static let page = PackageResources.page_html
    /// The same for a listener that asks for no credential.
    private static let openPage = Array(
        String(decoding: page, as: UTF8.self).replacing("data-credential=\"needed\"", with: "data-credential=\"none\"")
            .utf8)

    // MARK: GET /admin/v1/status

    func show(_ exchange: HTTPExchange) {
        status.refresh { [status] in exchange.send(json: status.json) }
    }

    // MARK: GET /admin/v1/events

    /// The same document as server-sent events (WHATWG HTML §9.2): at once, with each reading of the registry, which
    /// is once a second, and after each change.
    func follow(_ exchange: HTTPExchange) {
        guard followers.count < Self.maxFollowers else {
            return exchange.send(unavailable: "\(Self.maxFollowers) follow already")
        }
        let stream = exchange.stream(fields: ["Content-Type": "text/event-stream", "Cache-Control": "no-store"])
        guard let stream else {
            return exchange.send(Problem(.badRequest, "ask this on a connection of its own"))
        }
        let id = ObjectIdentifier(stream)
        followers[id] = stream
        stream.whenClosed { [weak self] in self?.followers[id] = nil }
        status.refresh { [weak self] in
            if let self { stream.send(event()) }
        }
        if followers.count == 1 { timer?.start(after: Self.interval) }
    }

    private func changed() {
        guard !followers.isEmpty, isChangeTold else { return }
        isChangeTold = false
        timer?.start(after: Self.changeDelay)
    }

    private func tell() {
        isChangeTold = true
        lastTold = .now
        guard !followers.isEmpty else { return }
        let event = event()
        for follower in Array(followers.values) { follower.send(event) }
        timer?.start(after: Self.interval)
    }

    private func event() -> [UInt8] {
        Array("event: status\ndata: ".utf8) + status.json.serialized() + Array("\n\n".utf8)
    }
}
