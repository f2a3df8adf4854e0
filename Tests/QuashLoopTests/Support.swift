import Glibc
import Synchronization
import Testing

@testable import QuashLoop

/// A loop on its own thread for the time of one test.
func withLoopThread<Result>(
    _ name: String = "test", _ body: (LoopThread) async throws -> Result
) async throws -> Result {
    let thread = try LoopThread(name: name)
    defer {
        thread.stop()
        thread.join()
    }
    return try await body(thread)
}

extension LoopThread {
    /// Runs `body` on the loop and waits for what it returns.
    func run<Value: Sendable>(_ body: @escaping @Sendable (Loop) throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            let isTaken = submit { loop in continuation.resume(with: Result { try body(loop) }) }
            if !isTaken { continuation.resume(throwing: LoopError(.loopEnded, "the loop has stopped")) }
        }
    }
}

/// A value that several threads change. ThreadSanitizer understands the lock, as it does not `Synchronization.Mutex`.
final class Locked<Value>: @unchecked Sendable {
    private let lock = Lock()
    private var value: Value

    init(_ value: Value) { self.value = value }

    func withLock<Result>(_ body: (inout Value) -> Result) -> Result {
        lock.withLock { body(&value) }
    }

    var current: Value { withLock { $0 } }
}

/// Something that one thread awaits until another sets it; a test that would wait for ever fails after 20 seconds.
final class Awaited<Value: Sendable>: Sendable {
    private let value = Locked<Value?>(nil)

    /// The first value counts.
    func set(_ newValue: Value) {
        value.withLock { if $0 == nil { $0 = newValue } }
    }

    var isSet: Bool { value.current != nil }

    func wait(_ location: SourceLocation = #_sourceLocation) async throws -> Value {
        let clock = ContinuousClock()
        let deadline = clock.now + .seconds(20)
        while true {
            // Read the clock first: on a busy machine this task may sleep past the deadline.
            let isLast = clock.now >= deadline
            if let value = value.current { return value }
            if isLast { break }
            try await Task.sleep(for: .milliseconds(1))
        }
        Issue.record("nothing came within 20 seconds", sourceLocation: location)
        throw LoopError(.timedOut, "test")
    }
}

/// A delegate made of closures that keeps what arrives. Everything but the awaited values belongs to the loop.
final class Recorder: ConnectionDelegate {
    var onOpen: ((Connection) -> Void)?
    var onBytes: ((Connection, [UInt8]) -> Void)?
    var onDrain: ((Connection) -> Void)?
    var onEnd: ((Connection) -> Void)?
    var onClose: (() -> Void)?
    var received: [UInt8] = []
    let closed: Awaited<LoopError?>
    private(set) var closedCount = 0

    init(closed: Awaited<LoopError?> = Awaited()) {
        self.closed = closed
    }

    func connectionOpened(_ connection: Connection) { onOpen?(connection) }

    func connection(_ connection: Connection, received bytes: UnsafeRawBufferPointer) {
        precondition(closedCount == 0, "bytes after connectionClosed")
        let bytes = unsafe [UInt8](bytes)
        received += bytes
        onBytes?(connection, bytes)
    }

    func connectionDrained(_ connection: Connection) { onDrain?(connection) }

    func connectionReachedEnd(_ connection: Connection) {
        if let onEnd { onEnd(connection) } else { connection.close(because: LoopError(.endOfStream, "end")) }
    }

    func connectionClosed(_ connection: Connection, because reason: LoopError?) {
        closedCount += 1
        precondition(closedCount == 1, "connectionClosed twice")
        onClose?()
        closed.set(reason)
        // The closures of a test often hold their recorder.
        (onOpen, onBytes, onDrain, onEnd, onClose) = (nil, nil, nil, nil, nil)
    }
}

/// An endpoint on loopback for each kind of socket; unix sockets in a path of their own.
enum Kind: CaseIterable, Sendable {
    case tcp, unix

    func endpoint(_ name: String = #function) -> Endpoint {
        switch self {
        case .tcp: .tcp(host: "127.0.0.1", port: 0)
        case .unix: .unix(path: temporaryPath(name))
        }
    }
}

private let pathCounter = Atomic<Int>(0)

func temporaryPath(_ name: String) -> String {
    let number = pathCounter.add(1, ordering: .relaxed).newValue
    return "/tmp/quash-loop-\(getpid())-\(number).sock"
}

/// Bytes in which every position differs from its neighbours, so that loss and reordering show.
func pattern(_ count: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
}
