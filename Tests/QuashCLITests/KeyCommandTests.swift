import Glibc
import QuashCrypto
import QuashJSON
import QuashJWT
import TestSupport
import Testing

@Suite("The keys that sign")
struct KeyCommandTests {
    let quash: QuashProgram
    let path: String

    init() throws {
        quash = try QuashProgram()
        path = quash.folder.path("signing.pem")
    }

    private func keys(_ arguments: String...) throws -> [(kid: String, role: String)] {
        let result = try quash(["keys"] + arguments + ["--file", path, "-o", "json"])
        #expect(result.exit == .code(0), "\(result.errors)")
        return try #require(result.json?["keys"]?.array).map { ($0["kid"]?.string ?? "", $0["role"]?.string ?? "") }
    }

    private func thumbprints() throws -> [String] {
        try RSAPrivateKey.loadAll(path: path).map { JSONWebKey.thumbprint(of: $0.publicKey) }
    }

    @Test func aNewKeyIsPublishedSignsAndTheOldOneGoes() throws {
        let old = try #require(try keys("generate").first)
        #expect(old.role == "signs")
        #expect(try thumbprints() == [old.kid])

        let published = try keys("rotate", "--publish-only")
        #expect(published.map(\.role) == ["signs", "published"])
        #expect(published.first?.kid == old.kid)
        let new = published[1].kid

        #expect(try keys("rotate", "--kid", new).map(\.kid) == [new, old.kid])
        #expect(try thumbprints() == [new, old.kid])
        #expect(try keys("retire", "--kid", old.kid).map(\.kid) == [new])
        #expect(try keys("list").map(\.kid) == [new])
    }

    @Test func rotateAtOnceLetsTheNewKeySign() throws {
        let old = try #require(try keys("generate").first)
        let rotated = try keys("rotate", "--bits", "3072")
        #expect(rotated.map(\.role) == ["signs", "published"])
        #expect(rotated.last?.kid == old.kid)
        #expect(try RSAPrivateKey.loadAll(path: path)[0].publicKey.modulus.count == 384)
    }

    @Test func theFileIsThisUsersAlone() throws {
        for arguments in [["generate"], ["rotate"]] {
            #expect(try quash(["keys"] + arguments + ["--file", path]).exit == .code(0))
            var status = stat()
            #expect(unsafe stat(path, &status) == 0)
            #expect(status.st_mode & 0o7777 == 0o600)
        }
    }

    /// One thumbprint in 64 does.
    @Test func aKeyWhoseNameBeginsWithADashCanBeNamed() throws {
        _ = try keys("generate")
        for command in ["rotate", "retire"] {
            let result = try quash("keys", command, "--kid", "-abc", "--file", path)
            #expect(result.exit == .code(4))
            #expect(result.errors.contains("-abc"), "\(result.errors)")
        }
    }

    @Test func noKeyIsEverOverwrittenOrLost() throws {
        let key = try #require(try keys("generate").first)
        let again = try quash("keys", "generate", "--file", path)
        #expect(again.exit == .code(4))
        #expect(again.problems == ["\(path) is there already; `quash keys rotate` adds a key to it"])

        let signing = try quash("keys", "retire", "--kid", key.kid, "--file", path)
        #expect(signing.exit == .code(4))
        #expect(signing.errors.contains("is the key that signs; let another sign first, with `quash keys rotate`"))
        #expect(try quash("keys", "retire", "--kid", "nobody", "--file", path).exit == .code(4))
        #expect(try quash("keys", "rotate", "--kid", key.kid, "--file", path).exit == .code(4))

        // Another command is at it, or was killed there: what it was about to write is not replaced.
        try quash.folder.write("signing.pem.new", "half")
        let refused = try quash("keys", "rotate", "--file", path)
        #expect(refused.exit == .code(4))
        #expect(
            refused.problems == [
                "\(path).new is there: another command is at it, or was interrupted; then delete that file"
            ])
        #expect(try thumbprints() == [key.kid])
        #expect(TemporaryFolder.read(path + ".new") == "half")
    }

    @Test func aFileHoldsNoMoreKeysThanAnIssuerReads() throws {
        try quash.folder.write(
            "signing.pem",
            Array(repeating: TestKeys.privateKey, count: RSAPrivateKey.maxKeysInFile).joined(separator: "\n"))
        let result = try quash("keys", "rotate", "--file", path)
        #expect(result.exit == .code(4))
        #expect(result.errors.contains("retire one with `quash keys retire`"))
    }

    @Test func aFileThatOthersMayReadIsRefused() throws {
        try quash.folder.write("signing.pem", TestKeys.privateKey)
        try ChildProcess.run(["chmod", "640", path])
        let result = try quash("keys", "list", "--file", path)
        #expect(result.exit == .code(4))
        #expect(result.problems.count == 1)
        #expect(result.errors.contains("has mode 640") && result.errors.contains("run chmod 600 on it"))
    }

    @Test func theFileMayComeFromTheEnvironment() throws {
        #expect(try quash(["keys", "generate"], environment: ["QUASH_SIGNING_KEY_FILE": path]).exit == .code(0))
        #expect(try thumbprints().count == 1)
    }
}
