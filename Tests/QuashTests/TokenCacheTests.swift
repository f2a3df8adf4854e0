import QuashCrypto
import QuashJWT
import TestSupport
import Testing

@testable import Quash

/// A token that was verified before is decided on as if it came for the first time.
@Suite struct RememberedTokenTests {
    private let fixture: ValidatorFixture
    private let token: [UInt8]

    init() throws {
        fixture = try ValidatorFixture()
        token = try fixture.token()
        #expect(fixture.outcome(token) == .accepted)
    }

    @Test func itsSignatureIsVerifiedOnce() throws {
        #expect(fixture.remembers(token))
        for _ in 0..<10 { #expect(fixture.outcome(token) == .accepted) }
        #expect(fixture.validator.verifications == 1)
        let forgetful = try ValidatorFixture(cachedTokens: 0)
        for _ in 0..<10 { #expect(forgetful.outcome(token) == .accepted) }
        #expect(forgetful.validator.verifications == 10)
        #expect(!forgetful.remembers(token))
    }

    /// What is not good counts against those who present it, whether it was forged or is old.
    @Test func whatFailsIsCounted() throws {
        let forgetful = try ValidatorFixture(cachedTokens: 0)
        #expect(forgetful.outcome(token) == .accepted)
        #expect(forgetful.validator.failedVerifications == 0)
        #expect(forgetful.outcome(token.dropLast(2) + Array("AA".utf8)) == .refused(.invalid(.badSignature)))
        #expect(!forgetful.isGenuine(Array("no token".utf8), as: .access))
        #expect(forgetful.validator.failedVerifications == 2)
        forgetful.reading = .at(900_000)
        // The first shows what time it is.
        #expect(forgetful.outcome(token) == .refused(.invalid(.expired)))
        for _ in 0..<3 { #expect(forgetful.outcome(token) == .refused(.invalid(.expired))) }
        #expect(!forgetful.isGenuine(token, as: .access))
        #expect(forgetful.validator.failedVerifications == 6)
        #expect(forgetful.validator.verifications == 8)
    }

    @Test(arguments: RevocationKind.allCases)
    func S0_aRevocationCatchesIt(kind: RevocationKind) throws {
        let claims = ValidatorFixture.claims()
        let token = try fixture.token(claims)
        #expect(fixture.outcome(token) == .accepted)
        let key = Self.key(kind, claims, keyID: fixture.keyID)
        try fixture.revoke(key, issuedBefore: ValidatorFixture.startSeconds * 1000 - 1)
        #expect(fixture.outcome(token) == .accepted, "issued later")
        try fixture.revoke(key)
        #expect(fixture.outcome(token) == .refused(.revoked(kind)))
        #expect(fixture.outcome(token) == .refused(.revoked(kind)))
        #expect(fixture.validator.verifications == 2)
    }

    private static func key(_ kind: RevocationKind, _ claims: Claims, keyID: String) -> RevocationKey {
        switch kind {
        case .token: .token(claims.id)
        case .session: .session(ValidatorFixture.session)
        case .subject: .subject(claims.subject)
        case .client: .client("spa")
        case .key: .key(keyID)
        case .everything: .everything
        }
    }

    @Test func S0_itExpires() throws {
        fixture.reading = .at(900_000)
        fixture.lease.extend(LeaseGrant(sent: fixture.reading, length: .seconds(5)))
        #expect(fixture.outcome(token) == .refused(.invalid(.expired)))
        // By the greatest time that was seen.
        fixture.reading = .at(899_500)
        #expect(fixture.outcome(token) == .refused(.invalid(.expired)))
    }

    @Test func S0_theLeaseCounts() {
        fixture.reading = .at(5000)
        #expect(fixture.outcome(token) == .unavailable(.leaseEnded))
        fixture.lease.extend(LeaseGrant(sent: fixture.reading, length: .seconds(5)))
        #expect(fixture.outcome(token) == .accepted)
        fixture.lease.drop()
        #expect(fixture.outcome(token) == .unavailable(.leaseEnded))
    }

    /// The thread is stopped between the look, which is skipped here, and the clock; what it missed came with a lease
    /// that is not this decision's.
    @Test func S0_aLeaseThatWasExtendedAfterTheLookDoesNotCount() throws {
        fixture.clockIsRead = { [fixture] in
            fixture.clockIsRead = {}
            fixture.reading = .at(6000)
            try? fixture.revoke(.subject("alice"))
            fixture.lease.extend(LeaseGrant(sent: .at(5900), length: .seconds(5)))
        }
        #expect(fixture.outcome(token) == .unavailable(.leaseEnded))
        #expect(fixture.outcome(token) == .refused(.revoked(.subject)))
    }

    /// What is applied while one is looked for is looked for the next time.
    @Test func S0_aChangeDuringTheFirstLookIsSeenByTheNext() throws {
        let token = try fixture.token(ValidatorFixture.claims())
        fixture.clockIsRead = { [fixture] in
            fixture.clockIsRead = {}
            try? fixture.revoke(.subject("alice"))
        }
        #expect(fixture.outcome(token) == .accepted, "it began before")
        #expect(fixture.outcome(token) == .refused(.revoked(.subject)))
    }

    @Test func itIsForgottenWithTheKeys() throws {
        let other = try JSONWebKey(RSAPrivateKey.generate().publicKey)
        try fixture.validator.replaceKeys(KeySet([other]))
        #expect(fixture.outcome(token) == .refused(.invalid(.unknownKey)))
        try fixture.validator.replaceKeys(fixture.keys)
        #expect(fixture.outcome(token) == .accepted)
    }

    @Test func theTypeIsJudgedAnew() throws {
        let fixture = try ValidatorFixture(types: [.access, .refresh])
        let token = try fixture.token(type: .refresh)
        #expect(fixture.outcome(token, as: .refresh) == .accepted)
        #expect(fixture.outcome(token, as: .access) == .refused(.invalid(.wrongType)))
        #expect(!fixture.isGenuine(token, as: .access))
        #expect(fixture.isGenuine(token, as: .refresh))
        #expect(fixture.validator.verifications == 1)
    }

    /// Nothing but the very same bytes is the same token.
    @Test func everyByteCounts() {
        for index in token.indices {
            var other = token
            other[index] = other[index] == UInt8(ascii: "A") ? UInt8(ascii: "B") : UInt8(ascii: "A")
            #expect(fixture.outcome(other) != .accepted, "byte \(index)")
            #expect(!fixture.remembers(other))
        }
        #expect(!fixture.remembers(token + [0x2E]))
        #expect(!fixture.remembers(Array(token.dropLast())))
    }

    @Test func whatIsRefusedIsNotRemembered() {
        let forged = token.dropLast(4) + Array("AAAA".utf8)
        for _ in 0..<3 { #expect(fixture.outcome(Array(forged)) == .refused(.invalid(.badSignature))) }
        #expect(fixture.validator.verifications == 4)
        let long = [UInt8](repeating: 0x41, count: JWTLimits.maxTokenBytes + 1)
        #expect(fixture.outcome(long) == .refused(.invalid(.tooLarge)))
        #expect(fixture.validator.verifications == 4, "not even hashed")
    }
}

@Suite struct TokenCacheTests {
    private let cache = TokenCache(capacity: 64)
    private let verified: VerifiedToken

    init() throws {
        let fixture = try ValidatorFixture()
        let token = try fixture.token()
        guard case .accepted(let verified) = fixture.validator.validate(token.span) else {
            throw TestSupportError("not accepted")
        }
        self.verified = verified
    }

    private func key(_ number: Int) -> TokenHash.Value {
        let token = Array("token \(number)".utf8)
        return cache.key(of: token.span)
    }

    /// Looks a token up, and puts it in where it is not: as a decision does.
    @discardableResult
    private func use(_ number: Int, at seconds: Int64 = 0) -> Bool {
        if cache.find(key(number)) != nil { return true }
        cache.insert(KnownToken(verified), as: key(number), at: seconds)
        return false
    }

    @Test func itHoldsNoMoreThanItMay() {
        for number in 0..<10_000 { use(number) }
        #expect(cache.count <= 64)
        #expect((0..<10_000).count { cache.find(key($0)) != nil } == cache.count)
        cache.removeAll()
        #expect(cache.count == 0)
        #expect((0..<10_000).allSatisfy { cache.find(key($0)) == nil })
    }

    /// Ten thousand tokens that come once do not drive out those that come every so often.
    @Test func aFloodOfNewTokensLeavesTheOthersIn() {
        for number in 0..<16 { for _ in 0..<4 { use(number) } }
        let hot = (0..<16).filter { cache.find(key($0)) != nil }
        #expect(hot.count >= 12, "sets of eight may be full by chance: \(hot.count)")
        var missed = 0
        for number in 100..<10_100 {
            use(number)
            // Each of them once in 64 of the others: about once for eight misses of its set.
            if number.isMultiple(of: 4) { missed += use(hot[number / 4 % hot.count]) ? 0 : 1 }
        }
        #expect(missed == 0)
    }

    /// A set whose entries were all used lets new ones in again once they are not.
    @Test func whatIsNotUsedAnyMoreGivesWay() {
        for number in 0..<200 { for _ in 0..<4 { use(number) } }
        for number in 1000..<3000 { use(number) }
        #expect((0..<200).count { cache.find(key($0)) != nil } == 0)
    }

    @Test func whatHasExpiredGivesWayFirst() {
        for number in 0..<200 { for _ in 0..<4 { use(number) } }
        let expiry = ValidatorFixture.startSeconds + 900
        for number in 1000..<1010 {
            use(number, at: expiry)
            #expect(cache.find(key(number)) != nil)
        }
    }

    @Test func itLetsGoOfItsTokens() throws {
        weak var token: KnownToken?
        do {
            let cache = TokenCache(capacity: 8)
            let known = KnownToken(verified)
            token = known
            cache.insert(known, as: key(1), at: 0)
        }
        #expect(token == nil)
    }
}
