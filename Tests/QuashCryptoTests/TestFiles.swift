import QuashCrypto
import TestSupport

/// The test certificates as files, and the contexts that are made of them.
struct TestFiles {
    let folder: TemporaryFolder
    let authority: String
    let otherAuthority: String
    let serverIdentity: TLSContext.Identity
    let expiredIdentity: TLSContext.Identity
    let commonNameIdentity: TLSContext.Identity
    let clientIdentity: TLSContext.Identity

    init() throws {
        let folder = try TemporaryFolder()
        func identity(_ name: String, _ certificate: String, _ key: String) throws -> TLSContext.Identity {
            TLSContext.Identity(
                certificateChainPath: try folder.write("\(name).pem", certificate, mode: 0o644),
                privateKeyPath: try folder.write("\(name).key", key))
        }
        self.folder = folder
        authority = try folder.write("authority.pem", TestCertificates.authority, mode: 0o644)
        otherAuthority = try folder.write("other.pem", TestCertificates.otherAuthority, mode: 0o644)
        serverIdentity = try identity("server", TestCertificates.server, TestCertificates.serverKey)
        expiredIdentity = try identity("expired", TestCertificates.expiredServer, TestCertificates.serverKey)
        commonNameIdentity = try identity(
            "common", TestCertificates.commonNameServer, TestCertificates.commonNameServerKey)
        clientIdentity = try identity("client", TestCertificates.client, TestCertificates.clientKey)
    }

    func client(identity: TLSContext.Identity? = nil) throws -> TLSContext {
        try .client(trust: .certificateAuthorities(path: authority), identity: identity)
    }

    func server() throws -> TLSContext {
        try .server(identity: serverIdentity)
    }

    func mutualServer() throws -> TLSContext {
        try .server(identity: serverIdentity, clientCertificateAuthoritiesPath: authority)
    }
}
