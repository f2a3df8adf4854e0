import Quash
import QuashHTTP
import QuashLoop

/// A request whose token has yet to be verified, in a later turn of the loop.
protocol VerificationRequest {
    var exchange: HTTPExchange { get }
    /// What it takes in memory while it waits.
    var bytes: Int { get }

    /// Its turn has come: has its token verified and answers it.
    func proceed()
}

/// Lets the requests of one loop have signatures verified within a budget for each turn. What is beyond waits, one of
/// each connection after the other, so that a flood of forged tokens delays no other connection. A request that would
/// take too much memory to wait is refused.
final class VerificationTurns<Request: VerificationRequest> {
    /// Requests that wait for their tokens to be verified.
    static var maxWaitingBytes: Int { 16 << 20 }
    /// Beyond that, each connection may have one waiting, up to this: a flood takes no place from other connections.
    static var maxReservedBytes: Int { 2 * maxWaitingBytes }
    /// Between two turns of verification, so that the loop serves its connections meanwhile: libuv would fire a timer
    /// without a delay that restarts itself before it polls a socket.
    private static var turn: Duration { .milliseconds(1) }

    private let loop: Loop
    private let validator: Validator
    private var budget = VerificationBudget()
    private var waiting = FairQueue<ObjectIdentifier, Request>()
    private var waitingBytes = 0
    private var timer: Timer?
    /// What the validator had verified when that was last taken out of the budget.
    private var verifications: UInt64
    private var failures: UInt64

    /// - Parameter validator: what verifies, on this loop.
    init(on loop: Loop, validator: Validator) {
        self.loop = loop
        self.validator = validator
        (verifications, failures) = (validator.verifications, validator.failedVerifications)
        timer = Timer(on: loop) { [unowned self] in turnBegins() }
    }

    /// Whether a token may be verified now; otherwise its request waits, or is decided without.
    var isOpen: Bool { waiting.isEmpty && budget.allows(in: loop.turn) }

    /// Takes out of the budget what was verified since the last time.
    func settle() {
        guard validator.verifications != verifications else { return }
        let failed = validator.failedVerifications &- failures
        for _ in 0..<failed { budget.spend(failed: true) }
        for _ in failed..<(validator.verifications &- verifications) { budget.spend(failed: false) }
        (verifications, failures) = (validator.verifications, validator.failedVerifications)
    }

    /// Keeps `request` for a later turn. False when it would take too much memory.
    func wait(_ request: Request) -> Bool {
        let client = request.exchange.client
        let limit = waiting.holds(client) ? Self.maxWaitingBytes : Self.maxReservedBytes
        guard waitingBytes + request.bytes <= limit else { return false }
        waitingBytes += request.bytes
        if waiting.isEmpty { timer?.start(after: Self.turn) }
        waiting.append(request, of: client)
        return true
    }

    private func turnBegins() {
        var left = budget.limit
        while left > 0, let request = waiting.popFirst() {
            waitingBytes -= request.bytes
            guard request.exchange.isOpen else { continue }
            request.proceed()
            settle()
            left -= 1
        }
        if !waiting.isEmpty { timer?.start(after: Self.turn) }
    }
}
