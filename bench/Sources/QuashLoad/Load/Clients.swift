import Histogram

/// How the requests of a class of clients follow each other.
enum Pace: Equatable {
    /// Each connection asks again as soon as it was answered.
    case closed
    /// At a fixed rate, on whichever connection is free.
    case open(perSecond: Double)
}

/// What a request is to be answered.
enum Expected: Equatable {
    case accept
    case refuse
}

/// A class of clients: what they ask, over how many connections, how fast.
struct Clients {
    let requests: [[UInt8]]
    let expectations: [Expected]
    let connections: Int
    let pace: Pace

    init(_ requests: [(bytes: [UInt8], expectation: Expected)], connections: Int = 64, pace: Pace) {
        precondition(!requests.isEmpty && connections > 0, "clients ask something, over some connection")
        self.requests = requests.map(\.bytes)
        expectations = requests.map(\.expectation)
        self.connections = connections
        self.pace = pace
    }
}

/// What became of the requests of a class of clients.
struct Outcome {
    /// In nanoseconds; of an open load from the time at which the request was to be sent.
    var latencies = Histogram<UInt64>(
        highestTrackableValue: 120_000_000_000, numberOfSignificantValueDigits: .three)
    var correct: UInt64 = 0
    /// Accepted though it was to be refused: the worst that can happen.
    var wronglyAccepted: UInt64 = 0
    /// Refused, 401, though it was to be accepted.
    var wronglyRefused: UInt64 = 0
    /// Answers of any other status.
    var otherStatus: UInt64 = 0
    /// Requests whose connection broke, and those that were sent and never answered.
    var unanswered: UInt64 = 0
    /// Requests that were due and never sent, because no connection became free: the server was too slow for the rate.
    var unsent: UInt64 = 0
    /// From the first request to the last answer.
    var seconds = 0.0

    var failures: UInt64 { wronglyAccepted + wronglyRefused + otherStatus + unanswered }
    var answers: UInt64 { correct + wronglyAccepted + wronglyRefused + otherStatus }
    var perSecond: Double { Double(answers) / seconds }

    mutating func count(status: Int, _ expectation: Expected) {
        switch (status, expectation) {
        case (200..<300, .accept), (401, .refuse): correct += 1
        case (200..<300, .refuse): wronglyAccepted += 1
        case (401, .accept): wronglyRefused += 1
        default: otherStatus += 1
        }
    }

    func microseconds(_ quantile: Double) -> Double {
        Double(latencies.valueAtPercentile(quantile * 100)) / 1e3
    }

    /// For a line of progress.
    var summary: String {
        [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)]
            .map { "\($0) \(rounded(microseconds($1))) µs" }.joined(separator: ", ")
    }

    mutating func merge(_ other: Outcome) {
        for entry in other.latencies.recordedValues() { latencies.record(entry.value, count: entry.count) }
        correct += other.correct
        wronglyAccepted += other.wronglyAccepted
        wronglyRefused += other.wronglyRefused
        otherStatus += other.otherStatus
        unanswered += other.unanswered
        unsent += other.unsent
        seconds += other.seconds
    }
}
