import QuashJWT
import TestSupport
import Testing

@testable import Quash

/// When a token says that it was issued, against bounds and against this node's clock.
@Suite struct IssueTimeTests {
    private static let start = ValidatorFixture.startSeconds * 1000

    private static func foreign(aheadSeconds: Int64) -> Claims {
        var claims = ValidatorFixture.foreignClaims()
        claims.issuedAt = NumericDate(seconds: ValidatorFixture.startSeconds + aheadSeconds)
        claims.expiresAt = claims.issuedAt + .seconds(900)
        claims.clientID = "spa"
        return claims
    }

    /// A provider's clock may be ahead by the tolerance: what it had dated by the time of the revocation is caught.
    @Test(arguments: [RevocationKey.subject("alice"), .client("spa"), .everything])
    func S1_aBoundOfOurClockCatchesWhatAProvidersClockDatedAhead(key: RevocationKey) throws {
        let fixture = try ValidatorFixture()
        try fixture.revoke(key, issuedBefore: Self.start)
        for ahead in [0, 3, 5] as [Int64] {
            let token = try fixture.token(Self.foreign(aheadSeconds: ahead))
            #expect(fixture.outcome(token) == .refused(.revoked(key.kind)), "\(ahead) s ahead")
        }
        fixture.reading = .at(1000)
        #expect(fixture.outcome(try fixture.token(Self.foreign(aheadSeconds: 6))) == .accepted, "issued afterwards")
    }

    /// Otherwise it would be accepted now and, being dated after every bound of now, not be caught by one.
    @Test(arguments: [6, 30, 3600] as [Int64])
    func S1_aTokenDatedFurtherAheadIsRefusedUntilThen(aheadSeconds: Int64) throws {
        let fixture = try ValidatorFixture()
        let token = try fixture.token(Self.foreign(aheadSeconds: aheadSeconds))
        #expect(fixture.outcome(token) == .refused(.invalid(.issuedAhead)))
        #expect(fixture.outcome(token) == .refused(.invalid(.issuedAhead)), "a remembered one too")
        fixture.reading = .at((aheadSeconds - 5) * 1000)
        fixture.lease.extend(LeaseGrant(sent: fixture.reading, length: .seconds(5)))
        #expect(fixture.outcome(token) == .accepted)
    }

    @Test func theToleranceIsASetting() throws {
        let fixture = try ValidatorFixture(issueTolerance: .seconds(1))
        #expect(fixture.outcome(try fixture.token(Self.foreign(aheadSeconds: 2))) == .refused(.invalid(.issuedAhead)))
        try fixture.revoke(.subject("alice"), issuedBefore: Self.start - 1000)
        #expect(fixture.outcome(try fixture.token(Self.foreign(aheadSeconds: 0))) == .refused(.revoked(.subject)))
        #expect(fixture.outcome(try fixture.token(Self.foreign(aheadSeconds: 1))) == .accepted)
    }

    /// Signing in directly after a revocation: ours are dated to the millisecond, after every bound of their issuer.
    @Test func aTokenOfOursIsJudgedToTheMillisecond() throws {
        let fixture = try ValidatorFixture()
        try fixture.revoke(.subject("alice"), issuedBefore: Self.start)
        let before = try fixture.token(ValidatorFixture.claims(issuedAtMilliseconds: Self.start))
        #expect(fixture.outcome(before) == .refused(.revoked(.subject)))
        let after = try fixture.token(ValidatorFixture.claims(issuedAtMilliseconds: Self.start + 1))
        #expect(fixture.outcome(after) == .accepted)
    }

    /// A bound in the provider's time needs no tolerance: signing in there directly afterwards is good.
    @Test func aBoundInTheProvidersTimeIsExact() throws {
        let fixture = try ValidatorFixture()
        try fixture.revoke(.subject("alice"), issuedBefore: Self.start + 999, by: .provider)
        #expect(fixture.outcome(try fixture.token(Self.foreign(aheadSeconds: 0))) == .refused(.revoked(.subject)))
        #expect(fixture.outcome(try fixture.token(Self.foreign(aheadSeconds: 1))) == .accepted)
    }

    /// Bounds of both clocks for one key, in either order: each covers what it would alone.
    @Test(arguments: [true, false])
    func boundsOfBothClocksAreKept(isOursFirst: Bool) throws {
        let fixture = try ValidatorFixture()
        let bounds: [(Int64, BoundClock)] = [(Self.start - 4000, .ours), (Self.start - 1000, .provider)]
        for (bound, clock) in isOursFirst ? bounds : bounds.reversed() {
            try fixture.revoke(.subject("alice"), issuedBefore: bound, by: clock)
        }
        #expect(fixture.outcome(try fixture.token(Self.foreign(aheadSeconds: 1))) == .refused(.revoked(.subject)))
        #expect(fixture.outcome(try fixture.token(Self.foreign(aheadSeconds: 2))) == .accepted)
        let ours = { try fixture.token(ValidatorFixture.claims(issuedAtMilliseconds: $0)) }
        #expect(fixture.outcome(try ours(Self.start - 1000)) == .refused(.revoked(.subject)))
        #expect(fixture.outcome(try ours(Self.start - 999)) == .accepted)
    }

    /// That is no fault of the token's: one of the clocks is wrong.
    @Test func aTokenOfOursFromTheFutureIsNotDecided() throws {
        let fixture = try ValidatorFixture()
        let token = try fixture.token(ValidatorFixture.claims(issuedAtMilliseconds: Self.start + 5001))
        #expect(fixture.outcome(token) == .unavailable(.tokenAhead))
        fixture.reading = .at(1)
        #expect(fixture.outcome(token) == .accepted)
        fixture.reading = .at(0)
        try fixture.revoke(.subject("alice"))
        #expect(fixture.outcome(token) == .refused(.revoked(.subject)), "what is refused anyway stays so")
    }

    /// The form alone makes no token ours: a time that `iat` contradicts is not believed.
    @Test func aTimeThatTheClaimsContradictIsNotBelieved() throws {
        let fixture = try ValidatorFixture()
        try fixture.revoke(.subject("alice"), issuedBefore: Self.start)
        var claims = ValidatorFixture.claims(issuedAtMilliseconds: Self.start + 4000)
        claims.issuedAt = NumericDate(seconds: ValidatorFixture.startSeconds - 1)
        #expect(fixture.outcome(try fixture.token(claims)) == .refused(.revoked(.subject)))
        claims.issuedAt = NumericDate(seconds: ValidatorFixture.startSeconds + 6)
        #expect(fixture.outcome(try fixture.token(claims)) == .refused(.invalid(.issuedAhead)))
    }
}

@Suite struct IssueBoundTests {
    private static func random(using generator: inout SeededGenerator) -> (WallInstant, BoundClock) {
        let milliseconds = 1_800_000_000_000 + Int64.random(in: 0..<200_000, using: &generator)
        return (WallInstant(milliseconds: milliseconds), Bool.random(using: &generator) ? .ours : .provider)
    }

    /// Against the rule in words, for random bounds and tokens.
    @Test func joinedBoundsCoverWhatOneOfThemCovers() {
        var generator = SeededGenerator(4)
        for _ in 0..<20_000 {
            let bounds = (0..<3).map { _ in Self.random(using: &generator) }
            let joined = bounds.map { IssueBound($0.0, by: $0.1) }.reduce(IssueBound(packed: 0)) {
                $0.joined(with: $1)
            }
            let tolerance = Int64.random(in: 0...60_000, using: &generator)
            let token = WallInstant(milliseconds: 1_800_000_000_000 + .random(in: 0..<300_000, using: &generator))
            let isCovered = bounds.contains { bound, clock in
                token.milliseconds <= bound.milliseconds + (clock == .ours ? tolerance : 0)
            }
            #expect(joined.covers(token, toleranceMilliseconds: tolerance) == isCovered)
            let again = joined.bounds.map { IssueBound($0.instant, by: $0.clock) }
            #expect(again.dropFirst().reduce(again[0]) { $0.joined(with: $1) } == joined)
        }
    }
}
