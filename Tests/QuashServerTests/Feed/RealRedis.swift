import Quash
import QuashRedis
import TestSupport

@testable import QuashServer
@testable import QuashSimulation

/// The whole state of the feed, as keys and values, of a real Redis or of the model.
struct RealRedis: Equatable {
    var epoch: String?
    var sequence: String?
    var log: [String: [UInt8]] = [:]
    var isLogSpoiled = false
    var live: [String: String] = [:]
    var chunks: [String: [UInt8]] = [:]
    var expiries: [String: Int64] = [:]
    var nodes: [String: String] = [:]
    var restored: [String: String] = [:]
    var issuers: [String: String] = [:]
    var requests: [String: String] = [:]

    init(_ caller: RedisCaller) throws {
        func type(_ key: String) throws -> String? { try caller.call("TYPE", key).text }
        func hash(_ key: String) throws -> [String: String] {
            guard try type(key) != "set" else { return ["a set": ""] }
            let parts = try caller.call("HGETALL", key).elements?.compactMap(\.text) ?? []
            return Dictionary(
                uniqueKeysWithValues: stride(from: 0, to: parts.count, by: 2).map { (parts[$0], parts[$0 + 1]) })
        }
        func string(_ key: String) throws -> String? {
            try type(key) == "set" ? "a set" : caller.call("GET", key).text
        }
        epoch = try string("{quash}:epoch")
        sequence = try string("{quash}:seq")
        isLogSpoiled = try type("{quash}:log") == "set"
        for item in isLogSpoiled ? [] : try caller.call("XRANGE", "{quash}:log", "-", "+").elements ?? [] {
            let parts = item.elements ?? []
            log[parts.first?.text ?? ""] = parts.last?.elements?.last?.bytes
        }
        live = try hash("{quash}:live")
        nodes = try hash("{quash}:nodes")
        restored = try hash("{quash}:restored")
        issuers = try hash("{quash}:issuers")
        for key in try caller.call("KEYS", "{quash}:*").elements?.compactMap(\.text) ?? [] {
            if key.hasPrefix("{quash}:live:"), try type(key) == "set" {
                chunks[key] = Array("a set".utf8)
            } else if key.hasPrefix("{quash}:live:") {
                chunks[key] = try caller.call("GET", key).bytes
                expiries[key] = try caller.call("EXPIRETIME", key).integer
            } else if key.hasPrefix("{quash}:request:") {
                requests[key] = try caller.call("GET", key).text
            }
        }
    }

    init(_ model: ModelRedis) {
        epoch = model.serving.map {
            "\($0.nonce) \($0.runID) \($0.isOpen ? "open" : "restoring") \($0.leaseMilliseconds) 0"
        }
        if model.spoiledKeys.contains(.epoch) { epoch = "a set" }
        sequence = model.spoiledKeys.contains(.sequence) ? "a set" : model.sequence.map { "\($0)" }
        isLogSpoiled = model.spoiledKeys.contains(.log)
        for item in model.log { log["\(item.sequence)-0"] = item.record }
        for (period, bytes) in model.directory { live["\(period)"] = "\(bytes)" }
        live["epoch"] = model.directoryEpoch?.description
        for period in model.spoiledPeriods { live["\(period)"] = "x" }
        for name in model.spoiledChunks {
            chunks["{quash}:live:\(name.period):\(name.number)"] = Array("a set".utf8)
        }
        for (name, chunk) in model.chunks {
            let key = "{quash}:live:\(name.period):\(name.number)"
            chunks[key] = chunk.bytes
            expiries[key] = chunk.expiry / 1000
        }
        for (node, grant) in model.nodes {
            nodes[node] = "\(grant.applied) \(grant.grantedMilliseconds) \(grant.leaseMilliseconds) \(grant.version)"
        }
        nodes["epoch"] = model.nodesEpoch?.description
        nodes["damaged"] = model.damage?.rawValue
        restored = model.restored
        for (outbox, line) in model.issuers { issuers["\(outbox)"] = "\(line.start) \(line.count) \(line.name)" }
        if model.spoiledKeys.contains(.directory) { live = ["a set": ""] }
        if model.spoiledKeys.contains(.nodes) { nodes = ["a set": ""] }
        if model.spoiledKeys.contains(.restored) { restored = ["a set": ""] }
        for (id, request) in model.requests {
            requests["{quash}:request:\(id)"] = "\(request.position.epoch) \(request.position.sequence)"
        }
    }
}
