package import QuashLoop

/// Sends commands to one Redis over one connection, in order and without waiting for each other's replies, and connects
/// again by itself whenever the connection is lost. Everything happens on its loop.
///
/// A command that is sent while there is no connection fails at once. It is not kept for later: a lease counts from the
/// moment of sending, and a caller with a deadline decides better itself. One that is sent while very many wait for
/// their replies waits its turn, because Redis is there and answers.
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
    private var waiting = WaitingCommands<Request>()
    private var deadlineTimer: Timer?
    private var armedFor: LoopInstant?
    /// When a deadline had passed at the last look; nil when none had. What has arrived is read once more before that
    /// counts.
    private var lookedAt: LoopInstant?
    /// Failures whose commands were never sent; they are told in the next turn of the loop.
    private var refused: [CommandPipeline<Request>.Failure] = []
    private var refusalTimer: Timer?

    private struct Request {
        let name: String
        let bytes: [UInt8]
        let timeout: Duration
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
        refused += pipeline.lost(because: "this side closed it") + waiting.lost()
        if !refused.isEmpty { refusalTimer?.start(after: .zero) }
    }

    /// Sends a command, after those that wait already.
    ///
    /// - Parameters:
    ///   - timeout: from the sending to the reply. A command that waits longer ends the connection, and with it fail
    ///     all that wait on it: replies come in order, so none could be told from the next any more. Before it is sent
    ///     it may wait, as long as Redis answers others.
    ///   - completion: called exactly once, on the loop, never before this call returns. An error of the server is a
    ///     failure with the code `.server`; inside an array it stays a value.
    package func send(_ command: RedisCommand, timeout: Duration, completion: @escaping Completion) {
        let request = Request(
            name: command.description, bytes: command.encoded, timeout: timeout, completion: completion)
        do throws(RedisError) {
            guard let link else { throw RedisError(.unavailable, "the connection to Redis was closed by this side") }
            guard request.bytes.count <= RedisLimits.maxQueuedBytes else {
                throw RedisError(.overloaded, "a command of \(request.bytes.count) bytes is too long")
            }
            if waiting.isEmpty, !pipeline.isFull, try link.write(request.bytes) {
                pipeline.sent(request, deadline: loop.now + timeout)
            } else if !waiting.append(request, bytes: request.bytes.count) {
                throw RedisError(.overloaded, "\(waiting.count) commands wait already until Redis has answered others")
            }
            arm()
        } catch {
            refused.append(CommandPipeline.Failure(request: request, error: error))
            refusalTimer?.start(after: .zero)
        }
    }

    /// Sends what waits, as far as the connection takes it. Where it takes nothing, something on it waits for a reply,
    /// after which this is called.
    private func sendWaiting() {
        while let next = waiting.next, !pipeline.isFull, (try? link?.write(next.bytes)) == true {
            _ = waiting.removeNext()
            pipeline.sent(next, deadline: loop.now + next.timeout)
        }
        arm()
    }

    private func deadlineReached() {
        armedFor = nil
        let now = loop.now
        // Timers come before what has arrived: a loop that was busy must not take its own delay for that of Redis. So a
        // command is late that was late at the last look, and whose reply has not arrived since.
        let failures = lookedAt.map { pipeline.deadlineReached(now: $0) } ?? []
        lookedAt = nil
        if let first = failures.first {
            link?.drop(RedisError(.timedOut, "Redis did not answer \(first.request.name) in time"))
        } else if let deadline = pipeline.earliestDeadline, deadline <= now {
            lookedAt = now
            armedFor = deadline
            deadlineTimer?.start(after: .milliseconds(1))
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
            request.completion(.failure(RedisError(reply: text, to: request.name)))
        } else {
            request.completion(.success(reply))
        }
        sendWaiting()
    }

    func link(_ link: RedisLink, lost error: RedisError) {
        lookedAt = nil
        let failures = pipeline.lost(because: error.description) + waiting.lost()
        stateChanged(.down(error))
        tell(failures)
    }
}
