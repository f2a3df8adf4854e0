package import QuashLoop

/// Sends commands to one Redis over one connection, in order and without waiting for each other's replies, and connects
/// again by itself whenever the connection is lost. Everything happens on its loop.
///
/// A command that is sent while there is no connection fails at once. It is not kept for later: a lease counts from the
/// moment of sending, a caller with a deadline decides better itself, and a queue would need a limit of its own.
package final class RedisClient {
    /// Called once, on the loop, with the reply or why there is none.
    package typealias Completion = (Result<RESPValue, RedisError>) -> Void

    /// Whether there is a connection.
    package enum State: Equatable, Sendable {
        /// Commands can be sent. `generation` counts the connections, from 1.
        case up(generation: UInt64)
        /// There is no connection, for this reason; reported again after each attempt that fails.
        case down(RedisError)
    }

    let loop: Loop
    let location: RedisLocation
    private let stateChanged: (State) -> Void
    private var link: RedisLink?
    private var pipeline = CommandPipeline<Request>()
    private var deadlineTimer: Timer?
    private var armedFor: LoopInstant?
    /// Failures whose commands were never sent; they are told in the next turn of the loop.
    private var refused: [CommandPipeline<Request>.Failure] = []
    private var refusalTimer: Timer?

    private struct Request {
        let command: String
        let completion: Completion
    }

    /// - Parameter stateChanged: called on the loop, never after `close()`.
    package init(on loop: Loop, options: RedisOptions, stateChanged: @escaping (State) -> Void = { _ in }) {
        self.loop = loop
        location = options.location
        self.stateChanged = stateChanged
        link = RedisLink(on: loop, options: options, user: self)
        deadlineTimer = Timer(on: loop) { [weak self] in self?.deadlineReached() }
        refusalTimer = Timer(on: loop) { [weak self] in self?.tellRefused() }
    }

    deinit {
        close()
        tellRefused()
    }

    package var isUp: Bool { link?.isUp ?? false }

    /// The server that the connection is to; nil while there is none.
    package var server: Endpoint? { link?.server }

    /// Counts the connections that came up: what a completion captured before it tells whether the reply it brings came
    /// over the same connection as another.
    package var generation: UInt64 { link?.generation ?? 0 }

    /// Begins to connect. Once.
    package func start() {
        link?.start()
    }

    /// Closes the connection for good. What waits for a reply fails with `.lost`.
    package func close() {
        guard let link else { return }
        self.link = nil
        link.close()
        deadlineTimer?.close()
        refused += pipeline.lost(because: "this side closed it")
        if !refused.isEmpty { refusalTimer?.start(after: .zero) }
    }

    /// Sends a command.
    ///
    /// - Parameters:
    ///   - timeout: from now to the reply. A command that waits longer ends the connection, and with it fail all that
    ///     wait on it: replies come in order, so none could be told from the next any more.
    ///   - completion: called exactly once, on the loop, never before this call returns. An error of the server is a
    ///     failure with the code `.server`; inside an array it stays a value.
    package func send(_ command: RedisCommand, timeout: Duration, completion: @escaping Completion) {
        send(command, deadline: loop.now + timeout, completion: completion)
    }

    func send(_ command: RedisCommand, deadline: LoopInstant, completion: @escaping Completion) {
        let request = Request(command: command.description, completion: completion)
        do throws(RedisError) {
            guard let link else { throw RedisError(.unavailable, "the connection to Redis was closed by this side") }
            guard !pipeline.isFull else {
                throw RedisError(
                    .overloaded, "\(RedisLimits.maxPendingReplies) commands wait already for an answer of Redis")
            }
            try link.write(command)
        } catch {
            refused.append(CommandPipeline.Failure(request: request, error: error))
            refusalTimer?.start(after: .zero)
            return
        }
        pipeline.sent(request, deadline: deadline)
        arm()
    }

    private func deadlineReached() {
        armedFor = nil
        let failures = pipeline.deadlineReached(now: loop.now)
        if let first = failures.first {
            link?.drop(RedisError(.timedOut, "Redis did not answer \(first.request.command) in time"))
        }
        tell(failures)
        arm()
    }

    /// Starts the timer anew only for an earlier deadline: at a later one it finds out by itself what is next.
    private func arm() {
        guard let deadline = pipeline.earliestDeadline, armedFor.map({ deadline < $0 }) ?? true else { return }
        armedFor = deadline
        deadlineTimer?.start(after: deadline - loop.now)
    }

    private func tell(_ failures: [CommandPipeline<Request>.Failure]) {
        for failure in failures { failure.request.completion(.failure(failure.error)) }
    }

    private func tellRefused() {
        let refused = refused
        self.refused = []
        tell(refused)
    }
}

@available(*, unavailable)
extension RedisClient: Sendable {}

extension RedisClient: RedisLinkUser {
    func linkCameUp(_ link: RedisLink) {
        stateChanged(.up(generation: link.generation))
    }

    func link(_ link: RedisLink, received reply: RESPValue) {
        guard let request = pipeline.received() else {
            link.drop(RedisError(.protocolViolation, "Redis sent a reply that nobody waits for"))
            return
        }
        if case .error(let text) = reply {
            request.completion(.failure(RedisError(reply: text, to: request.command)))
        } else {
            request.completion(.success(reply))
        }
    }

    func link(_ link: RedisLink, lost error: RedisError) {
        let failures = pipeline.lost(because: error.description)
        stateChanged(.down(error))
        tell(failures)
    }
}
