import Logging
import QuashHTTP
import QuashLoop

/// What the listeners of a process may take of it, shared out once for all addresses and loops, and how much they do.
///
/// The admin listener has a share of its own: while the other one is full, `/livez`, `/readyz` and `/metrics` are
/// answered, and the other way round.
final class ListenerLoad: Sendable {
    /// Connections of the admin listener: an eighth of all, and at most so many.
    static let maxAdminConnections = 1024
    /// Bytes of unfinished requests at the admin listener: 64 of the longest.
    static let adminBufferBytes = 16 * 1024 * 1024

    /// For all addresses of one listener together.
    struct Share: Sendable {
        let connections: ConnectionBudget
        let buffers: BufferBudget
    }

    /// Why a request was answered 503 before it was looked into.
    enum Shortage: String, CaseIterable {
        /// Too many unfinished requests are in memory.
        case buffers
        /// Too many tokens wait to be verified.
        case verifications
        /// Too many wait for `/metrics` or `/livez`.
        case pages
    }

    /// For gateways and clients: the setting `listen`.
    let serving: Share
    /// For the setting `admin-listen`.
    let admin: Share
    private let open = MetricFamily<Gauge>("quash_connections", "Connections that are open.", labels: ["listener"])
    private let limits = MetricFamily<Gauge>(
        "quash_connections_limit", "Connections that may be open at a time; more wait.", labels: ["listener"])
    private let pauses = MetricFamily<Counter>(
        "quash_accept_pauses_total", "How often a listener stopped accepting.", labels: ["listener", "shortage"])
    private let kept = MetricFamily<Gauge>(
        "quash_request_buffer_bytes", "Memory of requests that have arrived in part.", labels: ["listener"])
    private let refusals = MetricFamily<Counter>(
        "quash_requests_shed_total", "Requests answered 503 before they were looked into.", labels: ["shortage"])
    private let shed: [Shortage: Counter]

    /// - Parameters:
    ///   - connections: for both listeners together.
    ///   - log: is told when a listener stops accepting.
    init(connections: Int, log: Logger) {
        let cells = Dictionary(
            uniqueKeysWithValues: Shortage.allCases.map { [refusals] in ($0, refusals.cell($0.rawValue)) })
        shed = cells
        let forAdmin = max(1, min(Self.maxAdminConnections, connections / 8))
        let shares = [
            ("listen", connections - forAdmin, HTTPLimits.maxBufferedBytes),
            ("admin-listen", forAdmin, Self.adminBufferBytes),
        ].map { [open, limits, pauses, kept] name, limit, bytes in
            let counts = Dictionary(
                uniqueKeysWithValues: ConnectionBudget.Shortage.allCases.map { ($0, pauses.cell(name, $0.rawValue)) })
            let lines = Locked(LineLimit())
            let budget = ConnectionBudget(limit: limit) { shortage in
                counts[shortage]?.increment()
                guard let suppressed = lines.withLock({ $0.admit() }) else { return }
                var fields: Logger.Metadata = [
                    "listener": "\(name)", "shortage": "\(shortage)", "limit": "\(limit)",
                ]
                if suppressed > 0 { fields["suppressed"] = "\(suppressed)" }
                log.record(.acceptPaused, fields)
            }
            let buffers = BufferBudget(limitBytes: bytes) { cells[.buffers]?.increment() }
            open.observe(name) { Double(budget.open) }
            limits.observe(name) { Double(budget.limit) }
            kept.observe(name) { Double(buffers.keptBytes) }
            return Share(connections: budget, buffers: buffers)
        }
        (serving, admin) = (shares[0], shares[1])
    }

    /// A request was answered 503 for want of this.
    func shed(_ shortage: Shortage) { shed[shortage]?.increment() }

    var sources: [any MetricSource] { [open, limits, pauses, kept, refusals] }
}

extension HTTPLimits {
    /// For a listener that shares its loop with another one: the most that one turn of the loop may cost the other.
    ///
    /// - Parameter requestsPerTurn: of all its connections together; four of them for one connection.
    static func shared(requestsPerTurn: Int) -> HTTPLimits {
        var limits = HTTPLimits()
        limits.maxRequestsPerTurn = requestsPerTurn
        limits.maxRequestsAtOnce = 4
        return limits
    }
}
