import Glibc
import QuashCrypto
import Testing

import enum TestSupport.TestCertificates

/// The test certificates as files for the time of a test, and the contexts that are made of them.
final class TLSFiles: Sendable {
    private let paths: [String]

    init() throws {
        let files = [
            (TestCertificates.authority, mode_t(0o644)), (TestCertificates.server, 0o644),
            (TestCertificates.serverKey, 0o600), (TestCertificates.client, 0o644), (TestCertificates.clientKey, 0o600),
        ]
        paths = try files.map { text, mode in
            let path = temporaryPath("tls")
            let descriptor = unsafe open(path, O_CREAT | O_WRONLY | O_EXCL, mode)
            try #require(descriptor >= 0)
            defer { close(descriptor) }
            let bytes = Array(text.utf8)
            try #require(unsafe write(descriptor, bytes, bytes.count) == bytes.count)
            return path
        }
    }

    deinit {
        for path in paths { unsafe _ = unlink(path) }
    }

    func server(mutual: Bool = false) throws -> TLSContext {
        try .server(
            identity: TLSContext.Identity(certificateChainPath: paths[1], privateKeyPath: paths[2]),
            clientCertificateAuthoritiesPath: mutual ? paths[0] : nil)
    }

    func client(withCertificate: Bool = false) throws -> TLSContext {
        try .client(
            trust: .certificateAuthorities(path: paths[0]),
            identity: withCertificate
                ? TLSContext.Identity(certificateChainPath: paths[3], privateKeyPath: paths[4]) : nil)
    }
}
