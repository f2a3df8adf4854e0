import Quash

/// What a node says of itself with each renewal, for people who watch the fleet; and the newest layout that it reads,
/// which the script `layout` asks of all before a newer one begins.
///
/// It stands behind the version in the node's line of the registry, `0.2.0,1200,350,2`, so that the script and the
/// fields that leases and confirmations depend on are as they were. One that says the version alone reads the first
/// layout.
struct NodeFigures: Equatable, Sendable {
    var version: String
    /// Revocations in its index.
    var entries: Int?
    /// Of a validator.
    var decisionsPerSecond: Int?

    init(version: String, entries: Int? = nil, decisionsPerSecond: Int? = nil) {
        self.version = version
        self.entries = entries
        self.decisionsPerSecond = decisionsPerSecond
    }

    /// Reads what a node wrote; what is not understood is left out.
    init(_ text: String) {
        let parts = text.split(separator: ",", omittingEmptySubsequences: false)
        version = String(parts.first ?? "")
        entries = parts.count > 1 ? Int(parts[1]).flatMap { $0 >= 0 ? $0 : nil } : nil
        decisionsPerSecond = parts.count > 2 ? Int(parts[2]).flatMap { $0 >= 0 ? $0 : nil } : nil
    }

    var text: String {
        func field(_ number: Int?) -> String { number.map { "\($0)" } ?? "" }
        return "\(version),\(field(entries)),\(field(decisionsPerSecond)),\(FeedLayout.newest.rawValue)"
    }
}

/// Makes a rate of a number that only grows.
struct RateMeter {
    /// A shorter time would make the rate of a few decisions a matter of chance.
    private static let leastInterval: Duration = .milliseconds(900)

    private var last: (total: UInt64, at: BootInstant)?
    private(set) var perSecond = 0

    /// The total is this at `now`.
    mutating func observe(_ total: UInt64, now: BootInstant) {
        guard let last else { return self.last = (total, now) }
        let elapsed = now - last.at
        guard elapsed >= Self.leastInterval else { return }
        perSecond = Int((Double(total &- last.total) / (elapsed / .seconds(1))).rounded())
        self.last = (total, now)
    }
}
