import Quash

/// One issuer: its outbox, its connection for commits, the observer of the fleet, and the feed that it follows.
final class IssuerProcess {
    let machine: Machine
    let link: CommandLink
    let publisher: SimulatedPublisher
    let observer: SimulatedObserver
    let follower: SimulatedFollower
    private let auditor: SimulatedAuditor?

    init(_ name: String, boot: Int, on machine: Machine, _ disk: Disk, in world: World) {
        self.machine = machine
        let outbox = SimulatedOutbox(machine, disk, in: world)
        let identity = IssuerIdentity(
            name: name, outbox: disk.outbox, start: world.start(), earlierStarts: disk.starts)
        disk.begin(identity.start)
        link = CommandLink(machine, in: world)
        publisher = SimulatedPublisher(
            FeedWriter.Settings(
                issuer: name, issuers: world.issuerNames, fence: .nanoseconds(world.schedule.fence)),
            by: identity, on: machine, link: link, outbox: outbox, disk: disk, in: world)
        observer = SimulatedObserver(on: machine, link: link, in: world)
        follower = SimulatedFollower(
            "\(Registry.issuerPrefix)\(name)/\(boot)", on: machine, outbox: outbox, in: world)
        auditor =
            world.schedule.isDamaged
            ? SimulatedAuditor(on: machine, link: link, outbox: outbox, publisher: publisher, in: world) : nil
        outbox.isClockRight = { [unowned follower] in follower.isClockRight }
        let (publisher, observer) = (publisher, observer)
        observer.issuersRead = { [unowned publisher, unowned follower, unowned machine] epoch, issuers in
            let isCaughtUp = follower.lease.holds(at: machine.now) && follower.feed.position?.epoch == epoch
            publisher.observed(issuers, isCaughtUp: isCaughtUp)
        }
        publisher.entered = { [unowned observer] in observer.entered($0, lease: $1) }
        link.stateChanged = { [unowned publisher] in publisher.connectionChanged(isUp: $0) }
        // The feed has a thread of its own.
        follower.recoveryNeeded = { [unowned publisher, unowned world] in
            machine.after(world.random.number(0...(50 * .microsecond))) { publisher.recoveryNeeded() }
        }
    }

    func start() {
        follower.start()
        link.start()
        observer.start()
        auditor?.start()
    }

    func close() {
        follower.close()
        link.close()
        observer.close()
        publisher.close()
    }
}
