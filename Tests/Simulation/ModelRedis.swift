import Quash

/// What Redis holds of the feed, and what the scripts do with it, as a value: a copy is a snapshot, or a replica that
/// lags. `ModelRedisTests` holds it against a real Redis.
struct ModelRedis: Equatable, Sendable {
    /// What the roles give the scripts as arguments.
    struct Limits: Equatable, Sendable {
        var periodSeconds = LivePage.periodSeconds
        var chunkBytes = LivePage.chunkBytes
        var horizonPeriods = 31 * 86_400 / Int(LivePage.periodSeconds)
        var retainSeconds: Int64 = 600
        var logCommits = 100_000
        var recordsPerRenewal = 500
    }

    /// The key `{quash}:epoch`.
    struct Serving: Equatable, Sendable {
        var nonce: Epoch
        var runID: String
        var isOpen: Bool
        var leaseMilliseconds: Int64
    }

    struct LogItem: Equatable, Sendable {
        let sequence: UInt64
        let record: [UInt8]
    }

    struct ChunkName: Hashable, Sendable {
        let period: UInt32
        let number: Int
    }

    struct Chunk: Equatable, Sendable {
        var bytes: [UInt8]
        /// In milliseconds since 1970.
        let expiry: Int64
    }

    struct Request: Equatable, Sendable {
        let position: FeedPosition
        let expiry: Int64
    }

    /// A line of the registry but for the node's name.
    struct Grant: Equatable, Sendable {
        let applied: UInt64
        let grantedMilliseconds: Int64
        let leaseMilliseconds: Int64
        let version: String
    }

    /// A line of the registry of issuers but for the outbox.
    struct IssuerLine: Equatable, Sendable {
        var start: Nonce
        var count: UInt64
        var name: String
    }

    /// A key, for faults that lose one.
    enum Key: CaseIterable, Sendable {
        case epoch, sequence, log, directory, nodes, restored, issuers
    }

    /// The process that serves this data.
    var runID: String
    /// Its civil time, in microseconds since 1970.
    var time: Int64 = 0

    var serving: Serving?
    var sequence: UInt64?
    var log: [LogItem] = []
    var directoryEpoch: Epoch?
    var directory: [UInt32: Int] = [:]
    private(set) var chunks: [ChunkName: Chunk] = [:]
    var nodesEpoch: Epoch?
    var nodes: [String: Grant] = [:]
    var restored: [String: String] = [:]
    var issuers: [Nonce: IssuerLine] = [:]
    private(set) var requests: [String: Request] = [:]
    /// The field of the registry that says why the epoch ended.
    var damage: EpochDamage?
    /// Keys that hold what no script writes, or are of another type.
    private(set) var spoiledKeys: Set<Key> = []
    /// Periods whose number of bytes in the directory is none.
    private(set) var spoiledPeriods: Set<UInt32> = []
    /// Chunks that are of another type.
    private(set) var spoiledChunks: Set<ChunkName> = []

    init(runID: String) { self.runID = runID }

    var milliseconds: Int64 { time / 1000 }

    /// What every script asks first.
    var current: Serving? {
        guard spoiledKeys.isDisjoint(with: [.epoch, .sequence, .directory, .nodes]),
            let serving, serving.runID == runID, nodesEpoch == serving.nonce, directoryEpoch == serving.nonce,
            sequence != nil
        else { return nil }
        return serving
    }

    /// Lets go of keys whose time is over.
    mutating func expire() {
        let now = milliseconds
        for (name, chunk) in chunks where chunk.expiry <= now { chunks[name] = nil }
        for (id, request) in requests where request.expiry <= now { requests[id] = nil }
    }

    mutating func delete(_ key: Key) {
        switch key {
        case .epoch: serving = nil
        case .sequence: sequence = nil
        case .log: log = []
        case .directory: (directoryEpoch, directory, spoiledPeriods) = (nil, [:], [])
        case .nodes: (nodesEpoch, nodes, damage) = (nil, [:], nil)
        case .restored: restored = [:]
        case .issuers: issuers = [:]
        }
        spoiledKeys.remove(key)
    }

    mutating func delete(_ chunk: ChunkName) {
        chunks[chunk] = nil
        spoiledChunks.remove(chunk)
    }

    /// Puts something else in the place of a key.
    mutating func spoil(_ key: Key) {
        delete(key)
        spoiledKeys.insert(key)
    }

    /// Puts something else in the place of a chunk, without an expiry.
    mutating func spoil(_ chunk: ChunkName) {
        chunks[chunk] = nil
        spoiledChunks.insert(chunk)
    }

    /// Writes over a period's number of bytes: with what is no number, or with this one.
    mutating func spoil(_ period: UInt32, with bytes: Int? = nil) {
        directory[period] = bytes
        if bytes == nil { spoiledPeriods.insert(period) } else { spoiledPeriods.remove(period) }
    }

    /// Writes over bytes of a chunk, or adds to it.
    mutating func overwrite(_ chunk: ChunkName, at offset: Int, with bytes: [UInt8]) {
        guard var written = chunks[chunk] else { return }
        let end = min(offset + bytes.count, written.bytes.count)
        written.bytes.replaceSubrange(min(offset, end)..<end, with: bytes)
        chunks[chunk] = written
    }

    mutating func deleteAll() {
        for key in Key.allCases { delete(key) }
        chunks = [:]
        spoiledChunks = []
        requests = [:]
    }

    // MARK: Commands

    /// HGETALL of the directory.
    var liveDirectory: LiveDirectory {
        LiveDirectory(epoch: directoryEpoch, bytes: directory, isReadable: spoiledPeriods.isEmpty)
    }

    /// A page as a node reads it; nil where a key of another type stands in its place.
    mutating func readPage(_ page: LivePage) -> [UInt8]? {
        spoiledChunks.contains(ChunkName(period: page.period, number: page.chunk)) ? nil : self.page(page)
    }

    /// GETRANGE of a chunk.
    mutating func page(_ page: LivePage, count: Int = LivePage.pageBytes) -> [UInt8] {
        expire()
        let bytes = chunks[ChunkName(period: page.period, number: page.chunk)]?.bytes ?? []
        guard page.offset < bytes.count else { return [] }
        return Array(bytes[page.offset..<min(bytes.count, page.offset + count)])
    }

    /// The bytes of the live set, chunk by chunk.
    var liveBytes: [[UInt8]] {
        let names = chunks.keys.sorted { ($0.period, $0.number) < ($1.period, $1.number) }
        return names.compactMap { chunks[$0]?.bytes }
    }

    // MARK: For the scripts

    mutating func remember(_ id: String, at position: FeedPosition, for seconds: Int64) {
        requests[id] = Request(position: position, expiry: milliseconds + seconds * 1000)
    }

    /// Nil where a key of another type stands in its place.
    func chunkLength(_ name: ChunkName) -> Int? {
        spoiledChunks.contains(name) ? nil : chunks[name]?.bytes.count ?? 0
    }

    /// APPEND, and EXPIREAT for what is new.
    mutating func append(_ bytes: [UInt8], to name: ChunkName, expiringAtSeconds expiry: Int64) {
        if chunks[name] != nil {
            chunks[name]?.bytes += bytes
        } else if expiry * 1000 > milliseconds {
            chunks[name] = Chunk(bytes: bytes, expiry: expiry * 1000)
        }
    }

    /// RENAMENX, or APPEND and DEL where there is one of that name.
    mutating func move(_ name: ChunkName, to target: ChunkName) {
        guard let moved = chunks.removeValue(forKey: name) else { return }
        if chunks[target] == nil { chunks[target] = moved } else { chunks[target]?.bytes += moved.bytes }
    }

    /// The registry as a reply holds it.
    var registry: Registry {
        Registry(
            entries: nodes.sorted { $0.key < $1.key }.map { node, grant in
                Registry.Entry(
                    node: node, applied: grant.applied, grantedMilliseconds: grant.grantedMilliseconds,
                    lease: .milliseconds(grant.leaseMilliseconds), version: grant.version)
            })
    }

    /// The periods of which anything is known, in order.
    var periods: [UInt32] { Set(chunks.keys.map(\.period)).union(directory.keys).union(spoiledPeriods).sorted() }
}
