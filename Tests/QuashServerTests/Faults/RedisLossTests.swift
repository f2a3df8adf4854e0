import Quash
import QuashHTTP
import TestSupport
import Testing

@testable import QuashServer

/// Redis dies, comes back without its data, forgets everything, or stands still. In every case: what was revoked is
/// refused by every validator that ever heard of it, nothing is decided without a lease, and it all goes on without
/// anybody's help.
@Suite struct RedisLossTests {
    /// A fleet in which alice's session was revoked and bob's is good.
    private struct Scene {
        let fleet: Fleet
        let revoked: Fleet.Pair
        let good: Fleet.Pair

        init(_ redis: RedisServer.Options = RedisServer.Options(), settings: [String] = Fleet.shortLease) throws {
            fleet = try Fleet(validators: 3, redis: redis, settings: settings)
            try fleet.waitUntilReady()
            revoked = try fleet.signIn("alice")
            good = try fleet.signIn("bob")
            #expect(try fleet.logout(revoked.access).status == .ok)
            #expect(try fleet.allAnswer(401, for: revoked.access))
            #expect(try fleet.statuses(of: good.access) == [204, 204, 204])
        }

        /// Never anything but refused, whatever else is the matter.
        func expectRefused() throws {
            #expect(try fleet.statuses(of: revoked.access).allSatisfy { $0 == 401 })
        }
    }

    @Test func aKilledRedisWithItsDataIsServedThroughTheLeaseAndAgainAfterwards() throws {
        let scene = try Scene(Fleet.durableRedis)
        let fleet = scene.fleet
        let epoch = try fleet.epoch()

        fleet.redis.kill9()
        try fleet.expectServiceUntilLeasesEnd(scene.good.access)
        try scene.expectRefused()

        try fleet.redis.restart()
        #expect(try fleet.allAnswer(204, for: scene.good.access))
        try scene.expectRefused()
        // Another process serves the data: another epoch, opened by the issuer itself.
        #expect(try fleet.epoch() != epoch)

        // One that knows nothing finds everything in the data.
        try fleet.addValidator()
        try fleet.waitUntilReady()
        try scene.expectRefused()
        #expect(try fleet.statuses(of: scene.good.access) == [204, 204, 204, 204])
        #expect(try fleet.refresh(scene.good.refresh).status == .ok)
        #expect(try fleet.refresh(scene.revoked.refresh).status == .badRequest)
    }

    @Test func aRedisThatLostItsDataRevivesNothing() throws {
        let scene = try Scene(Fleet.durableRedis)
        let fleet = scene.fleet
        let epoch = try fleet.epoch()
        try fleet.redis.restart(withoutData: true)
        #expect(try fleet.redis.cli("KEYS", "quash:session:*").isEmpty)
        try scene.expectRefused()
        #expect(try fleet.allAnswer(204, for: scene.good.access))
        #expect(try fleet.epoch() != epoch)
        try scene.expectRefused()

        // What is revoked from now on is too.
        let position = try fleet.revokeUntilStored("{\"sub\":\"bob\"}")
        try fleet.waitUntilApplied(position)
        #expect(try fleet.statuses(of: scene.good.access) == [401, 401, 401])
        try scene.expectRefused()
    }

    @Test func flushAllOpensAnotherEpochAndRevivesNothing() throws {
        let scene = try Scene()
        let fleet = scene.fleet
        let epoch = try fleet.epoch()
        try fleet.redis.cli("FLUSHALL")
        try scene.expectRefused()
        #expect(poll(within: .seconds(20)) { (try? fleet.epoch()) != epoch })
        let position = try fleet.revokeUntilStored("{\"sub\":\"nobody\"}")
        try fleet.waitUntilApplied(position)
        try scene.expectRefused()
        #expect(try fleet.allAnswer(204, for: scene.good.access))
    }

    /// A stopped process keeps its connections: nothing but silence tells.
    @Test func aStoppedRedisEndsTheLeasesAndGoesOn() throws {
        let scene = try Scene()
        scene.fleet.redis.pause()
        try scene.fleet.expectServiceUntilLeasesEnd(scene.good.access)
        try scene.expectRefused()
        scene.fleet.redis.resume()
        #expect(try scene.fleet.allAnswer(204, for: scene.good.access))
        try scene.expectRefused()
        let position = try scene.fleet.revokeUntilStored("{\"sub\":\"bob\"}")
        try scene.fleet.waitUntilApplied(position)
        #expect(try scene.fleet.statuses(of: scene.good.access) == [401, 401, 401])
    }

    @Test func aRestartOfRedisInsideTheLeaseRefusesNobody() throws {
        // A lease that no load of the machine outlasts: a single refusal would be a failure of the product.
        let scene = try Scene(Fleet.durableRedis, settings: ["--lease", "30s", "--renew-interval", "500ms"])
        let fleet = scene.fleet
        let epoch = try fleet.epoch()
        fleet.redis.kill9()
        #expect(try fleet.statuses(of: scene.good.access) == [204, 204, 204])
        try fleet.redis.restart()
        let isOver = try poll(within: .seconds(20)) {
            #expect(try fleet.statuses(of: scene.good.access) == [204, 204, 204])
            try scene.expectRefused()
            guard let registry = try fleet.registry() else { return false }
            return registry.head.epoch != epoch && registry.nodes.count == 4
        }
        #expect(isOver)
    }
}
