package import Glibc

/// A program that runs beside this one, for its time only.
///
/// It never outlives this process: the value's end kills it, and if this process is killed the kernel does
/// (`setpriv --pdeathsig KILL`, see `SpawnThread`). Its output goes to a file, not a pipe, so a child that says much
/// is never stopped because nobody listens.
package final class ChildProcess {
    /// How a process ended.
    package enum Exit: Equatable, Sendable {
        case code(Int32)
        case signal(Int32)
    }

    package let processID: pid_t
    private let name: String
    private let outputPath: String
    private let folder: TemporaryFolder?
    private var exit: Exit?

    /// Starts `arguments[0]`, found on the `PATH`, with all of `arguments` as its argument vector.
    ///
    /// - Parameters:
    ///   - environment: added to this process's own environment.
    ///   - workingFolder: where it starts; this process's own folder by default.
    ///   - outputPath: the file that its standard output and error are appended to; a file of its own by default.
    package init(
        _ arguments: [String], environment: [String: String] = [:], workingFolder: String? = nil,
        outputPath: String? = nil
    ) throws {
        precondition(!arguments.isEmpty, "a child process needs a program")
        name = arguments[0]
        folder = try outputPath == nil ? TemporaryFolder() : nil
        self.outputPath = outputPath ?? folder!.path("output")

        var variables = Self.currentEnvironment
        for (key, value) in environment {
            variables.removeAll { $0.hasPrefix("\(key)=") }
            variables.append("\(key)=\(value)")
        }
        let move = workingFolder.map { ["env", "-C", $0] } ?? []
        processID = try Self.spawn(
            ["setpriv", "--pdeathsig", "KILL", "--"] + move + arguments, environment: variables,
            outputPath: self.outputPath)
    }

    deinit {
        kill()
    }

    /// Runs a program to its end.
    ///
    /// - Returns: what it wrote to its standard output and error.
    /// - Throws: when it does not end by itself within `limit`, or with another code than 0.
    @discardableResult
    package static func run(
        _ arguments: [String], environment: [String: String] = [:], within limit: Duration = .seconds(20)
    ) throws -> String {
        let child = try ChildProcess(arguments, environment: environment)
        let exit = try child.waitForExit(within: limit)
        guard exit == .code(0) else {
            throw ProcessFailure("\(arguments.joined(separator: " ")): \(exit): \(child.output)")
        }
        return child.output
    }

    /// All that it wrote so far to its standard output and error.
    package var output: String {
        TemporaryFolder.read(outputPath)
    }

    /// Whether it has not ended yet.
    package var isRunning: Bool {
        collect(WNOHANG) == nil
    }

    /// Sends a signal; nothing happens when the process has already ended.
    package func signal(_ number: Int32) {
        // A process that was not waited for keeps its number, so a signal cannot reach a stranger.
        if isRunning { _ = Glibc.kill(processID, number) }
    }

    /// Kills it (SIGKILL) and waits until it is gone.
    package func kill() {
        signal(SIGKILL)
        _ = collect(0)
    }

    /// Waits until it has ended by itself.
    @discardableResult
    package func waitForExit(within limit: Duration = .seconds(10)) throws -> Exit {
        poll(within: limit) { !isRunning }
        guard let exit else { throw ProcessFailure("\(name) still runs after \(limit)") }
        return exit
    }

    private func collect(_ options: Int32) -> Exit? {
        if exit == nil {
            var status: Int32 = 0
            var result: pid_t
            repeat { result = unsafe waitpid(processID, &status, options) } while result < 0 && errno == EINTR
            if result == processID {
                // The low seven bits are the signal, the next byte is the code: WIFEXITED and WEXITSTATUS of wait(2).
                exit = status & 0x7f == 0 ? .code((status >> 8) & 0xff) : .signal(status & 0x7f)
            }
        }
        return exit
    }

    private static var currentEnvironment: [String] {
        var variables: [String] = []
        // SAFETY: environ(7) is an array of NUL-terminated strings that ends with a null pointer; nothing here changes
        // it.
        var entry = unsafe environ
        while let text = unsafe entry.pointee {
            unsafe variables.append(String(cString: text))
            unsafe entry += 1
        }
        return variables
    }

    private static func spawn(
        _ arguments: [String], environment: [String], outputPath: String
    ) throws -> pid_t {
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        unsafe posix_spawn_file_actions_addopen(&actions, 1, outputPath, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        unsafe posix_spawn_file_actions_adddup2(&actions, 1, 2)
        // Nothing else is inherited: every other descriptor of this process was opened close-on-exec.

        // This process may block or ignore signals (SIGPIPE); a child must not inherit that.
        var attributes = posix_spawnattr_t()
        unsafe posix_spawnattr_init(&attributes)
        defer { unsafe posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        var all = sigset_t()
        unsafe sigemptyset(&none)
        unsafe sigfillset(&all)
        unsafe posix_spawnattr_setsigmask(&attributes, &none)
        unsafe posix_spawnattr_setsigdefault(&attributes, &all)
        unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))

        var processID: pid_t = 0
        // SAFETY: both vectors are arrays of NUL-terminated copies, closed by a null pointer and freed after the call;
        // posix_spawn(3) has copied what it needs when it returns.
        var argv = unsafe arguments.map { unsafe strdup($0) } + [nil]
        var envp = unsafe environment.map { unsafe strdup($0) } + [nil]
        defer {
            var strings = unsafe argv + envp
            while let string = unsafe strings.popLast() { unsafe free(string) }
        }
        let code = SpawnThread.shared.run {
            unsafe posix_spawnp(&processID, arguments[0], &actions, &attributes, &argv, &envp)
        }
        guard code == 0 else {
            throw ProcessFailure("cannot start \(arguments[0]): \(unsafe String(cString: strerror(code)))")
        }
        return processID
    }
}
