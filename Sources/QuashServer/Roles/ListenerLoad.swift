import Logging
import QuashLoop

/// What the listeners of a process may take of it, shared out once for all addresses and loops, and how much they do.
///
/// The admin listener has a share of its own: while the other one is full, `/livez`, `/readyz` and `/metrics` are
/// answered, and the other way round.
final class ListenerLoad: Sendable {
    /// Connections of the admin listener, at most.
    static let maxAdminConnections = 64

    /// For gateways and clients: the setting `listen`.
    let serving: ConnectionBudget
    /// For the setting `admin-listen`.
    let admin: ConnectionBudget
    private let open = MetricFamily<Gauge>("quash_connections", "Connections that are open.", labels: ["listener"])
    private let limits = MetricFamily<Gauge>(
        "quash_connections_limit", "Connections that may be open at a time; more wait.", labels: ["listener"])
    private let pauses = MetricFamily<Counter>(
        "quash_accept_pauses_total", "How often a listener stopped accepting.", labels: ["listener", "shortage"])

    /// - Parameters:
    ///   - connections: for both listeners together.
    ///   - log: is told when a listener stops accepting.
    init(connections: Int, log: Logger) {
        let forAdmin = max(1, min(Self.maxAdminConnections, connections / 8))
        let shares = [("listen", connections - forAdmin), ("admin-listen", forAdmin)]
        let budgets = shares.map { [open, limits, pauses] name, limit in
            let lines = Locked(LineLimit())
            let counts = Dictionary(
                uniqueKeysWithValues: ConnectionBudget.Shortage.allCases.map { ($0, pauses.cell(name, $0.rawValue)) })
            let budget = ConnectionBudget(limit: limit) { shortage in
                counts[shortage]?.increment()
                guard let suppressed = lines.withLock({ $0.admit() }) else { return }
                var fields: Logger.Metadata = [
                    "listener": "\(name)", "shortage": "\(shortage)", "limit": "\(limit)",
                ]
                if suppressed > 0 { fields["suppressed"] = "\(suppressed)" }
                log.record(.acceptPaused, fields)
            }
            open.observe(name) { Double(budget.open) }
            limits.observe(name) { Double(budget.limit) }
            return budget
        }
        (serving, admin) = (budgets[0], budgets[1])
    }

    var sources: [any MetricSource] { [open, limits, pauses] }
}
