import Glibc
import TestSupport
import Testing

@testable import QuashCrypto

struct SecretFileTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    @Test(arguments: [0o600, 0o400, 0o700] as [UInt32])
    func aFileOfOursAloneIsRead(mode: UInt32) throws {
        let path = try folder.write("secret", "hush", mode: mode)
        #expect(try SecretFile.read(path: path) == Array("hush".utf8))
    }

    /// Which is how systemd and Kubernetes hand it over. What it lets others do beyond that is refused.
    @Test func aGroupMayReadWhatBelongsToRoot() {
        var status = stat()
        for (mode, owner, isGood) in [
            (0o440, 0, true), (0o640, 0, true), (0o400, 0, true), (0o460, 0, false), (0o444, 0, false),
            (0o450, 0, false), (0o440, 10001, false), (0o400, 10001, true), (0o440, 7, false),
        ] as [(mode_t, uid_t, Bool)] {
            status.st_mode = S_IFREG | mode
            status.st_uid = owner
            let words = "\(String(mode, radix: 8)) of \(owner)"
            #expect((SecretFile.problem(with: status, user: 10001) == nil) == isGood, "\(words)")
        }
        // Root itself needs no group to read its files.
        status.st_mode = S_IFREG | 0o440
        status.st_uid = 0
        #expect(SecretFile.problem(with: status, user: 0) != nil)
    }

    @Test(arguments: [0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o666] as [UInt32])
    func aFileThatOthersMayTouchIsRefused(mode: UInt32) throws {
        let path = try folder.write("secret", "hush", mode: mode)
        let octal = String(mode, radix: 8)
        #expect(problem(path) == "has mode \(octal), so others than its owner may use it; run chmod 600 on it")
    }

    @Test func aSymbolicLinkIsRefused() throws {
        let path = try folder.write("secret", "hush")
        let link = folder.path("link")
        try #require(unsafe symlink(path, link) == 0)
        #expect(problem(link) == "is a symbolic link; give the path of the file itself")
    }

    @Test func whatIsNotARegularFileIsRefusedWithoutWaiting() throws {
        let fifo = folder.path("fifo")
        try #require(unsafe mkfifo(fifo, 0o600) == 0)
        #expect(problem(fifo) == "is not a regular file")
        #expect(problem(folder.path) == "is not a regular file")
        #expect(problem("/dev/null") == "is not a regular file")
    }

    @Test func aMissingFileIsNamed() {
        #expect(problem(folder.path("nothing")) == "No such file or directory")
    }

    @Test func sizeHasALimit() throws {
        let full = String(repeating: "x", count: SecretFile.maxBytes)
        #expect(try SecretFile.read(path: folder.write("full", full)).count == SecretFile.maxBytes)
        #expect(problem(try folder.write("over", full + "x")) == "has 65537 bytes; at most 65536 are read")
    }

    @Test func aFileOfAnotherUserIsRefused() throws {
        guard geteuid() == 0 else { return }  // Only root can give a file away, and so make the case.
        let path = try folder.write("secret", "hush")
        try #require(unsafe chown(path, 12_345, 12_345) == 0)
        #expect(problem(path) == "belongs to user 12345; it must belong to user 0 or to root")
    }

    @Test func wipingLeavesZeros() {
        var secret: [UInt8] = [1, 2, 3]
        SecretFile.wipe(&secret)
        #expect(secret == [0, 0, 0])
    }

    @Test func pkcs1IsReadAsWell() throws {
        let key = try RSAPrivateKey.load(path: folder.write("key.pem", KeyFixtures.pkcs1))
        #expect(try key.publicKey == RSAPublicKey(pem: TestKeys.publicKey))
    }

    @Test(arguments: RefusedKey.all)
    fileprivate func privateKeysOutsideThePolicyAreRefused(key: RefusedKey) throws {
        let path = try folder.write("key.pem", key.pem)
        #expect(throws: CryptoError.file(path: path, problem: key.problem)) { try RSAPrivateKey.load(path: path) }
    }

    @Test func aServerRefusesAKeyOfAnotherCertificate() throws {
        let files = try TestFiles()
        var identity = files.serverIdentity
        identity.privateKeyPath = files.clientIdentity.privateKeyPath
        #expect(throws: CryptoError.self) { try TLSContext.server(identity: identity) }
        identity = files.serverIdentity
        identity.privateKeyPath = try folder.write("loose.key", TestCertificates.serverKey, mode: 0o644)
        #expect(throws: CryptoError.self) { try TLSContext.server(identity: identity) }
        identity.certificateChainPath = folder.path("nothing")
        #expect(throws: CryptoError.self) { try TLSContext.server(identity: identity) }
        #expect(throws: CryptoError.self) {
            try TLSContext.client(trust: .certificateAuthorities(path: files.serverIdentity.privateKeyPath))
        }
    }

    private func problem(_ path: String) -> String? {
        do throws(CryptoError) {
            _ = try SecretFile.read(path: path)
            return nil
        } catch {
            guard case .file(path, let problem) = error else { return "another error: \(error)" }
            return problem
        }
    }
}

private struct RefusedKey: CustomTestStringConvertible {
    let testDescription: String
    let pem: String
    let problem: String

    static let all = [
        RefusedKey(
            "encrypted PKCS#8", KeyFixtures.encryptedPKCS8, "is encrypted with a passphrase; give an unencrypted key"),
        RefusedKey(
            "encrypted PKCS#1", KeyFixtures.encryptedPKCS1, "is encrypted with a passphrase; give an unencrypted key"),
        RefusedKey("1024 bits", KeyFixtures.bits1024, "the RSA key has 1024 bits; it must have 2048 to 4096"),
        RefusedKey("exponent 3", KeyFixtures.exponent3, "the RSA exponent is not 65537"),
        RefusedKey("RSA-PSS", KeyFixtures.rsaPSS, "the key is not an RSA key"),
        RefusedKey(
            "damaged", KeyFixtures.damaged, "is damaged: its public half does not verify what its private half signs"),
        RefusedKey("elliptic curve", TestCertificates.serverKey, "the key is not an RSA key"),
        RefusedKey("public only", TestKeys.publicKey, "holds no key in PEM that OpenSSL can read"),
        RefusedKey("empty", "", "holds no key in PEM that OpenSSL can read"),
    ]

    init(_ name: String, _ pem: String, _ problem: String) {
        testDescription = name
        self.pem = pem
        self.problem = problem
    }
}
