import QuashRedis
import TestSupport
import Testing

@testable import Quash
@testable import QuashServer

/// Whatever chunk of the live set was lost, a new epoch's directory says what is there, and what is committed
/// afterwards is found by whoever reads as a node does. With chunks of 100 bytes, so that a few commits make many.
@Suite struct LiveSetRecoveryTests {
    private static let chunkBytes = 100

    /// One period of the live set, filled by commits of one to three revocations.
    private struct Period {
        let script: ScriptCaller
        let expiry: UInt32
        var generator: SplitMix64
        var epoch = ScriptCaller.first
        var count = 0
        var number: UInt32 { LivePage.period(ofExpiry: expiry) }

        func open() throws {
            var arguments = FeedScript.beginArguments(nonce: epoch, lease: .seconds(5))
            arguments[2] = FeedScript.text(chunkBytes)
            try script.register()
            try script.caller.eval(FeedScript.begin, arguments)
        }

        /// Commits 20 to 78 bytes.
        mutating func commit() throws -> [Revocation] {
            let revocations = (0..<Int.random(in: 1...3, using: &generator)).map { _ in
                count += 1
                let bound = Bool.random(using: &generator) ? WallInstant(milliseconds: 1) : nil
                return Revocation(key: .subject("subject-\(count)"), issuedBefore: bound, expiresAtSeconds: expiry)
            }
            var arguments = ScriptCaller.revokeArguments(FeedWriter.Commit(revocations: revocations), to: epoch)
            arguments[4] = FeedScript.text(chunkBytes)
            guard case .stored = try RevokeReply(script.caller.eval(FeedScript.revoke, arguments)) else {
                throw TestSupportError("not stored")
            }
            return revocations
        }

        /// What a node finds: chunk after chunk, up to the last that can have begun before the directory's total.
        func read() throws -> Set<Revocation> {
            let total = try script.liveSet(period: number).directoryBytes
            var bytes: [UInt8] = []
            for chunk in 0...total / chunkBytes {
                bytes += try script.caller.call("GET", "\(FeedScript.directoryKey):\(number):\(chunk)").bytes ?? []
            }
            // More may be there than a directory that had to be made anew tells of, never less.
            #expect(bytes.count >= total, "every node would report damage")
            return Set(try RevocationCodec.decode(bytes))
        }
    }

    @Test(arguments: 0..<4 as Range<UInt64>)
    func aNewEpochsDirectoryIsTrueWhateverWasLost(seed: UInt64) throws {
        let script = try ScriptCaller()
        var generator = SplitMix64(state: seed)
        for _ in 0..<50 {
            let next = SplitMix64(state: generator.next())
            try lose(in: Period(script: script, expiry: expiryInOnePeriod(), generator: next))
            try script.caller.call("FLUSHALL")
        }
    }

    private func lose(in period: Period) throws {
        var period = period
        try period.open()
        var committed: [Revocation] = []
        for _ in 0..<Int.random(in: 2...12, using: &period.generator) { committed += try period.commit() }
        #expect(try period.read() == Set(committed))

        // One chunk goes, or two, or with the directory: then nothing tells what was behind the hole.
        let chunks = try period.script.keys("{quash}:live:*")
        let hasDirectory = Bool.random(using: &period.generator)
        var lost: Set<Revocation> = []
        for chunk in chunks.shuffled(using: &period.generator).prefix(.random(in: 1...2, using: &period.generator)) {
            let bytes = try #require(try period.script.caller.call("GET", chunk).bytes)
            lost.formUnion(try RevocationCodec.decode(bytes))
            try period.script.caller.call("DEL", chunk)
        }
        try period.script.caller.call("DEL", hasDirectory ? "{quash}:epoch" : FeedScript.directoryKey)
        period.epoch = ScriptCaller.second
        try period.open()
        if hasDirectory { #expect(try period.read() == Set(committed).subtracting(lost)) }

        var later: [Revocation] = []
        for _ in 0..<8 {
            later += try period.commit()
            let found = try period.read()
            #expect(found.isSuperset(of: later))
            if hasDirectory { #expect(found == Set(committed).subtracting(lost).union(later)) }
        }
        for key in try period.script.keys("{quash}:live:*") {
            let lifetime = try #require(try period.script.caller.call("TTL", key).integer)
            #expect(lifetime > 0, "\(key) would stay for ever")
        }
    }
}

/// The same seed gives the same run again.
struct SplitMix64: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }
}
