import Glibc
import Histogram

/// Offers several classes of clients to one server, on one thread, and looks at every answer.
///
/// The load of clients with an open pace does not wait for the server: a request that is due while every connection is
/// busy is sent when one is free, and its latency counts from when it was due.
final class Generator {
    private struct Link {
        let clients: Int
        var descriptor: Int32 = -1
        var reader = HTTPResponseReader()
        var request = 0
        /// When the request was to be sent.
        var intended: UInt64 = 0
        var isBusy = false
    }

    private let target: Target
    private let clients: [Clients]
    private let poller: Poller
    private var links: [Link] = []
    private var idle: [[Int]]
    private var schedules: [Schedule?]
    private var outcomes: [Outcome]
    private var lastAnswers: [UInt64]
    private var nextRequest: [Int]
    private var end: UInt64 = 0
    private var busyCount = 0
    private var input = [UInt8](repeating: 0, count: 16_384)
    /// How long what is under way when the load ends may take.
    private static let drainNanoseconds: UInt64 = 5_000_000_000

    private init(_ target: Target, _ clients: [Clients], startingAt: [Int]) throws {
        self.target = target
        self.clients = clients
        poller = try Poller()
        idle = clients.map { _ in [] }
        schedules = clients.map { _ in nil }
        outcomes = clients.map { _ in Outcome() }
        lastAnswers = clients.map { _ in 0 }
        nextRequest = zip(clients, startingAt).map { $1 % $0.requests.count }
        for (number, one) in clients.enumerated() {
            for _ in 0..<one.connections {
                links.append(Link(clients: number))
                try connect(links.count - 1)
                idle[number].append(links.count - 1)
            }
        }
    }

    deinit {
        for link in links where link.descriptor >= 0 { close(link.descriptor) }
    }

    /// Runs the load for a time.
    ///
    /// - Parameter startingAt: which of its requests each class begins with; the first when not given.
    /// - Returns: an outcome for each class of clients, in order.
    static func run(
        _ target: Target, _ clients: [Clients], seconds: Double, startingAt: [Int]? = nil
    ) throws -> [Outcome] {
        let generator = try Generator(target, clients, startingAt: startingAt ?? clients.map { _ in 0 })
        try generator.run(seconds: seconds)
        return generator.outcomes
    }

    private func run(seconds: Double) throws {
        let start = monotonicNanoseconds()
        end = start + UInt64(seconds * 1e9)
        for (number, one) in clients.enumerated() {
            switch one.pace {
            case .open(let rate):
                schedules[number] = Schedule(start: start, ratePerSecond: rate, seconds: seconds)
            case .closed:
                while let link = idle[number].popLast() { try send(link, intended: monotonicNanoseconds()) }
            }
        }
        while true {
            try sendDue()
            let now = monotonicNanoseconds()
            if now >= end, busyCount == 0, schedules.allSatisfy({ $0?.nextIntended == nil }) { break }
            if now >= end + Self.drainNanoseconds { break }
            try poller.wait(nanoseconds: timeout(now)) { try readable($0) }
        }
        giveUp()
        // A class whose last answer came in time is not charged for what others wait for at the end.
        for number in clients.indices {
            outcomes[number].seconds = Double(max(lastAnswers[number], end) - start) / 1e9
        }
    }

    /// What was never answered counts as a failure, and what could not even be sent does not; both with the time that
    /// they have waited.
    private func giveUp() {
        let now = monotonicNanoseconds()
        for link in links where link.isBusy { lose(link.clients, intended: link.intended, now) }
        for number in clients.indices {
            while let intended = schedules[number]?.take(now: now) {
                outcomes[number].unsent += 1
                outcomes[number].latencies.record(now - intended)
            }
        }
    }

    private func lose(_ number: Int, intended: UInt64, _ now: UInt64) {
        outcomes[number].unanswered += 1
        outcomes[number].latencies.record(now - intended)
    }

    private func sendDue() throws {
        for number in clients.indices where schedules[number] != nil {
            while let link = idle[number].last, let intended = schedules[number]?.take(now: monotonicNanoseconds()) {
                idle[number].removeLast()
                try send(link, intended: intended)
            }
        }
    }

    /// Until something is due that could be sent.
    private func timeout(_ now: UInt64) -> UInt64 {
        var next = now < end ? end : end + Self.drainNanoseconds
        for number in clients.indices where !idle[number].isEmpty {
            if let intended = schedules[number]?.nextIntended { next = min(next, intended) }
        }
        return next > now ? next - now : 0
    }

    private func connect(_ number: Int) throws {
        if links[number].descriptor >= 0 { close(links[number].descriptor) }
        links[number].reader.next()
        links[number].descriptor = try target.connect()
        try poller.watch(links[number].descriptor, as: number)
    }

    private func send(_ number: Int, intended: UInt64) throws {
        let one = links[number].clients
        let request = nextRequest[one]
        nextRequest[one] = request + 1 == clients[one].requests.count ? 0 : request + 1
        links[number].request = request
        links[number].intended = intended
        links[number].isBusy = true
        busyCount += 1
        let bytes = clients[one].requests[request]
        let descriptor = links[number].descriptor
        // SAFETY: the pointer and the count are of one array.
        let sent = unsafe bytes.withUnsafeBytes {
            unsafe Glibc.send(descriptor, $0.baseAddress!, $0.count, Int32(MSG_NOSIGNAL))
        }
        // A request is far smaller than the buffer of a connection that waits for nothing.
        if sent != bytes.count { try broken(number) }
    }

    private func readable(_ number: Int) throws {
        let descriptor = links[number].descriptor
        // SAFETY: the pointer and the count are of one array.
        let count = unsafe input.withUnsafeMutableBytes {
            unsafe recv(descriptor, $0.baseAddress!, $0.count, 0)
        }
        guard count > 0 else {
            if count < 0, errno == EAGAIN || errno == EINTR { return }
            return try broken(number)
        }
        guard links[number].isBusy else { return try broken(number) }
        let response: HTTPResponse?
        do {
            response = try links[number].reader.read(input.span.extracting(0..<count))
        } catch {
            return try broken(number)
        }
        guard let response else { return }
        let now = monotonicNanoseconds()
        let one = links[number].clients
        outcomes[one].count(status: response.status, clients[one].expectations[links[number].request])
        outcomes[one].latencies.record(now - links[number].intended)
        lastAnswers[one] = now
        links[number].reader.next()
        if response.closes { try connect(number) }
        try free(number, now)
    }

    /// The server has ended a connection, or said what is no response: a request that was under way is lost.
    private func broken(_ number: Int) throws {
        let wasBusy = links[number].isBusy
        if wasBusy { lose(links[number].clients, intended: links[number].intended, monotonicNanoseconds()) }
        try connect(number)
        if wasBusy { try free(number, monotonicNanoseconds()) }
    }

    private func free(_ number: Int, _ now: UInt64) throws {
        links[number].isBusy = false
        busyCount -= 1
        let one = links[number].clients
        if clients[one].pace == .closed, now < end {
            try send(number, intended: now)
        } else {
            idle[one].append(number)
        }
    }
}
