import Quash
import QuashJSON
import QuashServer

/// `GET /admin/v1/nodes`, or the part of `GET /admin/v1/status` that is the same.
struct Fleet {
    static let target = "/admin/v1/nodes"

    struct Node {
        let name: String
        let version: String
        let applied: Int64
        let lag: Int64
        let leaseLeft: Duration
        let entries: Int64?
        let decisionsPerSecond: Int64?
        let isDuplicate: Bool
    }

    let epoch: String
    let head: Int64
    let nodes: [Node]
    let json: JSONValue

    /// Nodes that are no issuers.
    var validators: Int { nodes.count { !$0.name.hasPrefix(Registry.issuerPrefix) } }
    /// Nodes that miss something.
    var behind: Int { nodes.count { $0.lag > 0 } }

    init(_ json: JSONValue) throws(CommandFailure) {
        self.json = json
        guard let list = json["nodes"]?.array else {
            throw CommandFailure(
                .refused, "the answer is not a list of nodes; is --server the administration of an issuer?")
        }
        epoch = json["epoch"]?.string ?? "none"
        head = json["head"]?.integer ?? 0
        nodes = list.map { node in
            Node(
                name: node["node"]?.string ?? "?", version: node["version"]?.string ?? "?",
                applied: node["applied"]?.integer ?? 0, lag: node["lag"]?.integer ?? 0,
                leaseLeft: .milliseconds(node["lease_left_ms"]?.integer ?? 0), entries: node["entries"]?.integer,
                decisionsPerSecond: node["decisions_per_second"]?.integer,
                isDuplicate: node["duplicate"] == true)
        }
    }

    /// For people.
    var text: String { "\(table)\nhead \(head) of epoch \(printable(epoch))" }

    private var table: String {
        var table = TextTable("NODE", "LEASE LEFT", "LAG", "APPLIED", "ENTRIES", "DECISIONS/S", "VERSION")
        for node in nodes {
            let holds = node.leaseLeft > .zero
            table.append(
                node.isDuplicate ? "\(node.name) (two processes)" : node.name,
                holds ? node.leaseLeft.shortText : "ended", "\(node.lag)", "\(node.applied)",
                node.entries.map { "\($0)" } ?? "-", (holds ? node.decisionsPerSecond : nil).map { "\($0)" } ?? "-",
                node.version)
        }
        return table.text
    }
}
