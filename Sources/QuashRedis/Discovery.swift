import QuashLoop

/// Finds the server of each attempt: the one of a fixed address, or the master, by asking sentinels in turn until one
/// names it (https://redis.io/docs/latest/develop/reference/sentinel-clients). Pure; `LinkMachine` drives it.
///
/// A sentinel's answer is no more than a hint: it may be cut off from the others and name a server that was the master
/// once. So the server must say itself that it is the master, and where it does not, another sentinel is asked first.
struct Discovery {
    /// Whom a connection is to.
    enum Peer: Equatable {
        case sentinel(Endpoint)
        case server(Endpoint)

        var endpoint: Endpoint {
            switch self {
            case .sentinel(let endpoint), .server(let endpoint): endpoint
            }
        }
    }

    private let location: RedisLocation
    /// In the order in which they are asked.
    private var sentinels: [Endpoint]
    /// Why the first of them did not name the master this time; as many as were asked.
    private var failures: [RedisError] = []

    init(_ location: RedisLocation) {
        self.location = location
        switch location {
        case .server: sentinels = []
        case .master(_, let endpoints):
            precondition(!endpoints.isEmpty, "nobody is there to name the master")
            sentinels = endpoints
        }
    }

    private var masterName: String {
        guard case .master(let name, _) = location else {
            preconditionFailure("\(location) is found without sentinels")
        }
        return name
    }

    /// An attempt begins. Returns whom to connect to.
    mutating func begin() -> Peer {
        failures = []
        switch location {
        case .server(let endpoint): return .server(endpoint)
        case .master: return .sentinel(sentinels[0])
        }
    }

    /// What to send a sentinel.
    var question: RedisCommand {
        RedisCommand("SENTINEL", "get-master-addr-by-name", masterName)
    }

    /// The sentinel that was asked has answered; it is asked first next time.
    ///
    /// - Returns: the server that it calls the master.
    /// - Throws: why the answer is of no use; then call `failed`.
    mutating func received(_ reply: RESPValue) throws(RedisError) -> Peer {
        let sentinel = sentinels[failures.count]
        let master: Endpoint
        switch reply {
        case .error(let text):
            throw RedisError(reply: text, to: "to name the master \(masterName), at \(sentinel)")
        case .null:
            throw RedisError(.unavailable, "the sentinel at \(sentinel) watches no master called \(masterName)")
        case .array(let elements) where elements.count == 2:
            guard let host = elements[0].text, let port = elements[1].integer,
                let endpoint = Self.endpoint(host: host, port: port)
            else { fallthrough }
            master = endpoint
        default:
            throw RedisError(.protocolViolation, "what answers at \(sentinel) does not answer as a sentinel does")
        }
        // Those that failed move behind those that were not asked.
        sentinels = Array(sentinels[failures.count...] + sentinels[..<failures.count])
        return .server(master)
    }

    /// The sentinel that was asked did not name the master.
    ///
    /// - Returns: whom to connect to next; nil when nobody is left, and then `failure` says why.
    mutating func failed(_ error: RedisError) -> Peer? {
        failures.append(error)
        return failures.count < sentinels.count ? .sentinel(sentinels[failures.count]) : nil
    }

    /// Why no sentinel named the master.
    var failure: RedisError {
        let reasons = failures.map(\.description).joined(separator: "; ")
        return RedisError(.unavailable, "no sentinel names the master \(masterName): \(reasons)")
    }

    /// The server that was named turned out not to be the master, or cannot be reached: the one that named it is asked
    /// last next time.
    mutating func misled() {
        if let first = sentinels.first { sentinels = sentinels.dropFirst() + [first] }
    }

    private static func endpoint(host: String, port: Int64) -> Endpoint? {
        guard let port = UInt16(exactly: port), port > 0, (1...255).contains(host.utf8.count),
            host.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
        else { return nil }
        return .tcp(host: host, port: port)
    }
}
