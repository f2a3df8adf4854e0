import Glibc
import Logging
import Quash
import QuashJWT
import TestSupport
import Testing

@testable import QuashServer

/// An outbox on a real disk: what it said was durable is there afterwards, whatever happened to the file.
@Suite struct OutboxTests {
    private let folder: TemporaryFolder
    private var path: String { folder.path("outbox") }
    private let expiry = UInt32(ClockReading.now().wall.seconds + 3600)

    init() throws {
        folder = try TemporaryFolder()
    }

    private func open(_ issuer: String = "a", at path: String? = nil, _ log: LogRecorder? = nil) throws -> Outbox {
        try Outbox(path: path ?? self.path, issuer: issuer, log: log?.logger ?? Fleet.silent)
    }

    private func tokens(_ numbers: Range<Int>) -> [Revocation] {
        numbers.map { .token($0, expiresAtSeconds: expiry) }
    }

    private func append(_ revocations: [Revocation], to outbox: Outbox) throws -> Bool {
        let done = Recorder<Bool>()
        outbox.append(revocations) { done.record($0 != nil) }
        return try done.wait(count: 1)[0]
    }

    private func flush(_ outbox: Outbox) throws -> Bool {
        let done = Recorder<Bool>()
        outbox.flush { done.record($0) }
        return try done.wait(count: 1)[0]
    }

    private func contents(_ outbox: Outbox) throws -> Set<Revocation> {
        let done = Recorder<[Revocation]>()
        outbox.read { done.record($0) }
        return Set(try done.wait(count: 1)[0])
    }

    /// What is there when the file is opened anew.
    private func reopened(_ log: LogRecorder? = nil) throws -> Set<Revocation> {
        let outbox = try open("a", log)
        defer { outbox.close() }
        return try contents(outbox)
    }

    private var fileBytes: [UInt8] { get throws { try PlainFile.read(path: path, maxBytes: 16 << 20) } }

    private func addToFile(_ bytes: [UInt8], cutting: Int = 0) throws {
        try folder.write("outbox", bytes: fileBytes.dropLast(cutting) + bytes)
    }

    @Test func whatWasAppendedIsThereAfterwards() throws {
        let outbox = try open()
        #expect(try append(tokens(0..<1), to: outbox))
        outbox.mirror(tokens(1..<1001))
        #expect(try flush(outbox))
        let entered = Recorder<Bool>()
        outbox.enter(ScriptCaller.first) { entered.record($0) }
        #expect(try entered.wait(count: 1) == [true])
        #expect(try contents(outbox) == Set(tokens(0..<1001)))
        outbox.close()
        let again = try open()
        #expect(again.enteredEpochs == [ScriptCaller.first])
        #expect(try contents(again) == Set(tokens(0..<1001)))
        again.close()
        // Each start writes the file anew.
        let third = try open()
        #expect(third.enteredEpochs == [ScriptCaller.first])
        third.close()
    }

    @Test func concurrentAppendsAreAllDurable() throws {
        let outbox = try open()
        let done = Recorder<Bool>()
        for number in 0..<2000 { outbox.append(tokens(number..<number + 1)) { done.record($0 != nil) } }
        #expect(try done.wait(count: 2000).allSatisfy { $0 })
        outbox.close()
        #expect(try reopened() == Set(tokens(0..<2000)))
    }

    /// The crash of a machine while a write was under way: a part of a record stands behind what was durable.
    @Test(arguments: [1, 5, 11, 12, 20])
    func aTornEndIsCutOffWithAWarning(bytes: Int) throws {
        let outbox = try open()
        #expect(try append(tokens(0..<10), to: outbox))
        outbox.close()
        var record: [UInt8] = []
        OutboxRecord.revocations(tokens(10..<11)).encode(into: &record)
        try addToFile(Array(record.prefix(bytes)))
        let log = LogRecorder()
        #expect(try reopened(log) == Set(tokens(0..<10)))
        #expect(log.lines.all.contains { $0.level == .warning && $0.message.contains("tore") })
        // It is whole again.
        let quiet = LogRecorder()
        _ = try reopened(quiet)
        #expect(quiet.lines.all.isEmpty)
    }

    /// What was durable cannot be lost by a crash: that the file is shorter, or has another bit, is damage.
    @Test(arguments: ["short", "bit", "bit of the last record", "lengths"])
    func S5_bytesThatWereDurableAndAreLostAreDamage(way: String) throws {
        let outbox = try open()
        for number in 0..<3 { #expect(try append(tokens(number..<number + 1), to: outbox)) }
        outbox.close()
        var bytes = try fileBytes
        var expected = Set(tokens(0..<3))
        switch way {
        case "short": bytes.removeLast(bytes.count - 200)
        case "bit": bytes[bytes.count - 70] ^= 1
        case "bit of the last record": bytes[bytes.count - 25] ^= 1
        default: for place in 32..<64 { bytes[place] ^= 1 }
        }
        if way != "lengths" { expected = [] }
        try folder.write("outbox", bytes: bytes)
        let log = LogRecorder()
        let damaged = try open("a", log)
        #expect(damaged.isDamaged)
        #expect(try contents(damaged).isSuperset(of: expected))
        #expect(log.lines.all.contains { $0.level == .error && $0.message.contains("lost records") })
        damaged.close()
        // Until it is restored, the next start knows it too.
        let again = try open()
        #expect(again.isDamaged)
        again.close()
    }

    /// The process ends between the write and the synchronisation, or before the length is written.
    @Test func aLengthThatWasNotWrittenLosesNothing() throws {
        let outbox = try open()
        #expect(try append(tokens(0..<1), to: outbox))
        outbox.close()
        let before = try fileBytes
        let second = try open()
        #expect(try append(tokens(1..<2), to: second))
        second.close()
        var after = try fileBytes
        after.replaceSubrange(48..<64, with: before[48..<64])
        try folder.write("outbox", bytes: after)
        let log = LogRecorder()
        #expect(try reopened(log) == Set(tokens(0..<2)))
        #expect(log.lines.all.isEmpty)
    }

    @Test func anEmptyFileIsANewOutboxAndIsLogged() throws {
        try folder.write("outbox", bytes: [])
        let log = LogRecorder()
        #expect(try reopened(log).isEmpty)
        #expect(log.lines.all.contains { $0.level == .notice && $0.message.contains("new outbox") })
    }

    /// Not even the name of a folder that could not be synchronised is taken for durable, and nothing goes to the file
    /// that was replaced.
    @Test func S5_aNameThatIsNotDurableIsNotTakenForDurable() throws {
        let path = folder.path("file")
        let fails = Recorder<Bool>()
        var file = try OutboxFile(path: path) { (path) throws(OutboxFile.Failure) in
            if fails.all.count == 1 { throw OutboxFile.Failure("fails", EIO) }
        }
        try file.replace(by: [], of: .random())
        fails.record(true)
        #expect(throws: OutboxFile.Failure.self) { try file.replace(by: [], of: .random()) }
        try file.append([1, 2, 3])
        #expect(throws: OutboxFile.Failure.self) { try file.synchronize() }
        fails.record(true)
        try file.synchronize()
        #expect(try PlainFile.read(path: path, maxBytes: 1000).suffix(3) == [1, 2, 3])
    }

    // MARK: The first version

    private func version1(_ records: [OutboxRecord], issuer: String = "a") -> [UInt8] {
        records.reduce(into: Array("quash-outbox 1 \(issuer)\n".utf8)) { $1.encode(into: &$0) }
    }

    @Test func anOutboxOfTheFirstVersionIsReadAndGetsAName() throws {
        let records: [OutboxRecord] = [.epoch(ScriptCaller.first), .revocations(tokens(0..<100))]
        try folder.write("outbox", bytes: version1(records))
        let outbox = try open()
        #expect(try contents(outbox) == Set(tokens(0..<100)))
        #expect(outbox.enteredEpochs == [ScriptCaller.first])
        let identity = outbox.identity
        outbox.close()
        let again = try open()
        #expect(again.identity.outbox == identity.outbox)
        #expect(again.identity.earlierStarts == [identity.start])
        #expect(try contents(again) == Set(tokens(0..<100)))
        again.close()
    }

    @Test(arguments: [0, 4, 13, 14, 16])
    func aHalfMadeFileOfTheFirstVersionIsANewOutbox(prefix: Int) throws {
        try folder.write("outbox", bytes: Array(version1([]).prefix(prefix)))
        #expect(try reopened().isEmpty)
    }

    /// It could not tell a last write that was torn from one that was damaged.
    @Test func aTornEndOfTheFirstVersionIsCutOff() throws {
        let bytes = version1([.revocations(tokens(0..<1)), .revocations(tokens(1..<2))])
        try folder.write("outbox", bytes: bytes.dropLast(3))
        let outbox = try open()
        #expect(!outbox.isDamaged)
        #expect(try contents(outbox) == Set(tokens(0..<1)))
        outbox.close()
    }

    @Test func aHostNameThatWasCutAtItsDotIsTheSameIssuer() throws {
        try folder.write("outbox", bytes: version1([.revocations(tokens(0..<1))], issuer: "auth"))
        let outbox = try open("auth.eu.example")
        #expect(try contents(outbox) == Set(tokens(0..<1)))
        outbox.close()
        #expect(throws: StartFailure.self) { try open("auth.us.example") }
        #expect(throws: StartFailure.self) { try open("auth") }
    }

    @Test func aLaterVersionIsRefusedWithTheReason() throws {
        try folder.write("outbox", bytes: Array("quash-outbox 3 whatever\n".utf8))
        let failure = try #require(throws: StartFailure.self) { try open() }
        #expect(failure.description.contains("was written by a later version of quash"))
    }

    // MARK: Sessions

    private func ends(_ outbox: Outbox) throws -> Set<SessionEnd> {
        let done = Recorder<[SessionEnd]>()
        outbox.readEnds { done.record($0) }
        return Set(try done.wait(count: 1)[0])
    }

    /// The end of a session outlives the revocation of its access tokens.
    @Test func S2_theEndOfASessionIsKeptUntilItsRefreshTokensExpire() throws {
        let longAgo = UInt32(ClockReading.now().wall.seconds) - UInt32(FeedScript.retainSeconds) - 200
        let sessions = (0..<150).map { _ in RevocationKey.session(.random()) }
        let own = sessions[..<120].map { SessionEnd(session: $0, untilSeconds: expiry) }
        let outbox = try open()
        let done = Recorder<UInt64?>()
        outbox.append(own.map { Revocation(key: $0.session, expiresAtSeconds: longAgo) }, ends: own) { done.record($0) }
        #expect(try done.wait(count: 1) == [1])
        let heard = sessions[100...].map { SessionEnd(session: $0, untilSeconds: expiry + 500) }
        outbox.mirror(heard.map { Revocation(key: $0.session, expiresAtSeconds: longAgo) }, ends: heard)
        #expect(try flush(outbox))
        // An issuer knows the end of its own sessions exactly; what others derive from the feed does not change it.
        let expected = Set(own + heard[20...])
        #expect(try ends(outbox) == expected)
        outbox.close()
        for _ in 0..<2 {
            let again = try open()
            #expect(try ends(again) == expected)
            #expect(try contents(again).isEmpty)
            again.close()
        }
    }

    @Test func theFileOfAnotherIsNotTaken() throws {
        let outbox = try open("a")
        #expect(throws: StartFailure.self) { try open("a") }
        outbox.close()
        let failure = try #require(throws: StartFailure.self) { try open("b") }
        #expect(failure.description.contains("is not the outbox of the issuer b: name another file or node-id"))
        try folder.write("other", bytes: Array("something else\n".utf8))
        #expect(throws: StartFailure.self) { try open(at: folder.path("other")) }
        unsafe chmod(path, 0o644)
        let readable = try #require(throws: StartFailure.self) { try open() }
        #expect(readable.description.contains("run chmod 600 on it"))
        unsafe chmod(path, 0o600)
        unsafe symlink(path, folder.path("link"))
        #expect(throws: StartFailure.self) { try open(at: folder.path("link")) }
        #expect(throws: StartFailure.self) { try open(at: folder.path("nowhere/outbox")) }
        #expect(throws: StartFailure.self) { try open(at: "/dev/null") }
    }

    /// The lock belongs to the name: a process that waited for a file that was replaced meanwhile holds the wrong one.
    @Test func S2_ofTwoThatStartTogetherOneHasTheOutbox() throws {
        for attempt in 0..<5 {
            let path = folder.path("outbox-\(attempt)")
            let first = try open(at: path)
            #expect(try append(tokens(0..<100), to: first))
            first.close()
            let opened = Recorder<Outbox?>()
            let threads = (0..<2).map { _ in TestThread { opened.record(try? open(at: path)) } }
            for thread in threads { thread.join() }
            let outboxes = opened.all.compactMap { $0 }
            #expect(outboxes.count == 1, "attempt \(attempt)")
            for outbox in outboxes { outbox.close() }
        }
    }

    @Test func whatHasExpiredIsLeftOutAndTheFileStaysSmall() throws {
        let outbox = try open()
        let longAgo = UInt32(ClockReading.now().wall.seconds) - UInt32(FeedScript.retainSeconds) - 200
        for start in stride(from: 0, to: 60_000, by: 100) {
            outbox.mirror((start..<start + 100).map { .token($0, expiresAtSeconds: longAgo) })
        }
        #expect(try append(tokens(60_000..<60_100), to: outbox))
        #expect(try flush(outbox))
        #expect(try contents(outbox) == Set(tokens(60_000..<60_100)))
        let size = try fileBytes.count
        #expect(size < Outbox.minRewriteBytes, "\(size) bytes for 100 revocations")
        outbox.close()
        #expect(try reopened() == Set(tokens(60_000..<60_100)))
    }

    @Test func whatIsHeardAgainIsNotWrittenAgain() throws {
        let outbox = try open()
        #expect(try append(tokens(0..<100), to: outbox))
        let size = try fileBytes.count
        for _ in 0..<10 { outbox.mirror(tokens(0..<100)) }
        #expect(try flush(outbox))
        #expect(try fileBytes.count == size)
        // Stricter than before is new.
        outbox.mirror([.token(1, expiresAtSeconds: expiry + 1)])
        #expect(try flush(outbox))
        #expect(try fileBytes.count > size)
        outbox.close()
    }

    /// On a file system of its own that is full: refused, told, nothing pretended; and all well once there is room.
    @Test func aFullDiskRefusesAndRecovers() throws {
        let disk = folder.path("disk")
        unsafe mkdir(disk, 0o700)
        guard unsafe mount("tmpfs", disk, "tmpfs", 0, "size=64k") == 0 else {
            // Only the superuser makes a file system of its own; continuous integration is one.
            print("skipped: a full disk needs the right to mount one")
            return
        }
        defer { unsafe umount2(disk, Int32(MNT_DETACH)) }
        let log = LogRecorder()
        let outbox = try open(at: disk + "/outbox", log)
        #expect(try append(tokens(0..<10), to: outbox))
        try folder.write("disk/filler", bytes: [UInt8](repeating: 0, count: 56_000))
        var refused = 0
        for start in stride(from: 1000, to: 3000, by: 100) {
            if try !append(tokens(start..<start + 100), to: outbox) { refused += 1 }
        }
        #expect(refused > 0)
        // What is heard on the feed meanwhile is not said to be durable.
        outbox.mirror(tokens(5000..<5100))
        #expect(try !flush(outbox))
        #expect(log.lines.all.filter { $0.level == .critical }.count == 1)
        unsafe unlink(disk + "/filler")
        #expect(try append(tokens(9000..<9001), to: outbox))
        #expect(try flush(outbox))
        let kept = try contents(outbox)
        #expect(kept.isSuperset(of: tokens(0..<10) + tokens(5000..<5100) + tokens(9000..<9001)))
        outbox.close()
        let again = try open(at: disk + "/outbox")
        #expect(try contents(again) == kept)
        again.close()
    }
}
