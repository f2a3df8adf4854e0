import Quash

/// What `RedisSubscriber` is to a role: a connection of its own for one channel, subscribed again whenever it is lost.
final class Subscription {
    enum Channel {
        case feed, acknowledgements
    }

    enum Payload {
        case feed(FeedMessage)
        case acknowledgement(Acknowledgement)
    }

    enum Event {
        case subscribed
        case message(FeedMessage)
        case acknowledgement(Acknowledgement)
        case malformed
    }

    private let machine: Machine
    private let life: Int
    private let channel: Channel
    private unowned let world: World
    private let heard: (Event) -> Void
    private(set) var wire: Wire?
    private var isClosed = false
    private var attempt = 0
    private var failures = 0

    init(_ machine: Machine, to channel: Channel, in world: World, heard: @escaping (Event) -> Void) {
        self.machine = machine
        life = machine.life
        self.channel = channel
        self.world = world
        self.heard = heard
    }

    func start() { connect() }

    func close() {
        isClosed = true
        wire?.closeByClient()
        wire?.lost = {}
        wire = nil
    }

    private func connect() {
        guard !isClosed else { return }
        attempt += 1
        let number = attempt
        let redis = world.route(machine)
        machine.after(world.settings.answerTimeout) { [self] in
            if attempt == number, wire == nil { retry() }
        }
        guard world.cutEnd(machine, redis) == nil, !redis.machine.isFrozen else { return }
        machine.after(2 * world.delay()) { [self] in
            guard attempt == number, wire == nil, !isClosed else { return }
            guard redis.isAccepting else { return retry() }
            let wire = Wire(machine, to: redis, in: world)
            self.wire = wire
            wire.lost = { [self] in dropped(wire) }
            wire.send { [self] in
                redis.subscribed(self, on: wire)
                wire.reply { [self] in
                    failures = 0
                    heard(.subscribed)
                }
            }
        }
    }

    private func dropped(_ lost: Wire) {
        guard wire === lost else { return }
        lost.lost = {}
        wire = nil
        retry()
    }

    private func retry() {
        attempt += 1
        machine.after(world.backoff(after: failures)) { [self] in connect() }
        failures += 1
    }

    /// On the server's side: to this client, if it has subscribed to such messages.
    func publish(_ payload: Payload) {
        // Redis may not have noticed that the process is gone.
        guard life == machine.life else { return }
        let event: Event
        switch (payload, channel) {
        case (.feed(let message), .feed): event = .message(message)
        case (.acknowledgement(let message), .acknowledgements): event = .acknowledgement(message)
        default: return
        }
        let mood = world.mood(of: machine)
        if mood.drops, world.random.once(in: 2) { return }
        if mood.garbles, world.random.once(in: 4) { wire?.reply { [self] in heard(.malformed) } }
        wire?.reply { [self] in heard(event) }
        // Late, again, and out of order: as from an old connection, or a program that publishes what it once heard.
        if mood.repeats, world.random.once(in: 2) {
            machine.after(world.random.number(0...(300 * .millisecond))) { [self] in
                if !isClosed { heard(event) }
            }
        }
    }
}
