import TestSupport
import Testing

/// Whoever calls a command wrongly is told in one line what was wrong and what to do, and nothing is tried.
@Suite("Wrong usage")
struct UsageTests {
    let quash: QuashProgram

    init() throws {
        quash = try QuashProgram()
    }

    @Test(arguments: [
        (["frob"], "unexpected argument 'frob'; `quash --help` tells"),
        (["revoke"], "say what to revoke with exactly one of --jti, --session"),
        (["revoke", "--jti", "a", "--all"], "say what to revoke with exactly one of --jti, --session"),
        (["revoke", "--jti", "a", "--sub", "b"], "say what to revoke with exactly one of --jti, --session"),
        (["revoke", "--jti"], "missing value for '--jti <jti>'; `quash revoke --help` tells"),
        (["revoke", "--jti", ""], "jti is empty; `quash revoke --help` tells"),
        (["revoke", "--jit", "a"], "unknown option '--jit'. Did you mean '--jti'?; `quash revoke --help` tells"),
        (["revoke", "a"], "unexpected argument 'a'; `quash revoke --help` tells"),
        (["revoke", "--jti", "a", "--issued-before", "1"], "--issued-before makes no sense with --jti"),
        (
            ["revoke", "--sub", "a", "--issued-before", "tomorrow"],
            #"--issued-before "tomorrow" is no time; write 2026-"#
        ),
        (["revoke", "--kid", "a", "--expires-at", "1"], "--expires-at goes with --jti, --session and --sub alone"),
        (["revoke", "--jti", "a", "--expires-at", "soon"], #"--expires-at "soon" is no time; write 2026-"#),
        (["revoke", "--sub", "a", "--issued-before", "-1"], "missing value for '--issued-before <time>'"),
        (
            ["revoke", "--sub", "a", "--timeout", "soon"],
            "the value 'soon' is invalid for '--timeout <duration>': write a"
        ),
        (["revoke", "--sub", "a", "-o", "xml"], "the value 'xml' is invalid for '-o <output>'. Please provide one of"),
        (
            ["revoke", "--sub", "a", "--server", "issuer"],
            #"--server "issuer": cannot use the URL: it begins with neither"#
        ),
        (
            ["revoke", "--sub", "a", "--server", "http://a/b"],
            #"--server "http://a/b" has a path; write http://host:port"#
        ),
        (
            ["revoke", "--sub", "a", "--server", "unix:"],
            #"--server "unix:": cannot use the address "unix:": the path"#
        ),
        (
            ["revoke", "--sub", "a", "--token-file", "/nowhere"],
            #"the credential's file "/nowhere" cannot be used: No such file"#
        ),
        (["nodes", "--cert-file", "a"], "--cert-file and --key-file belong together; `quash nodes --help` tells"),
        (["nodes", "--server", "https://a", "--ca-file", "/nowhere"], "/nowhere: "),
        (["token", "mint"], "missing expected argument '--sub <sub>'; `quash token mint --help` tells"),
        (["token", "verify"], "give the keys with exactly one of --jwks-file and --jwks-url; `quash token verify"),
        (["token", "verify", "--jwks-file", "/nowhere"], #"--jwks-file "/nowhere" cannot be opened (No such"#),
        (["token", "verify", "x", "--jwks-url", "ftp://a"], #"--jwks-url "ftp://a": cannot use the URL: it begins"#),
        (["token", "inspect"], "there is no token on standard input; pipe one in"),
        (["keys", "list"], "which file? name it with --file, or set QUASH_SIGNING_KEY_FILE"),
        (
            ["keys", "generate", "--file", "/tmp/quash-never-made", "--bits", "1024"],
            "--bits 1024: an RSA key of 1024 bits was"
        ),
        (
            ["keys", "generate", "--bits", "many"],
            "the value 'many' is invalid for '--bits <bits>'; `quash keys generate"
        ),
        (
            ["keys", "rotate", "--file", "a", "--kid", "b", "--publish-only"],
            "--kid and --publish-only exclude each other; "
        ),
        (
            ["keys", "retire", "--file", "a"],
            "missing expected argument '--kid <kid>'; `quash keys retire --help` tells"
        ),
        (
            ["feed", "tail", "--redis-url", "http://a"],
            "cannot use the Redis URL http://a: its scheme is none of redis"
        ),
        (["feed", "tail", "--count", "0"], "--count 0 is not a number of commits; give 1 or more; `quash feed tail"),
        (["config", "check"], "missing expected argument '<role>'; `quash config check --help` tells"),
        (
            ["config", "check", "worker"],
            "the value 'worker' is invalid for '<role>'. Please provide one of 'issuer' and"
        ),
        (
            ["config", "check", "issuer", "--leese", "1s"],
            #"unknown flag "--leese"; did you mean --lease? `quash issuer"#
        ),
        (
            ["config", "check", "validator", "--jwks-url", "a"],
            #"jwks-url "a" (flag --jwks-url) is refused: cannot use"#
        ),
        (["healthcheck", "--server", "127.0.0.1:1"], #"--server "127.0.0.1:1": cannot use the URL: it begins with"#),
        (["version", "now"], "unexpected argument 'now'; `quash version --help` tells"),
        (["version", "\u{1B}[2J"], #"unexpected argument '\u{1b}[2J'; `quash version --help` tells"#),
    ])
    func isToldInOneLine(arguments: [String], start: String) throws {
        let result = try quash(arguments)
        #expect(result.exit == .code(2))
        #expect(result.output == "")
        let problems = result.problems.filter { !$0.hasPrefix("warning: ") && !$0.contains("-file (path") }
        #expect(problems.count == 1)
        #expect(problems.first?.lowercased().hasPrefix(start.lowercased()) == true, "\(result.errors)")
    }

    @Test func twoCredentialsAreOneTooMany() throws {
        let environment = ["QUASH_ADMIN_TOKEN": "0123456789abcdef", "QUASH_ADMIN_TOKEN_FILE": "/run/token"]
        let result = try quash(["nodes"], environment: environment)
        #expect(result.exit == .code(2))
        #expect(result.problems == ["QUASH_ADMIN_TOKEN and QUASH_ADMIN_TOKEN_FILE are both set; unset one of them"])
    }

    @Test func helpIsNoFailure() throws {
        for arguments in [["--help"], ["help", "revoke"], ["keys"], ["config", "check", "--help"], ["--version"]] {
            let result = try quash(arguments)
            #expect(result.exit == .code(0))
            #expect(result.errors == "")
            #expect(!result.output.isEmpty)
        }
    }
}
