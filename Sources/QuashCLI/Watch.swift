import Glibc
import QuashHTTP
import QuashJSON
import QuashLoop

/// Asks again each second and shows each answer, until it is interrupted: in a terminal in the place of the one before.
final class Watch {
    private static let interval: Duration = .seconds(1)

    private let client: AdminClient
    private let target: String
    private let show: (JSONValue) throws(CommandFailure) -> String
    private let isTerminal = isatty(STDOUT_FILENO) == 1
    private let loop: Loop
    private var timer: Timer?
    private var failure: CommandFailure?
    private var hasShown = false
    private var isOutageTold = false

    /// Runs until SIGINT or SIGTERM.
    ///
    /// - Parameter show: what to write for an answer; without a line end.
    /// - Throws: when the first answer is none. Later failures are told, and it goes on.
    static func run(
        _ client: AdminClient, _ target: String, show: @escaping (JSONValue) throws(CommandFailure) -> String
    ) throws {
        let watch = try Watch(client, target, show: show)
        let signals = try SignalSource(on: watch.loop, [SIGINT, SIGTERM]) { _ in watch.loop.stop() }
        watch.timer = Timer(on: watch.loop) { watch.ask() }
        // Without a cursor, and with what is too long cut off: lines that wrap would push the top out of sight.
        if watch.isTerminal { Terminal.write("\u{1B}[?25l\u{1B}[?7l\u{1B}[2J") }
        watch.ask()
        watch.loop.run()
        if watch.isTerminal { Terminal.write("\u{1B}[?7h\u{1B}[?25h") }
        watch.timer?.close()
        signals.close()
        watch.loop.close()
        if let failure = watch.failure { throw failure }
    }

    private init(
        _ client: AdminClient, _ target: String, show: @escaping (JSONValue) throws(CommandFailure) -> String
    ) throws {
        self.client = client
        self.target = target
        self.show = show
        loop = try Loop()
    }

    private func ask() {
        client.send(.get, target, on: loop) { [self] result in
            do throws(CommandFailure) {
                draw(try show(try client.accepted(try result.get()).json))
                isOutageTold = false
            } catch {
                failed(error)
            }
            timer?.start(after: Self.interval)
        }
    }

    private func draw(_ text: String) {
        hasShown = true
        guard isTerminal else { return Terminal.say(text) }
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).prefix(Terminal.rows - 1)
        Terminal.write("\u{1B}[H" + lines.map { "\($0)\u{1B}[K\n" }.joined() + "\u{1B}[J")
    }

    private func failed(_ error: CommandFailure) {
        guard hasShown, error.outcome == .unreachable else {
            failure = error
            return loop.stop()
        }
        if !isOutageTold { Terminal.complain(error.lines) }
        isOutageTold = true
    }
}
