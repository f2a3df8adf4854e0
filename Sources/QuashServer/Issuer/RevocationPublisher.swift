import Logging
import Quash
import QuashCrypto
import QuashRedis

/// Commits revocations to the feed, and opens a new epoch where none is open.
final class RevocationPublisher {
    private static let timeout: Duration = .seconds(2)
    /// How often the epoch may turn out to be another before the caller is told to come back later.
    private static let maxAttempts = 3

    private let client: RedisClient
    private let log: Logger
    private var epoch: Epoch?
    private var opening: [(Result<Epoch, any Error>) -> Void] = []

    init(client: RedisClient, log: Logger) {
        self.client = client
        self.log = log
    }

    typealias Answer = (Result<FeedPosition, any Error>) -> Void

    /// Commits `revocations`, in the order given.
    ///
    /// - Parameter requestID: a retry with the same one is answered as the first was, and stores nothing; empty for
    ///   none.
    /// - Parameter isAwaited: whether every validator shall report at once that it has applied them.
    /// - Parameter answer: the position of the last commit; or why it is not known to be stored, in which case the same
    ///   call may be made again.
    func publish(
        _ revocations: [Revocation], requestID: String = "", isAwaited: Bool = false, answer: @escaping Answer
    ) {
        precondition(!revocations.isEmpty, "nothing to revoke")
        let commits = stride(from: 0, to: revocations.count, by: RevocationCodec.maxRevocationsPerCommit).map { start in
            Array(revocations[start..<min(start + RevocationCodec.maxRevocationsPerCommit, revocations.count)])
        }
        commit(commits[...], part: 0, requestID, isAwaited, answer)
    }

    private func commit(
        _ commits: ArraySlice<[Revocation]>, part: Int, _ requestID: String, _ isAwaited: Bool,
        _ answer: @escaping Answer
    ) {
        guard let first = commits.first else { preconditionFailure("no commit") }
        let partID = requestID.isEmpty || part == 0 ? requestID : "\(requestID)/\(part)"
        // Only the last is awaited: whoever has applied it has applied those before it.
        let isAwaited = isAwaited && commits.count == 1
        store(first, partID, isAwaited, attempt: 1) { [weak self] result in
            guard let self, case .success = result, commits.count > 1 else { return answer(result) }
            commit(commits.dropFirst(), part: part + 1, requestID, isAwaited, answer)
        }
    }

    private func store(
        _ revocations: [Revocation], _ requestID: String, _ isAwaited: Bool, attempt: Int, _ answer: @escaping Answer
    ) {
        guard attempt <= Self.maxAttempts else { return answer(.failure(FeedUnavailable())) }
        guard let epoch else {
            return open { [weak self] result in
                switch result {
                case .success: self?.store(revocations, requestID, isAwaited, attempt: attempt + 1, answer)
                case .failure(let error): answer(.failure(error))
                }
            }
        }
        let arguments = FeedScript.revokeArguments(
            epoch: epoch, request: requestID, isAwaited: isAwaited, revocations)
        client.eval(FeedScript.revoke, keys: FeedScript.keys, arguments: arguments, timeout: Self.timeout) {
            [weak self] result in
            do {
                switch try RevokeReply(try result.get()) {
                case .stored(let position): return answer(.success(position))
                case .elsewhere(let other): self?.epoch = other
                case .recovering: self?.epoch = nil
                }
            } catch {
                return answer(.failure(error))
            }
            self?.store(revocations, requestID, isAwaited, attempt: attempt + 1, answer)
        }
    }

    /// Makes sure that an epoch is open. Any number of issuers may do this at once: one opens it, the others learn
    /// which.
    ///
    /// In a Redis that may not hold revocations none is opened. The two commands go over one connection: if it is lost
    /// between them, the second fails.
    func open(answer: @escaping (Result<Epoch, any Error>) -> Void) {
        opening.append(answer)
        guard opening.count == 1 else { return }
        client.readServerFacts(timeout: Self.timeout) { [weak self] result in
            guard let self else { return }
            do {
                let refusals = try result.get().refusals
                guard refusals.isEmpty else { throw UnfitRedis(refusals: refusals) }
                openFitRedis()
            } catch {
                opened(.failure(error))
            }
        }
    }

    private func openFitRedis() {
        let bytes = Random.bytes(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        guard let nonce = Epoch(hexadecimal(bytes)) else { preconditionFailure("an epoch is 16 hexadecimal digits") }
        let arguments = FeedScript.openArguments(nonce: nonce)
        client.eval(FeedScript.open, keys: FeedScript.keys, arguments: arguments, timeout: Self.timeout) {
            [weak self] result in self?.opened(Result { try OpenReply(try result.get()) })
        }
    }

    private func opened(_ result: Result<OpenReply, any Error>) {
        if case .success(let reply) = result {
            if reply.isNew { log.notice("opened a new epoch", metadata: ["epoch": "\(reply.epoch)"]) }
            epoch = reply.epoch
        }
        let waiting = opening
        opening = []
        for answer in waiting { answer(result.map(\.epoch)) }
    }
}

/// Redis says of itself that it may lose revocations.
struct UnfitRedis: Error, CustomStringConvertible {
    let refusals: [String]

    var description: String { refusals.joined(separator: "; ") }
}

/// The feed changed hands more often than one request may wait for.
struct FeedUnavailable: Error, CustomStringConvertible {
    var description: String { "the feed is being recovered: try again in a few seconds" }
}
