package import QuashLoop

/// Listens to channels of one Redis over a connection of its own, and subscribes again by itself whenever that is lost.
/// Everything happens on its loop.
///
/// What was published between a `lost` and the next `subscribed` is gone. Whoever must not miss it asks for it after
/// every `subscribed`.
package final class RedisSubscriber {
    /// What happens to the subscription.
    package enum Event: Equatable, Sendable {
        /// From here on every message is delivered while this connection lasts. `generation` counts the connections.
        case subscribed(generation: UInt64)
        case message(channel: [UInt8], payload: [UInt8])
        /// The connection was lost, or another attempt failed.
        case lost(RedisError)
    }

    private let loop: Loop
    private let channels: [String]
    private let timing: SubscriptionTiming
    private let heard: (Event) -> Void
    private var link: RedisLink?
    private var machine: SubscriptionMachine?
    private var timer: Timer?
    private var armedFor: LoopInstant?

    /// - Parameters:
    ///   - channels: at least one, each once.
    ///   - heard: called on the loop, never after `close()`; messages inside the read callback that brought them.
    package init(
        on loop: Loop, options: RedisOptions, channels: [String], timing: SubscriptionTiming = SubscriptionTiming(),
        heard: @escaping (Event) -> Void
    ) {
        self.loop = loop
        self.channels = channels
        self.timing = timing
        self.heard = heard
        link = RedisLink(on: loop, options: options, user: self)
        timer = Timer(on: loop) { [weak self] in self?.deadlineReached() }
    }

    deinit {
        close()
    }

    /// Begins to connect. Once.
    package func start() {
        link?.start()
    }

    /// Closes the connection for good.
    package func close() {
        link?.close()
        link = nil
        machine = nil
        timer?.close()
    }

    private func perform(_ action: SubscriptionMachine.Action) {
        guard let link else { return }
        switch action {
        case .nothing: break
        case .send(let command): write(command)
        case .subscribed: heard(.subscribed(generation: link.generation))
        case .message(let channel, let payload): heard(.message(channel: channel, payload: payload))
        case .drop(let error): link.drop(error)
        }
        arm()
    }

    private func write(_ command: RedisCommand) {
        do throws(RedisError) {
            // It waits for one reply at a time, so there is always room.
            _ = try link?.write(command.encoded)
        } catch {
            link?.drop(error)
        }
    }

    private func deadlineReached() {
        armedFor = nil
        guard let action = machine?.deadlineReached(now: loop.now) else { return }
        perform(action)
    }

    /// Every message moves the deadline to a later moment; the timer is started anew only for an earlier one, and finds
    /// out by itself what is next when it fires too soon.
    private func arm() {
        guard let deadline = machine?.deadline, armedFor.map({ deadline < $0 }) ?? true else { return }
        armedFor = deadline
        timer?.start(after: deadline - loop.now)
    }
}

@available(*, unavailable)
extension RedisSubscriber: Sendable {}

extension RedisSubscriber: RedisLinkUser {
    func linkCameUp(_ link: RedisLink) {
        let machine = SubscriptionMachine(channels: channels, timing: timing, now: loop.now)
        self.machine = machine
        perform(.send(machine.start))
    }

    func link(_ link: RedisLink, received reply: RESPValue) {
        guard let action = machine?.received(reply, now: loop.now) else { return }
        perform(action)
    }

    func link(_ link: RedisLink, lost error: RedisError) {
        machine = nil
        heard(.lost(error))
    }
}
