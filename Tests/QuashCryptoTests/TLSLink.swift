import QuashCrypto
import Testing

/// A client and a server session joined by nothing but memory.
struct TLSLink {
    enum Side {
        case client, server
    }

    /// What one side told its owner, in order. Neighbouring plaintext is joined: where records end is not a promise.
    enum Event: Equatable {
        case established
        case plaintext([UInt8])
        case peerClosed
    }

    let client: TLSSession
    let server: TLSSession
    private(set) var clientEvents: [Event] = []
    private(set) var serverEvents: [Event] = []
    private(set) var clientError: CryptoError?
    private(set) var serverError: CryptoError?
    /// At most so many bytes are handed to the other side at once.
    var maxChunkBytes = Int.max

    init(client: TLSContext, server: TLSContext, serverName: String = "quash.test") throws {
        self.client = try TLSSession(client, role: .client(serverName: serverName))
        self.server = try TLSSession(server, role: .server)
    }

    /// Advances both sides and carries their output across until nobody has anything to say.
    mutating func settle() {
        advance(.client)
        advance(.server)
        while true {
            let fromClient = client.takeOutput()
            let fromServer = server.takeOutput()
            if fromClient.isEmpty && fromServer.isEmpty { return }
            deliver(fromClient, to: .server)
            deliver(fromServer, to: .client)
        }
    }

    mutating func deliver(_ bytes: [UInt8], to side: Side) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let chunk = Array(rest.prefix(maxChunkBytes))
            rest = rest.dropFirst(chunk.count)
            do throws(CryptoError) {
                try session(side).receive(chunk)
            } catch {
                note(error, side)
            }
            advance(side)
        }
    }

    mutating func advance(_ side: Side) {
        var events: [Event] = []
        do throws(CryptoError) {
            try unsafe session(side).advance { event in
                switch unsafe event {
                case .established: events.append(.established)
                case .plaintext(let bytes): unsafe events.append(.plaintext(Array(bytes)))
                case .peerClosed: events.append(.peerClosed)
                }
            }
        } catch {
            note(error, side)
        }
        for event in events {
            switch side {
            case .client: Self.append(event, to: &clientEvents)
            case .server: Self.append(event, to: &serverEvents)
            }
        }
    }

    private func session(_ side: Side) -> TLSSession {
        side == .client ? client : server
    }

    /// The first error is the cause; later calls repeat it.
    private mutating func note(_ error: CryptoError, _ side: Side) {
        switch side {
        case .client: clientError = clientError ?? error
        case .server: serverError = serverError ?? error
        }
    }

    private static func append(_ event: Event, to events: inout [Event]) {
        if case .plaintext(let more) = event, case .plaintext(let before)? = events.last {
            events[events.count - 1] = .plaintext(before + more)
        } else {
            events.append(event)
        }
    }
}

extension TLSSession {
    func receive(_ bytes: [UInt8]) throws(CryptoError) {
        // A typed throw does not pass through withUnsafeBytes.
        var failure: CryptoError?
        unsafe bytes.withUnsafeBytes { buffer in
            do throws(CryptoError) { try unsafe receive(buffer) } catch { failure = error }
        }
        if let failure { throw failure }
    }

    func send(_ bytes: [UInt8]) throws(CryptoError) {
        var failure: CryptoError?
        unsafe bytes.withUnsafeBytes { buffer in
            do throws(CryptoError) { try unsafe send(buffer) } catch { failure = error }
        }
        if let failure { throw failure }
    }
}
