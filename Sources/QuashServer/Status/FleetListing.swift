import Quash
import QuashJSON

/// Each node of the registry as the administration shows it.
struct FleetListing {
    /// In the order of their names.
    let nodes: [JSONObject]
    /// All of them together.
    let summary: JSONObject

    /// - Parameter head: the sequence of the last commit.
    init(_ fleet: Fleet, head: UInt64, now: BootInstant) {
        let duplicates = fleet.duplicates(now: now)
        var validators = Validators()
        nodes = fleet.nodes.map { member in
            let left = max(.zero, min(member.leaseEnds - now, member.entry.lease))
            let figures = NodeFigures(member.entry.version)
            var node = JSONObject()
            node["node"] = .string(member.entry.node)
            node["version"] = .string(figures.version)
            node["applied"] = .integer(Int64(clamping: member.applied))
            // Whoever reads the head first may hear of something later than it.
            node["lag"] = .integer(max(0, Int64(clamping: head) - Int64(clamping: member.applied)))
            node["lease_left_ms"] = .integer(left.wholeMilliseconds)
            node["lease_ms"] = .integer(member.entry.lease.wholeMilliseconds)
            node["entries"] = figures.entries.map { .integer(Int64($0)) }
            node["decisions_per_second"] = figures.decisionsPerSecond.map { .integer(Int64($0)) }
            if left > .zero, duplicates.contains(String(member.entry.id)) { node["duplicate"] = true }
            if !member.entry.isIssuer {
                validators.count(holds: left > .zero, lag: node["lag"]?.integer ?? 0, figures.decisionsPerSecond ?? 0)
            }
            return node
        }
        summary = validators.json
    }

    private struct Validators {
        private var total: Int64 = 0
        private var held: Int64 = 0
        private var greatestLag: Int64 = 0
        private var decisionsPerSecond: Int64 = 0

        mutating func count(holds: Bool, lag: Int64, _ decisionsPerSecond: Int) {
            total += 1
            guard holds else { return }
            held += 1
            greatestLag = max(greatestLag, lag)
            // Whatever a node says of itself.
            let (sum, overflow) = self.decisionsPerSecond.addingReportingOverflow(Int64(decisionsPerSecond))
            self.decisionsPerSecond = overflow ? .max : sum
        }

        var json: JSONObject {
            var object = JSONObject()
            object["total"] = .integer(total)
            object["held"] = .integer(held)
            object["greatest_lag"] = .integer(greatestLag)
            object["decisions_per_second"] = .integer(decisionsPerSecond)
            return object
        }
    }
}
