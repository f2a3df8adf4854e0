import Logging
import Quash
import QuashCrypto
import QuashHTTP
import QuashJWT
import QuashLoop
import Synchronization

/// Gets the issuer's key set, from a file or a URL, and gets it again: at intervals, when asked, when an issuer says on
/// the feed that it changed, and when a token names a key that is not there. Keys that were loaded stay in use while
/// the source does not answer.
final class KeyLoader: Sendable {
    /// After an unknown key, at most one new fetch in this time, however many tokens name one.
    static let unknownKeyInterval: Duration = .seconds(10)
    /// However often an issuer, or whoever can write to Redis, says that the keys have changed.
    static let changeInterval: Duration = .seconds(1)
    /// Milliseconds: a fleet that hears it at once does not ask at once, which would keep an issuer with TLS from
    /// everything else. Who is shown a token of a new key does not wait for that.
    private static let changeSpread = 0...1000
    private static let refreshInterval: Duration = .seconds(300)
    private static let retryInterval: Duration = .seconds(1)
    private static let fetchTimeout: Duration = .seconds(5)

    private final class State {
        var client: HTTPClient?
        var timer: Timer?
        var isFetching = false
        var hasChanged = false
        /// A fetch failed, and the next is due.
        var isRetrying = false
        /// What the last fetch failed with, which is told once; nil when it did not.
        var failure: String?
        var lastFetch: BootInstant?
        var keys: KeySet?
        var deliver: (KeySet) -> Void = { _ in }
    }

    private let source: ValidatorConfiguration.KeySource
    private let tls: TLSContext?
    private let thread: LoopThread
    private let log: Logger
    private let state = LoopBound(State())
    private let keyCount = Atomic(0)
    private let isUnknownKeyNoted = Atomic(false)

    /// - Throws: what is wrong with the file, so that a mistake shows at the start; a URL may come to answer later.
    init(_ source: ValidatorConfiguration.KeySource, on thread: LoopThread, log: Logger) throws {
        self.source = source
        self.thread = thread
        self.log = log
        switch source {
        case .file(let path):
            tls = nil
            state.value.keys = try Self.read(path)
        case .url(let url, let authorities):
            let trust = authorities.map { TLSContext.Trust.certificateAuthorities(path: $0) } ?? .systemRoots
            tls = url.isSecure ? try .client(trust: trust) : nil
        }
    }

    /// Keys that are in use.
    var count: Int { keyCount.load(ordering: .acquiring) }
    var isLoaded: Bool { count > 0 }

    /// - Parameter deliver: called on the loader's thread with every new key set.
    func start(deliver: @escaping @Sendable (KeySet) -> Void) {
        thread.submit { [self] loop in
            state.value.client = HTTPClient(on: loop, tls: tls)
            state.value.deliver = deliver
            state.value.timer = Timer(on: loop) { [self] in load() }
            if let keys = state.value.keys { use(keys) } else { load() }
        }
    }

    func stop() {
        thread.submit { [state] _ in
            state.value.timer?.close()
            state.value.timer = nil
            state.value.client = nil
        }
    }

    func reload() { thread.submit { [self] _ in load() } }

    /// A token named a key that is not in the set. Thread-safe; costs one atomic operation in all but one case.
    func noteUnknownKey() {
        guard !isUnknownKeyNoted.exchange(true, ordering: .relaxed) else { return }
        thread.submit { [self] _ in
            // A look that is due sooner stays.
            guard !state.value.isRetrying else { return }
            if state.value.hasChanged {
                if !state.value.isFetching { state.value.timer?.start(after: changeDelay) }
                return
            }
            let elapsed = state.value.lastFetch.map { ClockReading.now().boot - $0 } ?? Self.unknownKeyInterval
            state.value.timer?.start(after: max(.zero, Self.unknownKeyInterval - elapsed))
        }
    }

    /// The issuer's keys may have changed. Thread-safe.
    func noteChange() {
        thread.submit { [self] _ in
            guard !state.value.hasChanged else { return }
            state.value.hasChanged = true
            // What is on its way may have been written before the change.
            if !state.value.isFetching { state.value.timer?.start(after: changeDelay) }
        }
    }

    private var changeDelay: Duration {
        let elapsed = state.value.lastFetch.map { ClockReading.now().boot - $0 } ?? Self.changeInterval
        let isWanted = isUnknownKeyNoted.load(ordering: .relaxed)
        return max(isWanted ? .zero : .milliseconds(Int.random(in: Self.changeSpread)), Self.changeInterval - elapsed)
    }

    private func load() {
        guard !state.value.isFetching, let client = state.value.client else { return }
        state.value.lastFetch = ClockReading.now().boot
        state.value.hasChanged = false
        state.value.isRetrying = false
        isUnknownKeyNoted.store(false, ordering: .relaxed)
        switch source {
        case .file(let path):
            do { use(try Self.read(path)) } catch { failed("\(error)") }
        case .url(let url, _):
            state.value.isFetching = true
            let request = HTTPClient.Request(
                .get, url, timeout: Self.fetchTimeout, maxBodyBytes: JWTLimits.maxKeySetBytes)
            client.send(request) { [self] result in
                state.value.isFetching = false
                fetched(result)
            }
        }
    }

    private func fetched(_ result: Result<HTTPResponse, HTTPError>) {
        switch result {
        case .failure(let error): failed("\(error)")
        case .success(let response):
            guard response.status == .ok else { return failed("answered \(response.status)") }
            do { use(try KeySet(parsing: response.body.span)) } catch { failed("\(error)") }
        }
    }

    private func use(_ keys: KeySet) {
        guard !keys.keys.isEmpty else { return failed("the key set has no key that RS256 can be verified with") }
        state.value.failure = nil
        if keys != state.value.keys || !isLoaded {
            let names = keys.keys.map(\.keyID).joined(separator: " ")
            log.record(.keysLoaded, ["kids": "\(names)"])
            state.value.keys = keys
            state.value.deliver(keys)
            keyCount.store(keys.keys.count, ordering: .releasing)
        }
        // A key that became unknown while this was on its way may be in the next set.
        let isWanted = isUnknownKeyNoted.load(ordering: .relaxed)
        let pause = isWanted ? Self.unknownKeyInterval : Self.refreshInterval
        state.value.timer?.start(after: state.value.hasChanged ? changeDelay : pause)
    }

    private func failed(_ reason: String) {
        if reason != state.value.failure { log.record(.keysFailed, ["error": "\(reason)"]) }
        state.value.failure = reason
        state.value.isRetrying = true
        state.value.timer?.start(after: Self.retryInterval)
    }

    private static func read(_ path: String) throws -> KeySet {
        let bytes: [UInt8]
        do {
            bytes = try PlainFile.read(path: path, maxBytes: JWTLimits.maxKeySetBytes)
            return try KeySet(parsing: bytes.span)
        } catch {
            throw StartFailure("jwks-file: \(path): \(error)")
        }
    }
}
