import Quash
import QuashHTTP
import QuashJWT
import TestSupport
import Testing

@testable import QuashServer

/// Messages are lost, all or some: revocations arrive by renewal, and nothing that a node says it has applied is
/// accepted.
@Suite struct PubSubFaultTests {
    /// A user who may do everything but hear the channel.
    private static let deaf = "user deaf on >secret ~* resetchannels +@all"

    @Test func withoutTheChannelRevocationsArriveByRenewal() throws {
        let fleet = try Fleet(
            validators: 2, redis: RedisServer.Options(users: [Self.deaf]), settings: Fleet.shortLease,
            validatorUser: "deaf:secret")
        try fleet.waitUntilReady()
        let pair = try fleet.signIn()
        #expect(try fleet.statuses(of: pair.access) == [204, 204])
        #expect(try fleet.redis.cli("PUBSUB", "NUMSUB", "{quash}:feed") == "{quash}:feed\n1")
        #expect(try fleet.logout(pair.access).status == .ok)
        #expect(try fleet.allAnswer(401, for: pair.access))
    }

    @Test func subscribersThatAreKilledAllTheTimeMissNothing() throws {
        let fleet = try Fleet(validators: 2, settings: Fleet.shortLease)
        try fleet.waitUntilReady()
        for number in 0..<20 {
            let pair = try fleet.signIn("user-\(number)")
            try fleet.redis.cli("CLIENT", "KILL", "TYPE", "pubsub")
            let position = try fleet.revokeUntilStored("{\"session\":\"\(pair.session)\"}")
            if number.isMultiple(of: 5) {
                try fleet.waitUntilApplied(position)
                #expect(try fleet.statuses(of: pair.access) == [401, 401])
            } else {
                #expect(try fleet.allAnswer(401, for: pair.access))
            }
        }
    }

    /// With this limit a burst is too much for a subscriber: it is cut, and what is published until it is back is gone.
    @Test func aTinyOutputBufferLosesMessagesButNoRevocation() throws {
        let options = RedisServer.Options(settings: ["client-output-buffer-limit": "pubsub 1kb 1kb 1"])
        let fleet = try Fleet(validators: 2, redis: options, settings: Fleet.shortLease)
        try fleet.waitUntilReady()
        let pairs = try (0..<10).map { try fleet.signIn("user-\($0)") }
        for pair in pairs {
            let others = (0..<999).map { _ in "\"\(TokenID(session: .random(), issuedAtMilliseconds: 1))\"" }
            let list = (others.prefix(500) + ["\"\(try fleet.identifier(of: pair.access))\""] + others.suffix(499))
            let burst = "for i = 1, 100 do redis.call('PUBLISH', '{quash}:feed', string.rep('x', 2000)) end"
            try fleet.redis.cli("EVAL", burst, "0")
            let position = try fleet.revokeUntilStored("{\"jti\":[\(list.joined(separator: ","))]}")
            #expect(try fleet.allAnswer(401, for: pair.access))
            try fleet.waitUntilApplied(position)
        }
        for pair in pairs { #expect(try fleet.statuses(of: pair.access) == [401, 401]) }
        // It was a fault, not just a setting.
        #expect(fleet.redis.log.contains("overcoming of output buffer limits"))
        #expect(try fleet.metric("quash_index_entries{kind=\"jti\"}", at: 0) == 10_000)
    }
}
