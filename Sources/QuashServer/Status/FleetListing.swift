import Quash
import QuashJSON

/// Each node of the registry as the administration shows it.
struct FleetListing {
    /// In the order of their names.
    let nodes: [JSONObject]

    /// - Parameter head: the sequence of the last commit.
    init(_ fleet: Fleet, head: UInt64, now: BootInstant) {
        let duplicates = fleet.duplicates(now: now)
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
            let id = String(member.entry.node.prefix { $0 != "/" })
            if left > .zero, duplicates.contains(id) { node["duplicate"] = true }
            return node
        }
    }
}
