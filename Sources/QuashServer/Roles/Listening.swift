import QuashCrypto
import QuashHTTP
import QuashLoop

/// The addresses of one listener of a role, bound once for all the loops that serve them, and its TLS.
struct Listening: Sendable {
    let addresses: [BoundAddress]
    private let tls: TLSContext?
    private let limits: HTTPLimits
    private let buffers: BufferBudget

    /// Binds, so that every failure shows at the start and in one line.
    ///
    /// - Parameter share: what it may take of the process, or of a loop.
    init(
        _ endpoints: [Endpoint], loops: Int, tls: TLSContext?, share: ListenerLoad.Share,
        limits: HTTPLimits = HTTPLimits()
    ) throws(LoopError) {
        var addresses: [BoundAddress] = []
        for endpoint in endpoints {
            addresses.append(try BoundAddress(endpoint, listeners: loops, connections: share.connections))
        }
        self.addresses = addresses
        self.tls = tls
        self.limits = limits
        buffers = share.buffers
    }

    var endpoints: [Endpoint] { addresses.map(\.endpoint) }

    /// One server for each address, on this loop.
    func serve(on loop: Loop, _ responder: any HTTPResponder) throws(LoopError) -> [HTTPServer] {
        var servers: [HTTPServer] = []
        for address in addresses {
            servers.append(
                try HTTPServer(
                    on: loop, at: address, tls: tls, limits: limits, buffers: buffers, responder: responder))
        }
        return servers
    }
}

extension TLSContext {
    /// The certificate that listeners show, if one is configured.
    static func listener(
        _ configuration: SharedConfiguration, asksForClientCertificate: Bool
    ) throws(CryptoError) -> TLSContext? {
        guard let files = configuration.tlsCertificate else { return nil }
        return try .server(
            identity: Identity(certificateChainPath: files.certificatePath, privateKeyPath: files.keyPath),
            clientCertificateAuthoritiesPath: asksForClientCertificate ? configuration.tlsClientCAFile : nil)
    }
}

/// Drains several servers of one loop.
func drain(_ servers: [HTTPServer], deadline: Duration, done: @escaping () -> Void) {
    var remaining = servers.count
    if remaining == 0 { return done() }
    for server in servers {
        server.drain(deadline: deadline) {
            remaining -= 1
            if remaining == 0 { done() }
        }
    }
}
