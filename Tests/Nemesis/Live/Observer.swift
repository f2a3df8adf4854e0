import NemesisHistory
import Quash
import QuashLoop

/// A token under observation.
final class Token: Sendable {
    let number: Int
    let access: String
    let history = Locked(TokenHistory())

    init(number: Int, access: String) {
        self.number = number
        self.access = access
    }
}

/// Holds every answer against the history. Thread-safe.
final class Observer: Sendable {
    /// One line of the history that is written down around a violation.
    private struct Event {
        let at: BootInstant
        let sent: BootInstant?
        let token: Int
        let what: String
    }

    private struct State {
        var outages: OutageLog
        var embargo: Embargo?
        var fault = Observer.calm
        var figures: [String: Figures] = [:]
        /// 503 about tokens that were good; judged once the outages of a fault are over.
        var open: [(node: String, token: Int, request: TimeSpan)] = []
        var spans = UnavailableSpans()
        var violations: [Violation] = []
        var events: [Event] = []
        var next = 0
    }

    /// What the figures between the faults stand under.
    static let calm = "no fault"
    private static let keptEvents = 60_000

    let timing: Timing
    private let state: Locked<UncheckedBox<State>>

    init(timing: Timing) {
        self.timing = timing
        state = Locked(UncheckedBox(State(outages: OutageLog(timing: timing))))
    }

    private func with<Result>(_ body: (inout State) -> Result) -> Result { state.withLock { body(&$0.value) } }

    // MARK: Faults

    func begin(_ fault: String) {
        with {
            $0.fault = fault
            $0.figures[fault, default: Figures()].faults += 1
        }
        note("fault: \(fault)")
    }

    func end() { with { $0.fault = Self.calm } }

    func begin(_ outage: Outage) -> Int { with { $0.outages.begin(outage) } }

    func end(_ outage: Int, at end: BootInstant) { with { $0.outages.end(outage, at: end) } }

    func stalled(_ span: TimeSpan) { with { $0.outages.stalled(span) } }

    func setEmbargo(_ embargo: Embargo?) { with { $0.embargo = embargo } }

    func liftEmbargo(at now: BootInstant) { with { $0.embargo?.lifted = now } }

    func note(_ what: String) { with { Self.log(Event(at: Self.now, sent: nil, token: 0, what: what), &$0) } }

    // MARK: Answers

    func answered(_ token: Token, _ node: Node, _ answer: TokenHistory.Answer) {
        let history = token.history.withLock { $0 }
        var kind = history.violation(answer, timing: timing)
        with { state in
            Self.log(
                Event(
                    at: answer.answered, sent: answer.sent, token: token.number,
                    what: "\(node.name) \(answer.verdict)\(answer.statedMinimum ? ", minimum stated" : "")"), &state)
            switch answer.verdict {
            case .accepted:
                state.figures[state.fault, default: Figures()].accepted += 1
                if let embargo = state.embargo, kind == nil,
                    embargo.forbids(sent: answer.sent, answered: answer.answered, timing: timing)
                {
                    kind = .acceptedBeforeRestore
                }
            case .refused: state.figures[state.fault, default: Figures()].refused += 1
            case .unavailable:
                state.figures[state.fault, default: Figures()].unavailable += 1
                if !answer.statedMinimum, history.isGood(at: answer.answered) {
                    state.open.append((node.name, token.number, TimeSpan(answer.sent, answer.answered)))
                }
            }
            if !answer.statedMinimum, history.isGood(at: answer.answered) {
                let span = state.spans.answered(
                    node.name, isUnavailable: answer.verdict == .unavailable, at: answer.answered)
                let longest = state.figures[state.fault]?.longestUnavailable ?? .zero
                state.figures[state.fault]?.longestUnavailable = max(longest, span)
            }
            guard let kind else { return }
            Self.violate(
                Violation(kind, at: answer.answered, "token \(token.number) at \(node.name): \(history)"), &state)
        }
    }

    func unanswered() { with { $0.figures[$0.fault, default: Figures()].unanswered += 1 } }

    enum Outcome: Equatable {
        case stored
        case confirmed
        case unconfirmed
        case failed
    }

    func revoked(_ tokens: [Token], by what: String, _ outcome: Outcome, _ request: TimeSpan) {
        with { state in
            for token in tokens {
                Self.log(
                    Event(at: request.end, sent: request.start, token: token.number, what: "\(what): \(outcome)"),
                    &state)
            }
            var figures = state.figures[state.fault, default: Figures()]
            if outcome != .failed { figures.revocations += tokens.count }
            switch outcome {
            case .stored: break
            case .confirmed:
                figures.confirmed += 1
                figures.confirmations.append(request.end - request.start)
            case .unconfirmed: figures.unconfirmed += 1
            case .failed: figures.notStored += 1
            }
            state.figures[state.fault] = figures
        }
    }

    func violate(_ kind: Violation.Kind, _ what: String) {
        with { Self.violate(Violation(kind, at: Self.now, what), &$0) }
    }

    /// Judges the answers 503 whose outages are over.
    func settle() {
        // Outside the lock, for there may be thousands, and the clients wait for it.
        let (open, outages) = with { state in
            defer { state.open = [] }
            return (state.open, state.outages)
        }
        for (node, token, request) in open where !outages.allowsUnavailable(node, request) {
            violate(.goodUnavailable, "token \(token) at \(node), sent \(Self.text(request.start))")
        }
        with { $0.outages.forget(before: Self.now) }
    }

    // MARK: What came of it

    var violations: [Violation] { with { $0.violations } }

    /// By fault.
    var figures: [String: Figures] { with { $0.figures } }

    var revocations: Int { with { $0.figures.values.reduce(0) { $0 + $1.revocations } } }

    /// What happened from six seconds before an instant on.
    func history(around instant: BootInstant) -> String {
        with { state in
            let events = (state.events[state.next...] + state.events[..<state.next])
            return events.filter { $0.at > instant + .seconds(-6) }.map { event in
                let sent = event.sent.map { " (sent \(Self.text($0)))" } ?? ""
                return "\(Self.text(event.at))\(sent) \(event.token == 0 ? "" : "token \(event.token) ")\(event.what)"
            }.joined(separator: "\n")
        }
    }

    static func text(_ instant: BootInstant) -> String {
        let milliseconds = String(instant.nanoseconds / 1_000)
        return "\(milliseconds.dropLast(6)).\(milliseconds.suffix(6))"
    }

    static var now: BootInstant { ClockReading.now().boot }

    private static func log(_ event: Event, _ state: inout State) {
        if state.events.count < keptEvents {
            state.events.append(event)
        } else {
            state.events[state.next] = event
            state.next = (state.next + 1) % keptEvents
        }
    }

    private static func violate(_ violation: Violation, _ state: inout State) {
        state.violations.append(violation)
        state.figures[state.fault, default: Figures()].violations += 1
        log(Event(at: violation.at, sent: nil, token: 0, what: "VIOLATION: \(violation)"), &state)
    }
}

/// Carries what is touched under a lock alone.
struct UncheckedBox<Value>: @unchecked Sendable {
    var value: Value

    init(_ value: Value) { self.value = value }
}
