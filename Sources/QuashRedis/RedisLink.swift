import QuashLoop

/// What a link tells its user, on the link's loop.
protocol RedisLinkUser: AnyObject {
    /// The handshake is over; commands can be written.
    func linkCameUp(_ link: RedisLink)
    /// A reply came that does not belong to the handshake.
    func link(_ link: RedisLink, received reply: RESPValue)
    /// The connection was lost, or an attempt to make one failed. Another attempt follows.
    func link(_ link: RedisLink, lost error: RedisError)
}

/// Drives a `LinkMachine`: one connection at a time, to Redis or to a sentinel that is asked for it, greeted, decoded,
/// and made again when it is lost.
final class RedisLink {
    private let loop: Loop
    private let options: RedisOptions
    private weak let user: (any RedisLinkUser)?
    private var machine: LinkMachine
    private var timer: Timer?
    private var connection: Connection?
    /// That of `connection`; it goes with it.
    private var reader: RESPReader?

    init(on loop: Loop, options: RedisOptions, user: any RedisLinkUser) {
        self.loop = loop
        self.options = options
        self.user = user
        machine = LinkMachine(options)
        timer = Timer(on: loop) { [weak self] in self?.deadlineReached() }
    }

    deinit {
        close()
    }

    var isUp: Bool { machine.isUp }
    var generation: UInt64 { machine.generation }

    /// The server that the link is up with.
    var server: Endpoint? { machine.server }

    func start() {
        connect(to: machine.start(now: loop.now))
    }

    /// Writes a command on the connection that is up.
    ///
    /// - Returns: false when no byte of it was written, because too many wait already.
    /// - Throws: `.unavailable`; no byte of it was written.
    func write(_ command: [UInt8]) throws(RedisError) -> Bool {
        guard let connection, machine.isUp else {
            throw RedisError(.unavailable, "there is no connection to \(machine.peer)")
        }
        guard connection.queuedBytes + command.count <= RedisLimits.maxQueuedBytes else { return false }
        connection.write(command)
        return true
    }

    /// Gives the connection up, tells the user, and waits before the next attempt; but a sentinel is followed by the
    /// next one.
    func drop(_ error: RedisError) {
        guard connection != nil else { return }
        disconnect()
        switch machine.lost(error, now: loop.now, random: UInt64.random(in: .min ... .max)) {
        case .nothing: break
        case .connect(let endpoint): connect(to: endpoint)
        case .tell(let error):
            arm()
            user?.link(self, lost: error)
        }
    }

    /// Ends the link; nothing is told to the user any more.
    func close() {
        machine.close()
        timer?.close()
        timer = nil
        disconnect()
    }

    private func disconnect() {
        let connection = connection
        self.connection = nil
        reader = nil
        connection?.close()
    }

    private func connect(to endpoint: Endpoint) {
        reader = RESPReader()
        connection = Connection.connect(
            on: loop, to: endpoint, tls: options.tls, timeout: options.connectTimeout,
            limits: ConnectionLimits(maxQueuedBytes: RedisLimits.maxQueuedBytes), delegate: self)
        arm()
    }

    private func deadlineReached() {
        switch machine.deadlineReached(now: loop.now) {
        case .nothing: arm()
        case .connect(let endpoint): connect(to: endpoint)
        case .drop(let error): drop(error)
        }
    }

    private func arm() {
        if let deadline = machine.deadline {
            timer?.start(after: deadline - loop.now)
        } else {
            timer?.stop()
        }
    }

    private func received(_ reply: RESPValue) {
        switch machine.received(reply, now: loop.now) {
        case .nothing: break
        case .connect(let endpoint):
            disconnect()
            connect(to: endpoint)
        case .becameUp:
            arm()
            user?.linkCameUp(self)
        case .deliver: user?.link(self, received: reply)
        case .deliverAndDrop(let error):
            user?.link(self, received: reply)
            drop(error)
        case .drop(let error): drop(error)
        }
    }
}

@available(*, unavailable)
extension RedisLink: Sendable {}

// A connection that was dropped still reports its end, so each of these asks first whether it is the one in use.
extension RedisLink: ConnectionDelegate {
    func connectionOpened(_ connection: Connection) {
        guard connection === self.connection else { return }
        for command in machine.opened() { connection.write(command.encoded) }
    }

    func connection(_ connection: Connection, received bytes: UnsafeRawBufferPointer) {
        guard connection === self.connection else { return }
        do throws(RedisError) {
            unsafe try reader?.feed(bytes)
            // Whoever gets a reply may drop or close this link, and then the reader is gone with the connection.
            while let reply = try reader?.next() { received(reply) }
        } catch {
            drop(error)
        }
    }

    func connectionDrained(_ connection: Connection) {}

    func connectionClosed(_ connection: Connection, because reason: LoopError?) {
        guard connection === self.connection else { return }
        // Without a reason it would be this side that closed, and that is done in `drop` and `close` alone.
        let words = reason?.description ?? "the connection closed"
        drop(RedisError(.unavailable, "\(machine.peer): \(words)"))
    }
}
