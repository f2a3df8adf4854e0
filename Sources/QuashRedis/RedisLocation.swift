package import QuashLoop

/// Where a Redis is found.
package enum RedisLocation: Equatable, Sendable, CustomStringConvertible {
    /// At this address.
    case server(Endpoint)
    /// Wherever one of these sentinels says that the master of this name is.
    case master(name: String, sentinels: [Endpoint])

    /// Whether sentinels find it, and may promote another server in its place.
    package var isFoundBySentinels: Bool {
        if case .master = self { true } else { false }
    }

    /// The address, or the name of the master and the addresses of its sentinels.
    package var description: String {
        switch self {
        case .server(let endpoint): "\(endpoint)"
        case .master(let name, let sentinels): "\(name) of \(sentinels.map(\.description).joined(separator: ","))"
        }
    }
}
