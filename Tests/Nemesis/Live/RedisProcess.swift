import Glibc
import QuashLoop
import QuashRedis
import TestSupport

/// A redis-server of the run's own on a unix socket, and a connection to it that no fault but its own reaches.
final class RedisProcess {
    /// What its disk keeps.
    enum Persistence: String, CaseIterable {
        case always
        case everysec
        case none
    }

    /// What becomes of its data between its death and its next life.
    enum Data: Equatable {
        case kept
        /// The last bytes of the append-only file were never on the disk.
        case withoutTail(bytes: Int)
        case lost
        /// As it was when it was last killed before.
        case yesterday
    }

    let socketPath: String
    private(set) var persistence: Persistence
    private let folder: TemporaryFolder
    private var process: ChildProcess
    private let thread: LoopThread
    private let control: OnLoop<Control>

    private final class Control {
        var client: RedisClient?
    }

    var processID: pid_t { process.processID }

    init(in folder: TemporaryFolder, persistence: Persistence, control thread: LoopThread) throws {
        self.folder = folder
        self.persistence = persistence
        self.thread = thread
        socketPath = folder.path("redis.sock")
        process = try Self.launch(folder, socketPath, persistence)
        control = OnLoop(Control())
        var options = try RedisOptions(url: RedisURL("unix://\(socketPath)"))
        options.backoff = .milliseconds(5) ... .milliseconds(10)
        try thread.call { [control, options] loop in
            control.value.client = RedisClient(on: loop, options: options)
            control.value.client?.start()
        }
        try waitUntilAnswering()
    }

    private static func launch(
        _ folder: TemporaryFolder, _ socket: String, _ persistence: Persistence
    ) throws -> ChildProcess {
        TemporaryFolder.remove(socket)
        let disk =
            persistence == .none
            ? ["--appendonly", "no"] : ["--appendonly", "yes", "--appendfsync", persistence.rawValue]
        return try ChildProcess(
            [
                "redis-server", "--port", "0", "--unixsocket", socket, "--unixsocketperm", "700", "--dir", folder.path,
                "--save", "", "--maxmemory-policy", "noeviction", "--aof-load-truncated", "yes",
                "--auto-aof-rewrite-percentage", "0",
            ] + disk, outputPath: folder.path("redis.log"))
    }

    /// Sends a command and gives its reply.
    @discardableResult
    func call(_ words: String..., timeout: Duration = .seconds(5)) throws -> RESPValue {
        let command = RedisCommand(words.map { Array($0.utf8) })
        let done = Semaphore()
        let reply = Locked<Result<RESPValue, RedisError>?>(nil)
        thread.submit { [control] _ in
            guard let client = control.value.client else { return done.signal() }
            client.send(command, timeout: timeout) { result in
                reply.withLock { $0 = result }
                done.signal()
            }
        }
        done.wait()
        guard let result = reply.withLock({ $0 }) else { throw TestSupportError("the control connection is closed") }
        return try result.get()
    }

    /// The nonce of the epoch, and whether it is open; nil when none is there or Redis does not answer.
    func epoch() -> (nonce: String, isOpen: Bool)? {
        guard let text = try? call("GET", "{quash}:epoch", timeout: .milliseconds(200)).text else { return nil }
        let words = text.split(separator: " ")
        return words.count >= 4 ? (String(words[0]), words[2] == "open") : nil
    }

    func signal(_ number: Int32) { process.signal(number) }

    func kill() { process.kill() }

    /// Starts it again after ``kill()``.
    func start(_ data: Data, persistence: Persistence) throws {
        let files = folder.path("appendonlydir")
        let old = folder.path("yesterday")
        switch data {
        case .kept: break
        case .withoutTail(let bytes): Self.cutTail(of: files, by: bytes)
        case .lost: TemporaryFolder.remove(files)
        case .yesterday:
            if unsafe access(old, F_OK) == 0 {
                TemporaryFolder.remove(files)
                try ChildProcess.run(["cp", "-r", old, files])
            }
        }
        TemporaryFolder.remove(old)
        if unsafe access(files, F_OK) == 0 { try ChildProcess.run(["cp", "-r", files, old]) }
        // What an append-only file does not hold would be lost at the next start with one, which is a fault of its own.
        self.persistence = persistence
        process = try Self.launch(folder, socketPath, persistence)
        try waitUntilAnswering()
    }

    private static func cutTail(of files: String, by bytes: Int) {
        let path = "\(files)/appendonly.aof.1.incr.aof"
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { return }
        unsafe truncate(path, max(0, status.st_size - bytes))
    }

    private func waitUntilAnswering() throws {
        let isUp = poll(within: .seconds(20)) {
            !process.isRunning || (try? call("PING", timeout: .milliseconds(200)).text) == "PONG"
        }
        guard isUp, process.isRunning else {
            throw TestSupportError("redis-server does not answer: \(TemporaryFolder.read(folder.path("redis.log")))")
        }
    }
}
