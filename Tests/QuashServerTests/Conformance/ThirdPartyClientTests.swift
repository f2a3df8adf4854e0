import TestSupport
import Testing

@testable import QuashServer

/// Clients that others wrote, in Python: what they take for an OAuth server and a JWT is one.
@Suite("Third-party clients", .sharedFleet("--issuer-url", "https://issuer.test", "--audience", "api"))
struct ThirdPartyClientTests {
    @Test(
        "PyJWT verifies, Authlib refreshes, introspects and revokes, and the validator refuses",
        .enabled("PyPI cannot be reached, so NO THIRD-PARTY CLIENT WAS TRIED") { try PythonClients.areInstalled() })
    func pyJWTAndAuthlib() throws {
        let fleet = try Fleet.current
        let validator = "http://\(fleet.validators[0].addresses[0])"
        let output = try ChildProcess.run(
            [
                PythonClients.interpreter, "\(Repository.root)/Tests/Python/third_party.py", fleet.publicURL,
                fleet.adminURL, validator, "https://issuer.test", "api",
            ],
            environment: [
                "ADMIN_TOKEN": Fleet.adminToken, "CLIENT_SECRET": SharedFleet.gateway.secret,
                // The issuer is on loopback here; Authlib insists on https otherwise.
                "AUTHLIB_INSECURE_TRANSPORT": "1", "PYTHONDONTWRITEBYTECODE": "1",
            ], within: .seconds(60))
        #expect(output.hasSuffix("all hold\n"), "\(output)")
    }
}

/// A virtual environment under `.build`, made on first use and kept until the requirements change.
private enum PythonClients {
    private static let folder = "\(Repository.root)/.build/third-party"
    private static let requirements = "\(Repository.root)/Tests/Python/requirements.txt"

    static var interpreter: String { "\(folder)/bin/python" }

    /// - Returns: false when they are not installed and PyPI, where they would come from, cannot be reached.
    /// - Throws: when they cannot be installed for any other reason.
    static func areInstalled() throws -> Bool {
        let stamp = "\(folder)/installed.txt"
        if TemporaryFolder.read(stamp) == TemporaryFolder.read(requirements) { return true }
        TemporaryFolder.remove(folder)
        try ChildProcess.run(["python3", "-m", "venv", folder], within: .seconds(60))
        let pip = try ChildProcess([
            interpreter, "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--timeout", "10",
            "--retries", "1", "--requirement", requirements,
        ])
        guard try pip.waitForExit(within: .seconds(180)) == .code(0) else {
            // What urllib3 says, through pip, of a host that it has no way to.
            let isUnreachable = ["NewConnectionError", "NameResolutionError", "ConnectTimeoutError", "ProxyError"]
                .contains { pip.output.contains($0) }
            guard isUnreachable else { throw TestSupportError("pip install: \(pip.output)") }
            return false
        }
        // Last, so that an installation that was cut short is made again.
        try ChildProcess.run(["cp", requirements, stamp])
        return true
    }
}
