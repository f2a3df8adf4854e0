import Quash
import QuashHTTP
import QuashJSON
import TestSupport
import Testing

@testable import QuashServer

/// What the tests of faults ask of a fleet: its feed, its leases, and their ends.
extension Fleet {
    /// A Redis that loses nothing that it answered, whatever happens to it.
    static var durableRedis: RedisServer.Options {
        RedisServer.Options(settings: ["appendonly": "yes", "appendfsync": "always"])
    }

    /// Flags for both roles: a lease short enough to see it end.
    static let shortLease = ["--lease", "2s", "--renew-interval", "500ms"]

    /// Asks for a revocation; the body is a JSON object.
    func revoke(_ body: String, fields: FieldLines = [:], at issuer: Int = 0) throws -> HTTPResponse {
        try admin(.post, "/admin/v1/revocations", body, fields: fields, at: issuer)
    }

    /// Revokes, again and again while the feed is being recovered, until that is stored; gives where it stands.
    func revokeUntilStored(_ body: String) throws -> FeedPosition {
        var response: HTTPResponse?
        let isStored = try poll(within: .seconds(20)) {
            response = try revoke(body)
            return response?.status == .created
        }
        guard isStored, let position = response?.json.flatMap(FeedPosition.init(receipt:)) else {
            throw TestSupportError("not stored: \(response?.status.code ?? 0) \(response?.text ?? "")")
        }
        return position
    }

    /// The registry of leases, as the administration tells it; nil while no epoch is open.
    func registry() throws -> RegistryListing? {
        guard let json = try admin(.get, "/admin/v1/nodes").json else { return nil }
        return RegistryListing(json)
    }

    /// The open epoch; waits for one.
    func epoch() throws -> Epoch {
        var found: Epoch?
        poll(within: .seconds(20)) {
            found = try? registry()?.head.epoch
            return found != nil
        }
        guard let found else { throw TestSupportError("no epoch is open") }
        return found
    }

    /// Waits until everyone who holds a lease, the issuer too, has said in a renewal that it applied everything up to
    /// `position`.
    func waitUntilApplied(_ position: FeedPosition) throws {
        var last: RegistryListing?
        let isApplied = try poll(within: .seconds(20)) {
            last = try registry()
            guard let last, last.head.epoch == position.epoch else { return false }
            let holders = last.nodes.filter { $0.leaseLeftMilliseconds > 0 }
            return holders.count == validators.count + 1
                && holders.allSatisfy { $0.applied >= Int64(position.sequence) }
        }
        guard isApplied else { throw TestSupportError("\(position) is not applied by all: \(last as Any)") }
    }

    /// Waits until every issuer has said in a renewal that it applied, and keeps, everything up to `position`.
    func waitUntilEveryIssuerApplied(_ position: FeedPosition) throws {
        let isApplied = try poll(within: .seconds(20)) {
            let listed = try registry()?.nodes.filter { $0.name.hasPrefix(Registry.issuerPrefix) } ?? []
            return listed.count == issuers.count && listed.allSatisfy { $0.applied >= Int64(position.sequence) }
        }
        guard isApplied else { throw TestSupportError("not every issuer has applied \(position)") }
    }

    /// Whether a validator says of itself that it holds a lease.
    func holdsLease(at validator: Int) throws -> Bool {
        try readiness(at: validator).contains("[+] lease ok")
    }

    /// What a validator says about its readiness.
    func readiness(at validator: Int) throws -> String {
        try web.call(.get, "http://\(validators[validator].adminAddresses[0])/readyz?verbose").text
    }

    /// The value of a line of a validator's metrics page, by everything in front of it.
    func metric(_ name: String, at validator: Int) throws -> Int? {
        let page = try web.call(.get, "http://\(validators[validator].adminAddresses[0])/metrics").text
        let line = page.split(separator: "\n").first { $0.hasPrefix(name + " ") }
        return line.flatMap { Int($0.dropFirst(name.count + 1)) }
    }

    /// Asks every validator for a good token until each answers 503, and sees to it that on the way whoever held a
    /// lease accepted it. Only while no lease can be granted: one that is held after an answer was held during it.
    func expectServiceUntilLeasesEnd(_ token: String) throws {
        var served = 0
        let hasEnded = try poll(within: .seconds(20)) {
            var refusing = 0
            for index in validators.indices {
                let status = try decide(token, at: index).status.code
                if status == 503 { refusing += 1 }
                if try holdsLease(at: index) {
                    #expect(status == 204, "validator \(index) held a lease")
                    served += 1
                }
            }
            return refusing == validators.count
        }
        #expect(hasEnded, "a validator goes on without a lease")
        #expect(served > 0, "no validator was seen to go on")
    }
}

extension FeedPosition {
    /// Out of the answer to a revocation or a logout.
    init?(receipt json: JSONValue) {
        guard let epoch = json["epoch"]?.string.flatMap({ Epoch($0) }),
            let sequence = json["seq"]?.integer.flatMap({ UInt64(exactly: $0) })
        else { return nil }
        self.init(epoch: epoch, sequence: sequence)
    }
}

/// What `GET /admin/v1/nodes` says.
struct RegistryListing {
    struct Node {
        let name: String
        let applied: Int64
        let leaseLeftMilliseconds: Int64
    }

    let head: FeedPosition
    let nodes: [Node]

    init?(_ json: JSONValue) {
        guard let epoch = json["epoch"]?.string.flatMap({ Epoch($0) }),
            let head = json["head"]?.integer.flatMap({ UInt64(exactly: $0) }), let nodes = json["nodes"]?.array
        else { return nil }
        self.head = FeedPosition(epoch: epoch, sequence: head)
        self.nodes = nodes.compactMap { node in
            guard let name = node["node"]?.string, let applied = node["applied"]?.integer,
                let left = node["lease_left_ms"]?.integer
            else { return nil }
            return Node(name: name, applied: applied, leaseLeftMilliseconds: left)
        }
    }
}
