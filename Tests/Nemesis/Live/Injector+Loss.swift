import Glibc
import NemesisHistory
import Quash
import TestSupport

/// Redis loses everything while something else is the matter too.
extension Injector {
    func injectAcrossLoss(_ fault: Fault) throws {
        switch fault {
        case .stopValidatorAcrossLoss:
            let node = validator()
            node.setAway(true)
            try outage(of: [node]) {
                node.stop()
                try epochEnds { try fleet.redis.call("FLUSHALL") }
                sleep(time(0.3, 2))
                node.signal(SIGCONT)
            }
            node.setAway(false)
        case .cutValidatorAcrossLoss:
            let node = validator()
            try outage(of: [node]) {
                try fleet.relays[node.name]?.set(partition())
                try epochEnds { try fleet.redis.call("FLUSHALL") }
                sleep(time(0, 1.5))
                try fleet.relays[node.name]?.set(Relay.Trouble())
            }
        case .stopIssuerAcrossLoss: try stopIssuerAcrossLoss()
        case .issuerDownAcrossLoss: try issuerDownAcrossLoss()
        case .killIssuerInRestore:
            let node = issuer()
            try epochEnds {
                try fleet.redis.call("FLUSHALL")
                sleep(.milliseconds(Int.random(in: 0...60, using: &random)))
                node.kill()
                sleep(time(0, 0.5))
                try node.start()
            }
        case .loseTwice:
            try epochEnds {
                try fleet.redis.call("FLUSHALL")
                sleep(.milliseconds(Int.random(in: 0...60, using: &random)))
                // One that was open before the second is over with it.
                try epochEnds { try fleet.redis.call("FLUSHALL") }
            }
        default: break
        }
    }

    private func stopIssuerAcrossLoss() throws {
        let node = issuer()
        node.setAway(true)
        try epochEnds {
            node.stop()
            try fleet.redis.call("FLUSHALL")
            observer.setEmbargo(Embargo(lost: Observer.now))
            sleep(time(0.5, 3))
            observer.liftEmbargo(at: Observer.now)
            node.signal(SIGCONT)
        }
        observer.setEmbargo(nil)
        node.setAway(false)
    }

    /// Nothing is accepted between the end of the leases and the return of the issuer.
    private func issuerDownAcrossLoss() throws {
        let node = issuer()
        node.kill()
        sleep(time(0, 0.5))
        let flushes = Bool.random(using: &random)
        try epochEnds {
            if flushes {
                try fleet.redis.call("FLUSHALL")
            } else {
                try restartRedis(.lost, after: time(0, 0.5))
            }
            observer.setEmbargo(Embargo(lost: Observer.now))
            sleep(timing.lease + time(0.3, 1.5))
            observer.liftEmbargo(at: Observer.now)
            try node.start()
        }
        observer.setEmbargo(nil)
    }
}
