import Quash
import QuashJSON
import QuashLoop

/// The fleet at a glance, as one document: what the status page and `quash status` show.
///
/// It is made of what this issuer hears anyway, so that whoever goes on looking costs Redis nothing.
final class FleetStatus {
    /// Nodes in one document; of more, those whose leases end first.
    static let maxNodes = 500

    let recent: RecentRevocations
    private let name: String
    private let observer: FleetObserver
    private let publisher: RevocationPublisher
    private let feedPosition: () -> FeedPosition?
    private let checks: () -> [HealthCheck]

    init(
        name: String, observer: FleetObserver, publisher: RevocationPublisher, recent: RecentRevocations,
        feedPosition: @escaping () -> FeedPosition?, checks: @escaping () -> [HealthCheck]
    ) {
        self.name = name
        self.observer = observer
        self.publisher = publisher
        self.recent = recent
        self.feedPosition = feedPosition
        self.checks = checks
    }

    /// Called after each reading of the registry.
    var registryWasRead: () -> Void {
        get { observer.wasRead }
        set { observer.wasRead = newValue }
    }

    /// Reads the registry, then calls `done`, also when that fails: then the document says what was known before.
    func refresh(done: @escaping () -> Void) { observer.read { _ in done() } }

    /// The document as it is now.
    var json: JSONValue {
        let now = ClockReading.now()
        var object = JSONObject()
        object["time"] = .string(now.wall.description)
        object["issuer"] = .string(name)
        object["version"] = .string(BuildVersion.current)
        let checks = checks()
        object["ready"] = .bool(checks.allSatisfy { $0.problem == nil })
        object["problems"] = .array(
            checks.compactMap { check in check.problem.map { .string("\(check.name): \($0)") } })
        object["waiting_for"] = .array(publisher.waitingFor.map { .string($0) })
        let head = head
        object["epoch"] = head.map { .string($0.epoch.description) }
        object["head"] = head.map { .integer(Int64(clamping: $0.sequence)) }
        object["age_ms"] = observer.lastHead.map { .integer((now.boot - $0.at).wholeMilliseconds) }
        let listing = FleetListing(observer.fleet, head: head?.sequence ?? 0, now: now.boot)
        object["validators"] = .object(listing.summary)
        object["nodes_total"] = .integer(Int64(listing.nodes.count))
        object["nodes"] = .array(shown(listing.nodes).map { .object($0) })
        object["revocations"] = recent.json
        return .object(object)
    }

    /// The last commit that this issuer has heard of, which may be after the last reading of the registry.
    private var head: FeedPosition? {
        guard let read = observer.lastHead?.position else { return nil }
        return [feedPosition(), recent.lastPosition].compactMap { $0 }.filter { $0.epoch == read.epoch }
            .reduce(read) { $0.sequence < $1.sequence ? $1 : $0 }
    }

    private func shown(_ nodes: [JSONObject]) -> [JSONObject] {
        guard nodes.count > Self.maxNodes else { return nodes }
        let sorted = nodes.sorted { ($0["lease_left_ms"]?.integer ?? 0) < ($1["lease_left_ms"]?.integer ?? 0) }
        return Array(sorted.prefix(Self.maxNodes))
    }
}
