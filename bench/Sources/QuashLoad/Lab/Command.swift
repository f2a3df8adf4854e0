import Foundation

/// Programs that end by themselves, soon.
enum Command {
    /// - Returns: its standard output.
    @discardableResult
    static func run(_ arguments: [String], input: String? = nil) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin"] + arguments
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        var source: Pipe?
        if input != nil {
            source = Pipe()
            process.standardInput = source
        } else {
            process.standardInput = FileHandle.nullDevice
        }
        try process.run()
        if let source, let input {
            // What is written is read at once, and what it answers is short: neither pipe fills up while the other
            // waits.
            try source.fileHandleForWriting.write(contentsOf: Data(input.utf8))
            try source.fileHandleForWriting.close()
        }
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw Failure("\(arguments.joined(separator: " ")): \(process.terminationStatus): \(text)")
        }
        return text
    }

    /// The first line of what a program says of its version, standard error included; nil when it is not there.
    static func version(_ arguments: [String]) -> String? {
        guard let text = try? run(arguments) else { return nil }
        return text.split(separator: "\n").first.map { $0.trimmingCharacters(in: .whitespaces) }
    }
}
