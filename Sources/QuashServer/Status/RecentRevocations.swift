import Quash
import QuashJSON

/// The last revocations that went through this issuer, and how long each took to be confirmed: of what kind they were
/// and how many, but not whom they name.
///
/// On one loop. Bounded.
final class RecentRevocations {
    static let maxRemembered = 50

    /// Tells one from another.
    typealias ID = UInt64

    /// How far one has come.
    enum State: Equatable {
        /// It is on its way into Redis.
        case asked
        /// Stored; nobody waits for more.
        case stored
        /// Stored, and somebody waits for its confirmation.
        case awaited
        case confirmed(after: Duration)
        /// Stored, and the time to wait for more was over after this.
        case unconfirmed(after: Duration)
        /// Not known to be stored.
        case failed
    }

    private struct One {
        let id: ID
        let asked: ClockReading
        let kind: RevocationKind
        let count: Int
        var position: FeedPosition?
        var state: State
    }

    /// Called after each change.
    var changed: () -> Void = {}
    /// Where the last that is stored stands.
    private(set) var lastPosition: FeedPosition?
    private var all: [One] = []
    private var nextID: ID = 1

    /// These are to be revoked; they are one after the other in the feed.
    func asked(_ revocations: [Revocation], now: ClockReading = .now()) -> ID {
        defer { nextID += 1 }
        let kind = revocations.first?.key.kind ?? .everything
        all.append(One(id: nextID, asked: now, kind: kind, count: revocations.count, state: .asked))
        if all.count > Self.maxRemembered { all.removeFirst() }
        changed()
        return nextID
    }

    /// It is stored there, or not known to be.
    func stored(_ id: ID, at position: FeedPosition?, isAwaited: Bool) {
        lastPosition = position ?? lastPosition
        change(id) { one in
            one.position = position
            one.state = position == nil ? .failed : isAwaited ? .awaited : .stored
        }
    }

    /// The wait for its confirmation has ended.
    func ended(_ id: ID, isConfirmed: Bool, now: ClockReading = .now()) {
        change(id) { one in
            let time = now.boot - one.asked.boot
            one.state = isConfirmed ? .confirmed(after: time) : .unconfirmed(after: time)
        }
    }

    /// Those that have been forgotten meanwhile have no state to change.
    private func change(_ id: ID, _ body: (inout One) -> Void) {
        guard let index = all.firstIndex(where: { $0.id == id }) else { return }
        body(&all[index])
        changed()
    }

    /// The newest last.
    var json: JSONValue {
        .array(
            all.map { one in
                var object = JSONObject()
                object["id"] = .integer(Int64(clamping: one.id))
                object["time"] = .string(one.asked.wall.description)
                object["kind"] = .string(one.kind.name)
                object["count"] = .integer(Int64(one.count))
                object["epoch"] = one.position.map { .string($0.epoch.description) }
                object["seq"] = one.position.map { .integer(Int64(clamping: $0.sequence)) }
                let (word, time) = one.state.words
                object["status"] = .string(word)
                object["took_us"] = time.map { .integer($0.wholeMicroseconds) }
                return .object(object)
            })
    }
}

extension RecentRevocations.State {
    fileprivate var words: (String, Duration?) {
        switch self {
        case .asked: ("asked", nil)
        case .stored: ("stored", nil)
        case .awaited: ("awaited", nil)
        case .confirmed(let time): ("confirmed", time)
        case .unconfirmed(let time): ("unconfirmed", time)
        case .failed: ("failed", nil)
        }
    }
}

extension Duration {
    /// Rounded down.
    fileprivate var wholeMicroseconds: Int64 { Int64(self / .microseconds(1)) }
}
