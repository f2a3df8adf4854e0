import Glibc
import QuashHTTP
import QuashJSON
import QuashJWT
import TestSupport

/// A headless Chromium, driven as WebDriver says (W3C), with what only its own protocol has (CDP).
final class Browser {
    private let driver: ChildProcess
    private let web: Web
    private let folder: TemporaryFolder
    private var session = ""

    /// - Parameter width: of the window, in pixels of CSS.
    init(width: Int = 1200, height: Int = 900) throws {
        folder = try TemporaryFolder()
        web = try Web()
        let port = try freePort()
        let base = "http://127.0.0.1:\(port)"
        driver = try ChildProcess(["chromedriver", "--port=\(port)", "--log-level=WARNING"])
        let web = web
        let isReady = poll(within: .seconds(30)) {
            (try? web.call(.get, base + "/status", timeout: .seconds(2)).json)??["value"]?["ready"] == true
        }
        guard isReady else { throw TestSupportError("chromedriver does not start: \(driver.output)") }
        let arguments: [JSONValue] = [
            "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--force-color-profile=srgb",
            .string("--window-size=\(width),\(height)"), .string("--user-data-dir=\(folder.path("profile"))"),
        ]
        let options: JSONValue = [
            "capabilities": [
                "alwaysMatch": [
                    "browserName": "chrome", "goog:loggingPrefs": ["browser": "ALL"],
                    "goog:chromeOptions": ["args": .array(arguments)],
                ]
            ]
        ]
        let answer = try web.call(
            .post, base + "/session", fields: ["Content-Type": "application/json"], body: options.text,
            timeout: .seconds(60))
        guard let id = answer.json?["value"]?["sessionId"]?.string else {
            throw TestSupportError("no session: \(answer.text) \(driver.output)")
        }
        session = "\(base)/session/\(id)"
    }

    deinit {
        _ = try? web.call(.delete, session)
    }

    // MARK: Commands

    @discardableResult
    private func command(_ path: String, _ body: JSONValue = [:]) throws -> JSONValue {
        let answer = try web.call(
            .post, session + path, fields: ["Content-Type": "application/json"], body: body.text,
            timeout: .seconds(60), maxBodyBytes: 64 << 20)
        guard answer.status == .ok, let value = answer.json?["value"] else {
            throw TestSupportError("\(path): \(answer.status) \(answer.text.prefix(2000))")
        }
        return value
    }

    func open(_ url: String) throws { try command("/url", ["url": .string(url)]) }

    /// What a function's body gives, as JSON.
    @discardableResult
    func run(_ script: String) throws -> JSONValue {
        try command("/execute/sync", ["script": .string(script), "args": []])
    }

    /// The same, where the last argument is called with the value later.
    func runAsynchronously(_ script: String) throws -> JSONValue {
        try command("/execute/async", ["script": .string(script), "args": []])
    }

    /// A command of Chromium's own protocol.
    @discardableResult
    func protocolCommand(_ name: String, _ parameters: JSONValue = [:]) throws -> JSONValue {
        try command("/goog/cdp/execute", ["cmd": .string(name), "params": parameters])
    }

    /// Presses keys, one after the other, wherever the focus is.
    func press(_ keys: [String]) throws {
        let actions = keys.flatMap { key -> [JSONValue] in
            ["keyDown", "keyUp"].map { ["type": .string($0), "value": .string(key)] }
        }
        try command(
            "/actions", ["actions": [["type": "key", "id": "keyboard", "actions": .array(actions)]]])
    }

    static let tab = "\u{E004}"
    static let enter = "\u{E007}"

    func type(_ text: String) throws { try press(text.map(String.init)) }

    // MARK: What is seen

    /// What stands in the first element that a selector finds; nil where there is none.
    func text(_ selector: String) throws -> String? {
        try run("const e = document.querySelector(\(quoted(selector))); return e && e.textContent").string
    }

    /// The texts of all of them.
    func texts(_ selector: String) throws -> [String] {
        let list = try run("return [...document.querySelectorAll(\(quoted(selector)))].map(e => e.textContent.trim())")
        return (list.array ?? []).compactMap(\.string)
    }

    /// Whether an element is there and seen.
    func shows(_ selector: String) throws -> Bool {
        try run("const e = document.querySelector(\(quoted(selector))); return !!e && e.checkVisibility()") == true
    }

    /// What the console was told since the last call: errors of scripts, refusals of the policy, failed loads.
    func consoleMessages() throws -> [String] {
        let answer = try web.call(
            .post, session + "/se/log", fields: ["Content-Type": "application/json"], body: #"{"type":"browser"}"#)
        return (answer.json?["value"]?.array ?? []).compactMap { $0["message"]?.string }
    }

    /// A picture of the window as PNG.
    func picture() throws -> [UInt8] {
        let answer = try web.call(.get, session + "/screenshot", maxBodyBytes: 64 << 20)
        let text = answer.json?["value"]?.string ?? ""
        let alphabet = text.map { $0 == "+" ? "-" : $0 == "/" ? "_" : $0 }.filter { $0 != "=" }
        return Base64URL.decode(String(alphabet)) ?? []
    }

    /// Keeps a picture where `scripts/operations` says, if it does.
    func keepPicture(_ name: String) throws {
        let bytes = try picture()
        guard let path = unsafe getenv("QUASH_OPERATIONS") else { return }
        let folder = unsafe String(cString: path)
        guard folder.hasPrefix("/") else { return }
        let descriptor = unsafe Glibc.open("\(folder)/\(name).png", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw TestSupportError.lastCall("open \(folder)/\(name).png") }
        defer { close(descriptor) }
        // SAFETY: the pointer and its count are those of one array. A picture that is cut is seen to be.
        unsafe bytes.withUnsafeBytes { unsafe _ = write(descriptor, $0.baseAddress, $0.count) }
    }

    /// Shows the page in these colours, and as wide as that.
    func look(dark: Bool, width: Int, height: Int) throws {
        try protocolCommand(
            "Emulation.setEmulatedMedia",
            ["features": [["name": "prefers-color-scheme", "value": dark ? "dark" : "light"]]])
        try protocolCommand(
            "Emulation.setDeviceMetricsOverride",
            [
                "width": .integer(Int64(width)), "height": .integer(Int64(height)), "deviceScaleFactor": 1,
                "mobile": false,
            ])
    }

    private func quoted(_ text: String) -> String { JSONValue.string(text).text }
}

extension JSONValue {
    var text: String { String(decoding: serialized(), as: UTF8.self) }
}
