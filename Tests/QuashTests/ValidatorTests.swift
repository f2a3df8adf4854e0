import QuashJWT
import Testing

@testable import Quash

/// Decisions: what revokes a token, and in which order a decision is made.
@Suite struct ValidatorTests {
    private static let start = ValidatorFixture.startSeconds * 1000

    // MARK: What revokes

    @Test func aGoodTokenIsAccepted() throws {
        let fixture = try ValidatorFixture()
        #expect(fixture.outcome(try fixture.token()) == .accepted)
    }

    /// Every kind, by the name that the token carries, and not by one that it does not.
    @Test(arguments: RevocationKind.allCases)
    func everyKindRevokesWhatItNamesAndNothingElse(kind: RevocationKind) throws {
        let fixture = try ValidatorFixture()
        let claims = ValidatorFixture.claims()
        let token = try fixture.token(claims)
        if kind != .everything {
            try fixture.revoke(Self.key(kind, ValidatorFixture.claims(), "another", keyID: "another"))
            #expect(fixture.outcome(token) == .accepted)
        }
        try fixture.revoke(Self.key(kind, claims, nil, keyID: fixture.keyID))
        #expect(fixture.outcome(token) == .refused(.revoked(kind)))
        // What is revoked is refused, whether or not it could be accepted.
        fixture.lease.drop()
        #expect(fixture.outcome(token) == .refused(.revoked(kind)))
    }

    /// The key of a revocation of `kind` that names what `claims` say; or `other`, which they do not.
    private static func key(_ kind: RevocationKind, _ claims: Claims, _ other: String?, keyID: String) -> RevocationKey
    {
        switch kind {
        // The identifier in `claims` is new in each call, so that of another call is another's.
        case .token: .token(claims.id)
        case .session: .session(other ?? ValidatorFixture.session.description)
        case .subject: .subject(other ?? claims.subject)
        case .client: .client(other ?? claims.clientID ?? "")
        case .key: .key(keyID)
        case .everything: .everything
        }
    }

    /// To the millisecond that the identifier carries, and inclusively.
    @Test(arguments: RevocationKind.allCases.filter { $0 != .token }, [(-1, false), (0, true), (1, true)])
    func theBoundIsInclusiveToTheMillisecond(kind: RevocationKind, bound: (milliseconds: Int64, revokes: Bool)) throws {
        let fixture = try ValidatorFixture()
        let claims = ValidatorFixture.claims(issuedAtMilliseconds: Self.start + 500)
        let token = try fixture.token(claims)
        let key = Self.key(kind, claims, nil, keyID: fixture.keyID)
        try fixture.revoke(key, issuedBefore: Self.start + 500 + bound.milliseconds)
        #expect(fixture.outcome(token) == (bound.revokes ? .refused(.revoked(kind)) : .accepted))
    }

    /// Revoked a month ago, it would be good again for the rest of its life.
    @Test func S2_aTokenThatWasIssuedForLongerThanRevocationsAreRememberedIsNeverAccepted() throws {
        let fixture = try ValidatorFixture()
        let month: Int64 = 30 * 86_400
        for (lifetime, isGood) in [(month, true), (month + 1, false)] {
            var claims = ValidatorFixture.claims(
                issuedAtMilliseconds: (ValidatorFixture.startSeconds - month + 60) * 1000, lifetimeSeconds: lifetime)
            claims.subject = "lives for \(lifetime)"
            let outcome = fixture.outcome(try fixture.token(claims))
            #expect(outcome == (isGood ? .accepted : .refused(.invalid(.tooLongLived))))
        }
    }

    /// What revokes it would be forgotten before it expires: its issuer's clock is ahead by more than the margin.
    @Test func aTokenThatOutlivesEveryRevocationIsRefused() throws {
        let fixture = try ValidatorFixture()
        let longest = Retention.longestLifetime.components.seconds
        for (ahead, isGood) in [(60, true), (61, false)] as [(Int64, Bool)] {
            let claims = ValidatorFixture.claims(
                issuedAtMilliseconds: (ValidatorFixture.startSeconds + ahead) * 1000, lifetimeSeconds: longest)
            let outcome = fixture.outcome(try fixture.token(claims))
            // Dated ahead, it is not accepted yet either; but not for good.
            #expect(outcome == (isGood ? .unavailable(.tokenAhead) : .refused(.invalid(.tooLongLived))))
        }
    }

    @Test func theStrictestOfSeveralBoundsWins() throws {
        let fixture = try ValidatorFixture()
        let token = try fixture.token()
        try fixture.revoke(.subject("alice"), issuedBefore: Self.start - 2)
        try fixture.revoke(.subject("alice"), issuedBefore: Self.start - 1)
        #expect(fixture.outcome(token) == .accepted)
        try fixture.revoke(.subject("alice"), issuedBefore: Self.start)
        try fixture.revoke(.subject("alice"), issuedBefore: Self.start - 2)
        #expect(fixture.outcome(token) == .refused(.revoked(.subject)))
        let later = try fixture.token(ValidatorFixture.claims(issuedAtMilliseconds: Self.start + 1))
        #expect(fixture.outcome(later) == .accepted)
        // Without a bound: whatever the time of issue, also after a bound was given.
        try fixture.revoke(.subject("alice"))
        try fixture.revoke(.subject("alice"), issuedBefore: Self.start)
        #expect(fixture.outcome(later) == .refused(.revoked(.subject)))
    }

    /// Another issuer's token: its `jti` and `sid` are any text, and it says when it was issued to the second only.
    @Test func aForeignTokenFallsBackOnItsSessionClaimAndItsSecond() throws {
        let claims = ValidatorFixture.foreignClaims()
        for key in [RevocationKey.token(claims.id), .session("their-session"), .subject("alice"), .everything] {
            let fixture = try ValidatorFixture()
            let token = try fixture.token(claims)
            #expect(fixture.outcome(token) == .accepted)
            try fixture.revoke(key)
            #expect(fixture.outcome(token) == .refused(.revoked(key.kind)))
        }
        let fixture = try ValidatorFixture()
        let token = try fixture.token(claims)
        try fixture.revoke(.session("their-session"), issuedBefore: Self.start - 5001)
        #expect(fixture.outcome(token) == .accepted)
        // Issued in the second in which the bound lies: inclusively.
        try fixture.revoke(.session("their-session"), issuedBefore: Self.start + 500)
        #expect(fixture.outcome(token) == .refused(.revoked(.session)))
    }

    /// A `sid` that is spelled as a session of ours is that session: whoever revokes it by name means both.
    @Test func aForeignSessionSpelledLikeOneOfOursIsFoundByItsName() throws {
        let fixture = try ValidatorFixture()
        var claims = ValidatorFixture.foreignClaims()
        claims.sessionID = ValidatorFixture.session.description
        let token = try fixture.token(claims)
        try fixture.revoke(.session(ValidatorFixture.session.description))
        #expect(fixture.outcome(token) == .refused(.revoked(.session)))
    }

    @Test func aTokenWithoutAClientOrASessionIsNotCaughtByOne() throws {
        let fixture = try ValidatorFixture()
        var claims = ValidatorFixture.foreignClaims()
        claims.sessionID = nil
        let token = try fixture.token(claims)
        try fixture.revoke(.client(""))
        try fixture.revoke(.session(""))
        #expect(fixture.outcome(token) == .accepted)
    }

    // MARK: S0, the order

    /// The process may be stopped at any point: what counts is a clock that is read after everything else.
    @Test func S0_aLeaseThatEndsBetweenTheLookUpAndTheAnswerDoesNotCount() throws {
        let fixture = try ValidatorFixture()
        let token = try fixture.token()
        fixture.clockIsRead = { [unowned fixture] in fixture.reading = .at(5000) }
        #expect(fixture.outcome(token) == .unavailable(.leaseEnded))
    }

    /// Stopped after the look-up for longer than the lease: the feed's thread runs first, applies the revocation that
    /// the look-up missed, and extends the lease. That lease came with the revocation and must not be used without it.
    @Test func S0_aLeaseThatWasExtendedAfterTheLookUpDoesNotCount() throws {
        let fixture = try ValidatorFixture()
        let token = try fixture.token()
        fixture.clockIsRead = { [unowned fixture] in
            fixture.reading = .at(15_000)
            try? fixture.revoke(.subject("alice"))
            fixture.lease.extend(LeaseGrant(sent: .at(15_000), length: .seconds(5)))
        }
        #expect(fixture.outcome(token) == .unavailable(.leaseEnded))
        fixture.clockIsRead = {}
        #expect(fixture.outcome(token) == .refused(.revoked(.subject)))
    }

    /// The feed's thread halts, or gives the lease back, between the look-up and the answer.
    @Test func S0_aLeaseThatIsDroppedAfterTheLookUpDoesNotCount() throws {
        let fixture = try ValidatorFixture()
        let token = try fixture.token()
        fixture.clockIsRead = { [unowned fixture] in fixture.lease.drop() }
        #expect(fixture.outcome(token) == .unavailable(.leaseEnded))
    }

    @Test func S0_theClockIsReadAfterTheRevocations() throws {
        let fixture = try ValidatorFixture()
        let token = try fixture.token()
        // Applied only when the clock is read: a look-up after that would see it.
        fixture.clockIsRead = { [unowned fixture] in try? fixture.revoke(.everything) }
        #expect(fixture.outcome(token) == .accepted)
        fixture.clockIsRead = {}
        #expect(fixture.outcome(token) == .refused(.revoked(.everything)))
    }

    @Test func S0_unavailableOnlyWhenNothingElseRefuses() throws {
        let fixture = try ValidatorFixture()
        fixture.lease.drop()
        let good = try fixture.token()
        #expect(fixture.outcome(good) == .unavailable(.leaseEnded))
        #expect(fixture.outcome(good.dropLast(2)) == .refused(.invalid(.badSignature)))
        #expect(fixture.outcome(Array("nonsense".utf8)) == .refused(.invalid(.malformed)))
        #expect(fixture.outcome(try fixture.token(type: .refresh)) == .refused(.invalid(.wrongType)))
        let expired = ValidatorFixture.claims(issuedAtMilliseconds: Self.start - 900_000)
        #expect(fixture.outcome(try fixture.token(expired)) == .refused(.invalid(.expired)))
        var early = ValidatorFixture.claims()
        early.notBefore = NumericDate(seconds: ValidatorFixture.startSeconds + 1)
        #expect(fixture.outcome(try fixture.token(early)) == .refused(.invalid(.notYetValid)))
        try fixture.revoke(.subject("alice"))
        #expect(fixture.outcome(good) == .refused(.revoked(.subject)))
        // Revoked and expired: revoked, for that was found out first.
        #expect(fixture.outcome(try fixture.token(expired)) == .refused(.revoked(.subject)))
    }

    @Test func withoutKeysNothingIsDecided() throws {
        let fixture = try ValidatorFixture(hasKeys: false)
        let token = try fixture.token()
        #expect(fixture.outcome(token) == .unavailable(.noKeys))
        try fixture.validator.replaceKeys(fixture.keys)
        #expect(fixture.outcome(token) == .accepted)
    }

    @Test func theTypeAskedForNarrowsThePolicy() throws {
        let fixture = try ValidatorFixture(types: [.access, .refresh])
        let access = try fixture.token()
        let refresh = try fixture.token(type: .refresh)
        #expect(fixture.outcome(refresh, as: .refresh) == .accepted)
        #expect(fixture.outcome(access, as: .refresh) == .refused(.invalid(.wrongType)))
        #expect(fixture.outcome(refresh, as: .access) == .refused(.invalid(.wrongType)))
    }

    // MARK: Clocks

    @Test(arguments: [-3_600_000, 3_600_000] as [Int64])
    func aWallClockThatJumpsEndsTheLeaseUntilTheNextGrant(step: Int64) throws {
        let fixture = try ValidatorFixture()
        // Valid at both times, so that only the lease can refuse.
        let claims = ValidatorFixture.claims(issuedAtMilliseconds: Self.start - 3_600_000, lifetimeSeconds: 3 * 3600)
        let token = try fixture.token(claims)
        fixture.reading = .at(1000, wallStep: step)
        #expect(fixture.outcome(token) == .unavailable(.clock))
        fixture.lease.extend(LeaseGrant(sent: .at(1000, wallStep: step), length: .seconds(5)))
        fixture.reading = .at(1500, wallStep: step)
        #expect(fixture.outcome(token) == .accepted)
    }

    @Test func S2_anExpiredTokenStaysExpiredWhenTheClockGoesBack() throws {
        let fixture = try ValidatorFixture()
        let token = try fixture.token()
        fixture.reading = .at(900_000)
        #expect(fixture.outcome(token) == .refused(.invalid(.expired)))
        fixture.reading = .at(900_100, wallStep: -900)
        #expect(fixture.outcome(token) == .refused(.invalid(.expired)), "by as much as is no difference of clocks")
    }

    /// The revocation was dropped by a clock that this thread never saw: the token counts as expired by that same
    /// clock.
    @Test func S2_whatAnotherThreadDroppedAsExpiredIsRefusedAsExpired() throws {
        let fixture = try ValidatorFixture(cachedTokens: 0)
        let token = try fixture.token()
        // With so many others that it is worth while to let them go.
        for name in ["alice"] + (0..<600).map({ "user-\($0)" }) {
            try fixture.revoke(.subject(name), expiresAtSeconds: UInt32(ValidatorFixture.startSeconds + 900))
        }
        #expect(fixture.outcome(token) == .refused(.revoked(.subject)))
        fixture.writer.expire(at: WallInstant(seconds: ValidatorFixture.startSeconds + 7200))
        #expect(fixture.index.count(of: .subject) == 0)
        // By as much ahead as is no difference of clocks; what is further ahead is no time to judge by.
        fixture.reading = .at(7_199_000)
        #expect(fixture.outcome(token) == .refused(.invalid(.expired)))
        fixture.reading = .at(7_198_999)
        #expect(fixture.outcome(token) == .unavailable(.clock))
    }

    /// The index was full. Being cut short makes nothing valid earlier.
    @Test func S2_aTokenThatWasCutShortIsRefusedAsExpired() throws {
        let fixture = try ValidatorFixture(cachedTokens: 8)
        let start = ValidatorFixture.startSeconds
        let (short, long) = (
            try fixture.token(ValidatorFixture.claims(lifetimeSeconds: 150)), try fixture.token()
        )
        var early = ValidatorFixture.claims()
        early.notBefore = NumericDate(seconds: start + 200)
        let later = try fixture.token(early)
        fixture.writer.expire(at: WallInstant(seconds: start))
        func verdicts() -> [Outcome] { [short, long, later].map { fixture.outcome($0) } }
        #expect(verdicts() == [.accepted, .accepted, .refused(.invalid(.notYetValid))])
        // One more than there may be.
        for number in 0...1000 {
            let expiry = UInt32(start + (number < 600 ? 150 : 900))
            try fixture.revoke(.token("other \(number)"), expiresAtSeconds: expiry)
        }
        #expect(fixture.index.droppedBy.seconds > start + 200)
        #expect(verdicts() == [.refused(.invalid(.expired)), .accepted, .refused(.invalid(.notYetValid))])
        // It still proves whose session is to be ended.
        #expect(fixture.isGenuine(short, as: .access))
    }

    /// The index was full of what lives on for longer. A token whose revocation may have been let go is neither
    /// accepted nor called expired, which would make its client come with a new one again and again; a longer-lived one
    /// is judged.
    @Test func S2_nothingIsSaidAboutATokenWhoseRevocationMayHaveBeenLetGo() throws {
        let fixture = try ValidatorFixture(cachedTokens: 0)
        let start = ValidatorFixture.startSeconds
        func token(_ lifetimeSeconds: Int64, _ session: SessionID) throws -> [UInt8] {
            var claims = ValidatorFixture.claims(lifetimeSeconds: lifetimeSeconds)
            claims.id = TokenID(session: session, issuedAtMilliseconds: start * 1000).description
            return try fixture.token(claims)
        }
        let ended = SessionID.random()
        let tokens = try [
            token(200, .random()), token(900, .random()), token(900, ended), token(7200, .random()),
        ]
        fixture.writer.expire(at: WallInstant(seconds: start))
        try fixture.revoke(.session(ended), expiresAtSeconds: UInt32(start + 900))
        func verdicts() -> [Outcome] { tokens.map { fixture.outcome($0) } }
        #expect(verdicts() == [.accepted, .accepted, .refused(.revoked(.session)), .accepted])
        for number in 0...1000 { try fixture.revoke(.token("other \(number)"), expiresAtSeconds: UInt32(start + 3600)) }
        // The revocation of the third is gone.
        #expect(!fixture.validator.revokes(.session(ended), issuedAt: WallInstant(seconds: start)))
        let unknown = Outcome.unavailable(.indexFull)
        #expect(verdicts() == [.refused(.invalid(.expired)), unknown, unknown, .accepted])
        // Once all those have expired, all is as it was.
        fixture.reading = .at(3_700_000)
        fixture.lease.extend(LeaseGrant(sent: fixture.reading, length: .seconds(5)))
        #expect(verdicts().last == .accepted)
    }

    @Test func expiryIsToTheSecondAndAllowsTheSkew() throws {
        for (skew, accepted) in [(0, 899), (60, 959)] as [(Int64, Int64)] {
            let fixture = try ValidatorFixture(clockSkew: .seconds(skew))
            let token = try fixture.token()
            for (second, outcome) in [(accepted, .accepted), (accepted + 1, .refused(.invalid(.expired)))]
                as [(Int64, Outcome)]
            {
                fixture.reading = .at(second * 1000)
                fixture.lease.extend(LeaseGrant(sent: fixture.reading, length: .seconds(5)))
                #expect(fixture.outcome(token) == outcome)
            }
        }
    }

    // MARK: Genuine

    /// Enough to end a session, never to let anyone in: neither a revocation nor the end of the lease matters.
    @Test func aRevokedTokenIsStillGenuineButAnExpiredOneIsNot() throws {
        let fixture = try ValidatorFixture()
        let token = try fixture.token()
        try fixture.revoke(.everything)
        fixture.lease.drop()
        #expect(fixture.isGenuine(token, as: .access))
        #expect(!fixture.isGenuine(token, as: .refresh))
        #expect(!fixture.isGenuine(token.dropLast(2), as: .access))
        fixture.reading = .at(900_000)
        #expect(!fixture.isGenuine(token, as: .access))
    }
}
