import Glibc
import NemesisHistory
import Quash
import TestSupport

/// The master changes, and the old one returns.
extension Injector {
    func injectFailover(_ fault: Fault) throws {
        let trio = fleet.trio
        let old = try master()
        let before = try epoch(of: old)
        let replicas = trio.servers.filter { $0 !== old }
        try outage(of: nil, regain: regain + .seconds(1)) {
            switch fault {
            case .killMaster: old.kill9()
            case .stopMaster: old.pause()
            case .lagAndKillMaster:
                // The replicas stand still, and die without having read what the master goes on to commit for as long
                // as it may; then they return with what their disks have.
                for replica in replicas { replica.pause() }
                sleep(.seconds(1))
                let committed = try sequence(at: old)
                old.kill9()
                for replica in replicas { try replica.restart() }
                let kept = try replicas.map { try sequence(at: $0) }.max() ?? 0
                remark = "\(committed - kept) commits lost"
            default: try trio.failOver()
            }
            let new = try trio.waitForMaster(otherThan: old)
            if fault == .killMaster || fault == .lagAndKillMaster {
                sleep(time(0, 2))
                try old.restart()
            }
            let isOpen = try poll(within: .seconds(20)) {
                guard let now = try epoch(of: new) else { return false }
                return now.isOpen && now.nonce != before?.nonce
            }
            if !isOpen { observer.violate(.stuck, "no epoch opens:\n\(fleet.complaints())\n\(trio.log.suffix(4_000))") }
        }
        if fault == .stopMaster {
            sleep(time(0, 3))
            old.resume()
        }
        try waitUntilReplicated()
    }

    private func master() throws -> RedisServer {
        for server in fleet.trio.servers where try server.cli("INFO", "replication").contains("role:master") {
            return server
        }
        throw TestSupportError("no server is a master")
    }

    private func sequence(at server: RedisServer) throws -> Int { Int(try server.cli("GET", "{quash}:seq")) ?? 0 }

    private func epoch(of server: RedisServer) throws -> (nonce: String, isOpen: Bool)? {
        let words = try server.cli("GET", "{quash}:epoch").split(separator: " ")
        return words.count >= 4 ? (String(words[0]), words[2] == "open") : nil
    }

    /// Until all is as it was before the failover: one master, and two replicas that hear it.
    private func waitUntilReplicated() throws {
        let isReplicated = poll(within: .seconds(40)) {
            let roles = fleet.trio.servers.map { (try? $0.cli("INFO", "replication")) ?? "" }
            let masters = roles.filter { $0.contains("role:master") }
            return masters.count == 1 && masters[0].contains("connected_slaves:2")
                && roles.count { $0.contains("master_link_status:up") } == 2
        }
        guard isReplicated else {
            throw TestSupportError("the replicas do not return:\n\(fleet.trio.log.suffix(4_000))")
        }
        // A sentinel begins no other failover of the same master before twice its failover-timeout is over.
        sleep(.seconds(4))
    }
}
