import ArgumentParser
import Quash
import QuashHTTP
import QuashJSON
import QuashServer

struct NodesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "nodes",
        abstract: "List the validators: how far each has applied the feed, and how long it may go on.")

    @OptionGroup var connection: ClientOptions
    @OptionGroup var options: OutputOptions

    func run() throws {
        let fleet = try Fleet(try connection.client())
        var table = TextTable("NODE", "VERSION", "APPLIED", "LAG", "LEASE LEFT")
        for node in fleet.nodes {
            table.append(
                node.name, node.version, "\(node.applied)", "\(node.lag)",
                node.leaseLeft > .zero ? node.leaseLeft.shortText : "ended")
        }
        options.say(fleet.json, text: "\(table.text)\nhead \(fleet.head) of epoch \(printable(fleet.epoch))")
    }
}

/// `GET /admin/v1/nodes`.
struct Fleet {
    struct Node {
        let name: String
        let version: String
        let applied: Int64
        let lag: Int64
        let leaseLeft: Duration
    }

    let epoch: String
    let head: Int64
    let nodes: [Node]
    let json: JSONValue

    /// Nodes that are no issuers.
    var validators: Int { nodes.count { !$0.name.hasPrefix(Registry.issuerPrefix) } }
    /// Nodes that miss something.
    var behind: Int { nodes.count { $0.lag > 0 } }

    init(_ client: AdminClient) throws(CommandFailure) {
        json = try client.ask(.get, "/admin/v1/nodes").json
        guard let epoch = json["epoch"]?.string, let head = json["head"]?.integer, let list = json["nodes"]?.array
        else {
            throw CommandFailure(
                .refused, "the answer is not a list of nodes; is --server the administration of an issuer?")
        }
        self.epoch = epoch
        self.head = head
        nodes = list.map { node in
            Node(
                name: node["node"]?.string ?? "?", version: node["version"]?.string ?? "?",
                applied: node["applied"]?.integer ?? 0, lag: node["lag"]?.integer ?? 0,
                leaseLeft: .milliseconds(node["lease_left_ms"]?.integer ?? 0))
        }
    }
}
