import FleetParts
import Foundation

/// A program that runs beside this one. It never outlives it: the kernel kills it when this program dies.
final class Child {
    private let process = Process()
    let name: String
    private let outputPath: String

    init(_ arguments: [String], environment: [String: String] = [:], outputPath: String) throws {
        name = arguments[0]
        self.outputPath = outputPath
        process.executableURL = URL(fileURLWithPath: "/usr/bin/setpriv")
        process.arguments = ["--pdeathsig", "KILL", "--"] + arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { _, new in new }
        guard FileManager.default.createFile(atPath: outputPath, contents: nil),
            let output = FileHandle(forWritingAtPath: outputPath)
        else {
            throw FleetFailure("\(outputPath) cannot be written")
        }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = output
        try process.run()
    }

    var processID: Int32 { process.processIdentifier }

    var isRunning: Bool { process.isRunning }

    /// What it wrote last.
    var output: String {
        let text = (try? String(contentsOfFile: outputPath, encoding: .utf8)) ?? ""
        return text.split(separator: "\n").suffix(5).joined(separator: "\n")
    }

    func signal(_ number: Int32) { if process.isRunning { kill(processID, number) } }

    func end() {
        signal(SIGCONT)
        signal(SIGKILL)
        process.waitUntilExit()
    }

    deinit { end() }

    /// Resident memory in bytes.
    var residentBytes: Double { Self.residentBytes(of: "\(processID)") }

    /// The part of it that no file stands behind: what is the process's own.
    var anonymousBytes: Double { Self.bytes("RssAnon:", of: "\(processID)") }

    static func residentBytes(of process: String) -> Double { bytes("VmRSS:", of: process) }

    private static func bytes(_ name: String, of process: String) -> Double {
        let text = (try? String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8)) ?? ""
        let line = text.split(separator: "\n").first { $0.hasPrefix(name) }
        let fields = line?.split(whereSeparator: \.isWhitespace) ?? []
        return fields.count > 1 ? (Double(fields[1]) ?? .nan) * 1024 : .nan
    }

    /// Processor time that its threads have used, in microseconds: the kernel counts it in nanoseconds there, and in
    /// hundredths of a second elsewhere.
    var processorMicroseconds: Double {
        let tasks = "/proc/\(processID)/task"
        let threads = (try? FileManager.default.contentsOfDirectory(atPath: tasks)) ?? []
        return threads.reduce(0) { sum, thread in
            let text = (try? String(contentsOfFile: "\(tasks)/\(thread)/schedstat", encoding: .utf8)) ?? ""
            return sum + (text.split(separator: " ").first.flatMap { Double($0) } ?? 0) / 1000
        }
    }

    /// Runs a program to its end, and gives what it wrote.
    static func output(of arguments: [String]) -> String? {
        let process = Process()
        let pipe = Pipe()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = arguments
        process.standardOutput = pipe
        process.standardError = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return nil }
        let data = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return process.terminationStatus == 0 ? String(decoding: data, as: UTF8.self) : nil
    }
}

/// An empty folder for this program's time.
final class Folder {
    let path: String

    init() throws {
        path = "/tmp/quash-fleet-\(ProcessInfo.processInfo.processIdentifier)-\(UInt32.random(in: 0...0xFFFF))"
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func path(_ name: String) -> String { "\(path)/\(name)" }
}

/// A redis-server of this program's own, on a unix socket, without persistence.
final class PrivateRedis {
    let socket: String
    let child: Child
    private let folder: Folder

    init(in folder: Folder, name: String = "redis") throws {
        self.folder = folder
        socket = folder.path("\(name).sock")
        child = try Child(
            [
                "redis-server", "--port", "0", "--unixsocket", socket, "--dir", folder.path, "--appendonly", "no",
                "--save", "", "--maxmemory-policy", "noeviction", "--maxclients", "2000",
            ], outputPath: folder.path("\(name).log"))
        let isThere = wait(atMost: 10) {
            // The socket is there a moment before anybody listens.
            guard child.isRunning else { return true }
            return (try? RedisConnection(path: socket).call("PING")) != nil
        }
        guard isThere, child.isRunning else { throw FleetFailure("redis-server does not start: \(child.output)") }
    }

    func connect() throws -> RedisConnection { try RedisConnection(path: socket) }
}
