import Glibc
import QuashJSON
import TestSupport
import Testing

/// Commands that show something until they are interrupted.
@Suite("Commands that watch") struct WatchTests {
    private static let nodes = (
        200,
        #"{"epoch":"00000000000000aa","head":9,"problems":[],"issuer":"i1","time":"2026-01-31T12:00:01.000Z","#
            + #""nodes":[{"node":"v1","version":"0.1.0","applied":9,"lag":0,"lease_left_ms":4200}]}"#
    )
    private let quash: QuashProgram
    private let server: ScriptedServer

    init() throws {
        quash = try QuashProgram()
        server = try ScriptedServer(["GET /admin/v1/nodes": Self.nodes, "GET /admin/v1/status": Self.nodes])
    }

    @Test(arguments: ["nodes", "status"])
    func itIsALineForEachAnswerUntilSIGINT(command: String) throws {
        let child = try ChildProcess([QuashProgram.path, command, "--watch", "-o", "json", "--server", server.url])
        #expect(poll(within: .seconds(20)) { child.output.split(separator: "\n").count >= 2 })
        child.signal(SIGINT)
        #expect(try child.waitForExit() == .code(0))
        let lines = child.output.split(separator: "\n")
        for line in lines {
            let bytes = Array(line.utf8)
            #expect(try JSONValue(parsing: bytes.span)["head"] == 9)
        }
        #expect(server.requests.all.count >= 2)
    }

    @Test func textIsTheTableAgainAndAgain() throws {
        let child = try ChildProcess([QuashProgram.path, "nodes", "--watch", "--server", server.url])
        #expect(poll(within: .seconds(20)) { child.output.ranges(of: "head 9 of epoch").count >= 2 })
        child.signal(SIGTERM)
        #expect(try child.waitForExit() == .code(0))
        // What is no terminal gets no control characters.
        #expect(!child.output.contains("\u{1B}"))
    }

    /// In a terminal each answer takes the place of the one before, and the cursor is there again at the end.
    @Test func aTerminalIsDrawnAnew() throws {
        let command = "\(QuashProgram.path) status --watch --server \(server.url)"
        let child = try ChildProcess(["script", "--quiet", "--flush", "--command", command, "/dev/null"])
        #expect(poll(within: .seconds(20)) { child.output.ranges(of: "\u{1B}[H").count >= 2 }, "\(child.output)")
        child.signal(SIGINT)
        child.signal(SIGTERM)
        _ = try child.waitForExit()
        #expect(child.output.contains("issuer i1 at 2026-01-31T12:00:01Z: ready"))
        #expect(child.output.contains("\u{1B}[?25l\u{1B}[?7l"))
    }

    @Test func withoutAFirstAnswerItEnds() throws {
        #expect(try quash("nodes", "--watch", "--server", try ScriptedServer([:]).url).exit == .code(5))
        let refusing = try ScriptedServer(["GET /admin/v1/nodes": (401, "")])
        #expect(try quash("nodes", "--watch", "--server", refusing.url).exit == .code(4))
    }
}
