import QuashCrypto
import TestSupport
import Testing

/// Client and server sessions against each other, without a socket.
struct TLSSessionTests {
    private let files: TestFiles

    init() throws {
        files = try TestFiles()
    }

    @Test func bytesTravelBothWaysAndTheEndIsSeen() throws {
        var link = try TLSLink(client: files.client(), server: files.server())
        link.settle()
        #expect(link.clientEvents == [.established])
        #expect(link.serverEvents == [.established])
        #expect(link.client.negotiated.hasPrefix("TLSv1.3 "))

        try link.client.send(Array("ping".utf8))
        try link.server.send(Array("pong".utf8))
        link.settle()
        link.client.close()
        link.settle()
        #expect(link.serverEvents == [.established, .plaintext(Array("ping".utf8)), .peerClosed])
        #expect(link.clientEvents == [.established, .plaintext(Array("pong".utf8))])

        // The client ended its direction only: the server may still send.
        try link.server.send(Array("last words".utf8))
        #expect(!link.server.takeOutput().isEmpty)
        #expect(link.clientError == nil && link.serverError == nil)
    }

    @Test(arguments: [1, 2, 3, 7, 100])
    func everySplitOfTheStreamGivesTheSame(maxChunkBytes: Int) throws {
        var link = try TLSLink(client: files.client(identity: files.clientIdentity), server: files.mutualServer())
        link.maxChunkBytes = maxChunkBytes
        link.settle()
        let request = (0..<5_000).map { UInt8(truncatingIfNeeded: $0) }
        try link.client.send(request)
        link.client.close()
        link.settle()
        #expect(link.serverEvents == [.established, .plaintext(request), .peerClosed])
        #expect(link.clientError == nil && link.serverError == nil)
    }

    @Test func plaintextLargerThanARecordArrivesWhole() throws {
        var link = try TLSLink(client: files.client(), server: files.server())
        link.settle()
        let large = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        try link.server.send(large)
        link.settle()
        #expect(link.clientEvents == [.established, .plaintext(large)])
    }

    @Test func plaintextThatArrivesWithTheEndOfTheHandshakeFollowsIt() throws {
        var link = try TLSLink(client: files.client(), server: files.server())
        link.advance(.client)
        link.deliver(link.client.takeOutput(), to: .server)
        link.deliver(link.server.takeOutput(), to: .client)
        try link.client.send(Array("early".utf8))
        link.deliver(link.client.takeOutput(), to: .server)
        #expect(link.serverEvents == [.established, .plaintext(Array("early".utf8))])
    }

    @Test(arguments: ["localhost", "127.0.0.1", "::1", "QUASH.test"])
    func namesOfTheCertificateAreAccepted(name: String) throws {
        var link = try TLSLink(client: files.client(), server: files.server(), serverName: name)
        link.settle()
        #expect(link.clientEvents == [.established])
    }

    @Test(arguments: ["quash.example", "127.0.0.2", "::2", "sub.quash.test", "test", "Quash test server"])
    func rfc9525OtherNamesAreRefused(name: String) throws {
        var link = try TLSLink(client: files.client(), server: files.server(), serverName: name)
        link.settle()
        guard case .certificateRefused = link.clientError else {
            Issue.record("not refused: \(String(describing: link.clientError))")
            return
        }
        #expect(link.clientEvents.isEmpty)
        #expect(link.serverEvents.isEmpty)
        #expect(link.serverError != nil, "the client's alert must reach the server")
    }

    @Test func rfc9525CommonNameIsNotAName() throws {
        let server = try TLSContext.server(identity: files.commonNameIdentity)
        var link = try TLSLink(client: files.client(), server: server)
        link.settle()
        #expect(link.clientError == .certificateRefused(reason: "hostname mismatch"))
    }

    @Test(arguments: ["", ".quash.test", "quash.test\0.example"])
    func namesThatWouldWeakenTheCheckAreRefused(name: String) throws {
        let context = try files.client()
        #expect(throws: CryptoError.self) { try TLSSession(context, role: .client(serverName: name)) }
    }

    @Test func unknownAuthorityIsRefused() throws {
        let stranger = try TLSContext.client(trust: .certificateAuthorities(path: files.otherAuthority))
        var link = try TLSLink(client: stranger, server: files.server())
        link.settle()
        #expect(link.clientError == .certificateRefused(reason: "unable to get local issuer certificate"))
        #expect(link.serverEvents.isEmpty)

        let system = try TLSContext.client(trust: .systemRoots)
        link = try TLSLink(client: system, server: files.server())
        link.settle()
        #expect(link.clientEvents.isEmpty)
    }

    @Test func expiredCertificateIsRefused() throws {
        let server = try TLSContext.server(identity: files.expiredIdentity)
        var link = try TLSLink(client: files.client(), server: server)
        link.settle()
        #expect(link.clientError == .certificateRefused(reason: "certificate has expired"))
    }

    @Test func clientCertificateForAServerIsRefused() throws {
        let server = try TLSContext.server(identity: files.clientIdentity)
        var link = try TLSLink(client: files.client(), server: server)
        link.settle()
        #expect(link.clientEvents.isEmpty)
        #expect(link.clientError != nil)
    }

    @Test func mutualTLSWithoutAClientCertificateIsRefused() throws {
        var link = try TLSLink(client: files.client(), server: files.mutualServer())
        link.settle()
        #expect(link.serverEvents.isEmpty)
        #expect(link.serverError == .tls(reason: "peer did not return a certificate"))
        #expect(link.clientError != nil, "the server's alert must reach the client")
    }

    @Test func mutualTLSWithACertificateOfAnotherAuthorityIsRefused() throws {
        let server = try TLSContext.server(
            identity: files.serverIdentity, clientCertificateAuthoritiesPath: files.otherAuthority)
        var link = try TLSLink(client: files.client(identity: files.clientIdentity), server: server)
        link.settle()
        #expect(link.serverEvents.isEmpty)
        #expect(link.serverError == .certificateRefused(reason: "unable to get local issuer certificate"))
    }

    @Test func bytesThatAreNotTLSFailTheSessionForGood() throws {
        let session = try TLSSession(files.server(), role: .server)
        try session.receive(Array("GET / HTTP/1.1\r\n\r\n".utf8))
        #expect(throws: CryptoError.self) { try unsafe session.advance { _ in } }
        #expect(throws: CryptoError.self) { try unsafe session.advance { _ in } }
        #expect(throws: CryptoError.self) { try session.receive([22]) }
        session.close()
    }

    @Test func aChangedRecordIsRefused() throws {
        var link = try TLSLink(client: files.client(), server: files.server())
        link.settle()
        try link.client.send(Array("pay 1".utf8))
        var record = link.client.takeOutput()
        record[record.count - 1] ^= 1
        link.deliver(record, to: .server)
        #expect(link.serverEvents == [.established])
        #expect(link.serverError != nil)
    }

    @Test func aRefusedSignatureDoesNotBreakTheNextRead() throws {
        let verifier = try RSAVerifier(RSAPublicKey(pem: TestKeys.publicKey))
        let forged = [UInt8](repeating: 0xff, count: 256)
        var link = try TLSLink(client: files.client(), server: files.server())
        for count in 0..<3 {
            // OpenSSL's error queue belongs to the thread, and SSL_get_error looks into it.
            let isValid = verifier.verify(signature: forged.span, message: forged.span)
            #expect(!isValid)
            link.settle()
            #expect(link.clientError == nil && link.serverError == nil, "round \(count)")
        }
        #expect(link.serverEvents == [.established])
    }

    @Test func endWithoutCloseNotifyIsNotAClose() throws {
        var link = try TLSLink(client: files.client(), server: files.server())
        link.settle()
        try link.client.send(Array("half".utf8))
        let record = link.client.takeOutput()
        link.deliver(Array(record.dropLast()), to: .server)
        #expect(link.serverEvents == [.established])
        #expect(link.serverError == nil)
    }

    @Test func afterCloseNoEventComes() throws {
        var link = try TLSLink(client: files.client(), server: files.server())
        link.settle()
        try link.client.send(Array("too late".utf8))
        link.server.close()
        link.settle()
        #expect(link.serverEvents == [.established])
        #expect(link.clientEvents == [.established, .peerClosed])
    }

    @Test func closeInsideAnEventEndsTheEvents() throws {
        var link = try TLSLink(client: files.client(), server: files.server())
        link.settle()
        try link.client.send([1])
        try link.client.send([2])
        try link.server.receive(link.client.takeOutput())
        var count = 0
        let server = link.server
        try unsafe server.advance { _ in
            count += 1
            server.close()
        }
        #expect(count == 1)
    }

    @Test func outputHasALimit() throws {
        var link = try TLSLink(client: files.client(), server: files.server())
        link.settle()
        let chunk = [UInt8](repeating: 7, count: 1024 * 1024)
        for _ in 0..<3 { try link.client.send(chunk) }
        #expect(throws: CryptoError.outputFull) { try link.client.send(chunk) }
        #expect(link.client.pendingOutputBytes <= TLSLimits.maxPendingOutputBytes)
        // Nothing of what was refused went out, and the session goes on.
        link.settle()
        #expect(link.serverEvents == [.established, .plaintext(chunk + chunk + chunk)])
    }

    @Test func aContextKnowsUntilWhenItsCertificateIsGood() throws {
        let files = try TestFiles()
        // 2020-02-01 and 2120-01-01.
        #expect(try TLSContext.server(identity: files.expiredIdentity).certificateExpiry == 1_580_515_200)
        #expect(try files.server().certificateExpiry == 4_733_510_400)
        #expect(try files.client().certificateExpiry == nil)
    }
}
