import BenchResults
import Foundation
import QuashJWT
import Synchronization

/// Revokes tokens at a rate, in batches, on a thread of its own, until it is stopped.
final class FeedLoad: Sendable {
    private struct Count {
        var sent: UInt64 = 0
        var failed: UInt64 = 0
        var isStopped = false
        var hasEnded = false
    }

    static let batch = 200
    private let count = Mutex(Count())

    var sent: UInt64 { count.withLock { $0.sent } }
    var failed: UInt64 { count.withLock { $0.failed } }

    init(_ target: Target, adminToken: String, perSecond: Int, seconds: Double) {
        // Made before the clock starts.
        let bodies = (0..<Int(Double(perSecond / Self.batch) * seconds)).map { _ in
            let issued = Int64(Date().timeIntervalSince1970 * 1000)
            return Lab.revocations(
                (0..<Self.batch).map { _ in TokenID(session: .random(), issuedAtMilliseconds: issued).description })
        }
        Thread { [self] in
            run(Exchange(target), adminToken, bodies, perSecond: perSecond)
            count.withLock { $0.hasEnded = true }
        }.start()
    }

    private func run(_ issuer: Exchange, _ adminToken: String, _ bodies: [String], perSecond: Int) {
        let interval = UInt64(1e9 * Double(Self.batch) / Double(perSecond))
        let start = monotonicNanoseconds()
        for (number, body) in bodies.enumerated() {
            if count.withLock({ $0.isStopped }) { return }
            let due = start + UInt64(number) * interval
            let now = monotonicNanoseconds()
            if due > now { usleep(UInt32((due - now) / 1000)) }
            let answer = try? issuer.post("/admin/v1/revocations", json: body, bearer: adminToken)
            let isStored = answer?.status == 201
            count.withLock {
                $0.sent += UInt64(Self.batch)
                if !isStored { $0.failed += UInt64(Self.batch) }
            }
        }
    }

    /// Returns once the thread sends no more.
    func stop() {
        count.withLock { $0.isStopped = true }
        _ = poll(seconds: 20) { count.withLock { $0.hasEnded } }
    }
}

extension Runner {
    /// Latency while many revocations arrive, against latency while none do, round by round.
    func measureBusyFeed() throws {
        let subject = validators.subject
        guard let rate = halfRate(subject) else { return }
        let group = "warm latency while the feed is busy"
        var ratios: [Double] = []
        var idle = Outcome()
        var busy = Outcome()
        var fed: UInt64 = 0
        var failed: UInt64 = 0
        var seconds = 0.0
        for _ in 0..<plan.rounds {
            let clients = warmClients(subject, .open(perSecond: rate))
            let quiet = try load(subject, [clients], seconds: plan.seconds)[0]
            let feed = FeedLoad(
                lab.issuerAdminTarget, adminToken: lab.adminToken, perSecond: plan.feedRate, seconds: plan.seconds + 10)
            usleep(300_000)
            let before = feed.sent
            let loud = try load(subject, [clients], seconds: plan.seconds)[0]
            fed += feed.sent - before
            seconds += loud.seconds
            feed.stop()
            failed += feed.failed
            ratios.append(loud.microseconds(0.99) / quiet.microseconds(0.99))
            idle.merge(quiet)
            busy.merge(loud)
        }
        let fedRate = Double(fed) / seconds
        add(group, "feed idle", rate: rate, idle)
        add(group, "feed busy", rate: rate, busy)
        check(group, [idle, busy])
        add(Check(what: "\(group): revocations are stored", count: fed, failures: failed))
        add("revocations per second while the feed is busy", Peer.quash, "/s", .higher, [fedRate])
        say("\(group): \(rounded(fedRate)) revocations/s: \(busy.summary); idle: \(idle.summary)")
        add(
            Goal(
                what: "p99 while \(plan.feedRate) revocations/s arrive", against: "p99 with an idle feed",
                relation: .atMost, limit: 1.2, rounds: ratios,
                note: fedRate < 0.95 * Double(plan.feedRate)
                    ? "the issuer, which shares a core with the load, took only \(rounded(fedRate))/s" : ""))
    }
}
