import BenchResults
import FleetParts
import Foundation

/// What a whole fleet on this machine does, beside a plain Redis in the same run.
@main
enum QuashFleet {
    private struct Options {
        var quash = ""
        var output: String?
        var isQuick = false
        var parts: Set<String> = []

        init(_ arguments: [String]) throws {
            var rest = arguments[...]
            func value(_ name: String) throws -> String {
                guard let value = rest.popFirst() else { throw FleetFailure("\(name) needs a value") }
                return value
            }
            while let argument = rest.popFirst() {
                switch argument {
                case "--quash": quash = try value(argument)
                case "--output": output = try value(argument)
                case "--only": parts.formUnion(try value(argument).split(separator: ",").map(String.init))
                case "--quick": isQuick = true
                default: throw FleetFailure("unknown argument \(argument)\n\(QuashFleet.usage)")
                }
            }
            guard FileManager.default.isExecutableFile(atPath: quash) else {
                throw FleetFailure("there is no program at --quash \(quash)\n\(QuashFleet.usage)")
            }
        }
    }

    private static let usage = """
        usage: QuashFleet --quash PATH [--quick] [--output FILE] [--only PART,...]
        parts: propagation, saturated, throughput, start, memory, scaling
        """

    static func main() {
        do {
            try run(Array(CommandLine.arguments.dropFirst()))
        } catch {
            FileHandle.standardError.write(Data("QuashFleet: \(error)\n".utf8))
            exit(1)
        }
    }

    private static func run(_ arguments: [String]) throws {
        if arguments.count == 3, arguments[0] == "--memory-of", let count = Int(arguments[2]) {
            return try Memory.printMemory(of: arguments[1], count: count)
        }
        if arguments.count == 3, arguments[0] == "--subscriber" {
            return try PlainSubscribers.follow(arguments[1], arguments[2])
        }
        if arguments.count == 3, arguments[0] == "--saturate" {
            return try Saturation.run(arguments[1], arguments[2])
        }
        let options = try Options(arguments)
        let report = Report(isQuick: options.isQuick, quash: options.quash)
        report.noteLoad("before the run")
        func part(_ name: String, _ body: () throws -> Void) throws {
            guard options.parts.isEmpty || options.parts.contains(name) else { return }
            try body()
            // What was found is not lost when a later part fails.
            if let output = options.output { try report.finished().write(to: output) }
        }
        func withFleet(_ body: (QuashProcesses) throws -> Void) throws {
            let fleet = try QuashProcesses(quash: options.quash, in: Folder())
            defer { fleet.end() }
            try body(fleet)
        }
        try part("propagation") { try withFleet { try Propagation(fleet: $0, report: report).run() } }
        try part("saturated") {
            try withFleet { try SaturatedPropagation(fleet: $0, report: report, folder: Folder()).run() }
        }
        try part("throughput") {
            // Apart, because lists make the live set large, and a commit looks at each part of it.
            try withFleet { fleet in
                let throughput = Throughput(fleet: fleet, report: report)
                try throughput.revocations(batches: [1])
                try throughput.signIns()
            }
            try withFleet {
                try Throughput(fleet: $0, report: report).revocations(batches: report.choose([100], [10, 100, 1000]))
            }
        }
        try part("start") { try withFleet { try ColdStart(fleet: $0, report: report).run() } }
        try part("memory") { try Memory(quash: options.quash, report: report).run() }
        try part("scaling") { try withFleet { try Scaling(fleet: $0, report: report).run() } }
        report.noteLoad("after the run")
        if let output = options.output { try report.finished().write(to: output) }
        report.say("\(report.finished().checks.reduce(0) { $0 + $1.count }) answers checked, \(report.failures) wrong")
        if report.failures > 0 { exit(1) }
    }
}
