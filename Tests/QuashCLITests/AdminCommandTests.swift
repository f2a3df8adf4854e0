import QuashJSON
import QuashLoop
import TestSupport
import Testing

@Suite("Commands that ask an issuer")
struct AdminCommandTests {
    static let token = "0123456789abcdef-credential"
    let quash: QuashProgram

    init() throws {
        quash = try QuashProgram()
    }

    private func ask(
        _ arguments: [String], _ answers: [String: (Int, String)]
    ) throws -> (result: QuashProgram.Result, request: ScriptedServer.Request?) {
        let server = try ScriptedServer(answers)
        let result = try quash(arguments + ["--server", server.url], environment: ["QUASH_ADMIN_TOKEN": Self.token])
        #expect(!result.errors.contains(Self.token) && !result.output.contains(Self.token))
        return (result, server.requests.all.first)
    }

    // MARK: revoke

    private func revoke(_ arguments: String..., answer: (Int, String)) throws -> (
        result: QuashProgram.Result, body: JSONValue?
    ) {
        let (result, request) = try ask(["revoke"] + arguments, ["POST /admin/v1/revocations": answer])
        #expect(request?.line == "POST /admin/v1/revocations")
        #expect(request?.authorization == "Bearer \(Self.token)")
        return (result, try request.map { try JSONValue(parsing: Array($0.body.utf8).span) })
    }

    private static let stored = (201, #"{"epoch":"00000000000000aa","seq":7,"status":"stored"}"#)
    private static let confirmed = (201, #"{"epoch":"00000000000000aa","seq":7,"status":"confirmed"}"#)
    private static let unconfirmed = (202, #"{"epoch":"00000000000000aa","seq":7,"status":"stored"}"#)

    @Test func storedIsDone() throws {
        let (result, body) = try revoke("--jti", "a", answer: Self.stored)
        #expect(result.exit == .code(0))
        #expect(result.output == "stored at 00000000000000aa:7\n")
        #expect(body == ["jti": "a", "wait": "stored"])
    }

    @Test func anIdentifierMayBeginWithADash() throws {
        let (result, body) = try revoke("--session", "-x", "--session", "--y", answer: Self.stored)
        #expect(result.exit == .code(0))
        #expect(body == ["session": ["-x", "--y"], "wait": "stored"])
    }

    @Test func confirmedIsDone() throws {
        let (result, body) = try revoke(
            "--sub", "a", "--sub", "b", "--issued-before", "2026-01-31T13:00:00+01:00", "--reason", "lost phone",
            "--wait",
            "--timeout", "2s", answer: Self.confirmed)
        #expect(result.exit == .code(0))
        #expect(result.output == "confirmed at 00000000000000aa:7\n")
        #expect(
            body == [
                "sub": ["a", "b"], "issued_before": "2026-01-31T12:00:00.000Z", "reason": "lost phone",
                "wait": "confirmed",
                "timeout": "2s",
            ])
    }

    @Test func storedButNotConfirmedInTimeIs3() throws {
        let (result, _) = try revoke("--kid", "k", "--wait", "-o", "json", answer: Self.unconfirmed)
        #expect(result.exit == .code(3))
        #expect(result.json?["status"] == "stored")
        #expect(result.problems == ["not every validator confirmed it within 5s; `quash nodes` shows which"])
    }

    /// An issuer that answers less than was asked for must not be taken for one that confirmed.
    @Test func storedWithoutAConfirmationIs3WhenOneWasAskedFor() throws {
        #expect(try revoke("--all", "--wait", answer: Self.stored).result.exit == .code(3))
        #expect(try revoke("--all", "--wait", answer: (201, "")).result.exit == .code(3))
    }

    @Test(arguments: [
        (["--all"], #"{"all":true,"wait":"stored"}"#), (["--client", "c"], #"{"client_id":"c","wait":"stored"}"#),
        (
            ["--session", "s", "--issued-before", "1700000000"],
            #"{"session":"s","issued_before":1700000000,"wait":"stored"}"#
        ),
        (
            ["--jti", "a", "--expires-at", "2026-01-31T13:00:00+01:00"],
            #"{"jti":"a","expires_at":"2026-01-31T12:00:00.000Z","wait":"stored"}"#
        ),
    ])
    func theBodySaysWhat(arguments: [String], body: String) throws {
        let (_, request) = try ask(["revoke"] + arguments, ["POST /admin/v1/revocations": Self.stored])
        #expect(request?.body == body)
    }

    @Test(arguments: [
        (400, "answers 400 Bad Request: jti is empty", Int32(4)), (401, "give the credential with --token-file", 4),
        (403, "give the credential with --token-file", 4), (404, "answers 404 Not Found: jti is empty", 4),
        (500, "answers 500 Internal Server Error: jti is empty", 5), (503, "answers 503 Service Unavailable: jti", 5),
    ])
    func aRefusalIsToldWithItsDetail(status: Int, part: String, code: Int32) throws {
        let problem = #"{"type":"about:blank","title":"x","status":400,"detail":"jti is empty"}"#
        let (result, _) = try revoke("--jti", "a", answer: (status, problem))
        #expect(result.exit == .code(code))
        #expect(result.problems.count == 1)
        #expect(result.errors.contains(part))
    }

    @Test func whatAServerSaysCannotForgeLines() throws {
        let (result, _) = try revoke("--jti", "a", answer: (400, #"{"detail":"a\nquash: all is well\u001b[2J"}"#))
        #expect(result.problems.count == 1)
        #expect(result.errors.contains(#"a\u{a}quash: all is well\u{1b}[2J"#))
    }

    @Test func nobodyThereIs5() throws {
        let address = try ScriptedServer([:]).url
        let result = try quash(["revoke", "--jti", "a", "--server", address])
        #expect(result.exit == .code(5))
        #expect(result.problems.count == 1)
        #expect(
            result.errors.contains("connection refused; is it running? --server or QUASH_SERVER names another address"))
    }

    @Test func theCredentialMayComeFromAFileAndTheAddressFromTheEnvironment() throws {
        let socket = quash.folder.path("admin.sock")
        let server = try ScriptedServer(["POST /admin/v1/revocations": Self.stored], at: .unix(path: socket))
        let file = try quash.folder.write("token", Self.token + "\n")
        let result = try quash(
            ["revoke", "--jti", "a", "--token-file", file], environment: ["QUASH_SERVER": "unix:\(socket)"])
        #expect(result.exit == .code(0), "\(result.errors)")
        #expect(server.requests.all.first?.authorization == "Bearer \(Self.token)")
    }

    // MARK: status, nodes, healthcheck

    private static let list =
        #""epoch":"00000000000000aa","head":9,"nodes":["#
        + #"{"node":"v1","version":"0.1.0","applied":9,"lag":0,"lease_left_ms":4200,"entries":12,"#
        + #""decisions_per_second":350},"#
        + #"{"node":"v2","version":"0.1.0","applied":4,"lag":5,"lease_left_ms":0,"decisions_per_second":9}]"#
    private static let nodes = (200, "{\(list)}")
    private static let status = (
        200,
        #"{"time":"2026-01-31T12:00:01.000Z","issuer":"i1","ready":true,"problems":[],\#(list),"revocations":["#
            + #"{"time":"2026-01-31T12:00:00.000Z","seq":8,"kind":"sub","count":3,"status":"confirmed","#
            + #""took_us":2150},"#
            + #"{"time":"2026-01-31T12:00:01.000Z","seq":9,"kind":"jti","count":1,"status":"stored"}]}"#
    )

    private static let table = """
        NODE  LEASE LEFT  LAG  APPLIED  ENTRIES  DECISIONS/S  VERSION
        v1    4200ms      0    9        12       350          0.1.0
        v2    ended       5    4        -        -            0.1.0
        head 9 of epoch 00000000000000aa

        """

    @Test func nodesAreATable() throws {
        let (result, request) = try ask(["nodes"], ["GET /admin/v1/nodes": Self.nodes])
        #expect(request?.authorization == "Bearer \(Self.token)")
        #expect(result.exit == .code(0))
        #expect(result.output == Self.table)
        let json = try ask(["nodes", "-o", "json"], ["GET /admin/v1/nodes": Self.nodes]).result.json
        #expect(json?["nodes"]?.array?.count == 2)
    }

    @Test func anAnswerThatIsNoListOfNodesIsRefused() throws {
        let (result, _) = try ask(["nodes"], ["GET /admin/v1/nodes": (200, "<html>")])
        #expect(result.exit == .code(4))
        #expect(result.errors.contains("is --server the administration of an issuer?"))
    }

    @Test func statusSaysReadinessAndHowTheValidatorsDo() throws {
        let (result, _) = try ask(
            ["status"], ["GET /readyz?verbose": (200, "[+] redis ok\nready\n"), "GET /admin/v1/status": Self.status])
        #expect(result.exit == .code(0), "\(result.errors)")
        #expect(
            result.output == """
                [+] redis ok
                ready
                validators: 2; nodes that have not applied everything: 1

                \(Self.table)
                TIME      SEQUENCE  WHAT     RESULT     TOOK
                12:00:01  9         jti      stored     -
                12:00:00  8         sub x 3  confirmed  2.2 ms

                """)
    }

    @Test func statusOfAnIssuerThatIsNotReadyIs4() throws {
        let (result, _) = try ask(
            ["status", "-o", "json"], ["GET /readyz?verbose": (503, "[-] redis: down\nnot ready\n")])
        #expect(result.exit == .code(4))
        #expect(result.json == ["ready": false, "checks": ["[-] redis: down", "not ready"]])
    }

    @Test(arguments: [(200, Int32(0)), (503, 4), (404, 4)])
    func healthcheckTellsByItsExitCode(status: Int, code: Int32) throws {
        let server = try ScriptedServer(["GET /readyz?verbose": (status, "x\n")])
        #expect(try quash("healthcheck", "--server", server.url).exit == .code(code))
        // A container knows where its own process listens.
        let environment = ["QUASH_ADMIN_LISTEN": "\(server.endpoint),unix:/run/other"]
        #expect(try quash(["healthcheck"], environment: environment).exit == .code(code))
    }

    @Test func healthcheckOfNobodyIs5() throws {
        #expect(try quash("healthcheck", "--server", try ScriptedServer([:]).url).exit == .code(5))
    }

    @Test func aWildcardListenerIsAskedOnLoopback() throws {
        let server = try ScriptedServer(["GET /readyz?verbose": (200, "")])
        guard case .tcp(_, let port) = server.endpoint else { return }
        #expect(try quash(["healthcheck"], environment: ["QUASH_ADMIN_LISTEN": "0.0.0.0:\(port)"]).exit == .code(0))
    }

    // MARK: recover

    @Test func recoverSaysWhoIsWaitedFor() throws {
        let (result, _) = try ask(["recover"], ["GET /admin/v1/recovery": (200, #"{"waiting_for":["b","c"]}"#)])
        #expect(result.exit == .code(0))
        #expect(result.output == "the feed waits for b, c\n")
        let (nobody, _) = try ask(["recover"], ["GET /admin/v1/recovery": (200, #"{"waiting_for":[]}"#)])
        #expect(nobody.output == "the feed waits for no issuer\n")
    }

    @Test func recoverShowsWhyAnIssuerIsRefusedAndReplacesABinding() throws {
        let (shown, _) = try ask(
            ["recover"],
            [
                "GET /admin/v1/recovery": (
                    200, #"{"waiting_for":[],"problem":"its name is taken","bound_to":"0123456789abcdef"}"#
                )
            ])
        #expect(shown.output == "the feed waits for no issuer\nthis issuer is refused: its name is taken\n")
        let (replaced, request) = try ask(
            ["recover", "--replace", "0123456789abcdef"],
            ["POST /admin/v1/recovery": (202, #"{"replace":"0123456789abcdef"}"#)])
        #expect(replaced.output == "the outbox 0123456789abcdef is replaced by that of this issuer\n")
        #expect(request?.body == #"{"replace":"0123456789abcdef"}"#)
        let (both, _) = try ask(["recover", "--replace", "0123456789abcdef", "--without", "b"], [:])
        #expect(both.exit == .code(2))
    }

    @Test func recoverGoesOnWithoutWhoIsGone() throws {
        let (result, request) = try ask(
            ["recover", "--without", "b"], ["POST /admin/v1/recovery": (202, #"{"without":["b"]}"#)])
        #expect(result.exit == .code(0))
        #expect(request?.body == #"{"without":["b"]}"#)
        let (refused, _) = try ask(
            ["recover", "--without", "x"],
            ["POST /admin/v1/recovery": (409, #"{"detail":"the feed does not wait for x, but for b"}"#)])
        #expect(refused.exit == .code(4))
        #expect(refused.errors.contains("the feed does not wait for x, but for b"))
    }

    // MARK: token mint

    @Test func mintPrintsThePair() throws {
        let pair = #"{"access_token":"A","refresh_token":"R","token_type":"Bearer","expires_in":900,"session":"S"}"#
        let (result, request) = try ask(
            ["token", "mint", "--sub", "alice", "--client", "web", "--scope", "a b", "--aud", "x", "--aud", "y"],
            ["POST /admin/v1/sessions": (200, pair)])
        #expect(result.exit == .code(0))
        #expect(result.output == "session  S\naccess   A\nrefresh  R\n")
        #expect(request?.body == #"{"sub":"alice","client_id":"web","scope":"a b","aud":["x","y"]}"#)
    }
}
