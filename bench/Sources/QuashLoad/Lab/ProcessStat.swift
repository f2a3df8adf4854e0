import Foundation
import Glibc

/// The time that a process has used on a core, as `/proc/PID/stat` has it (proc(5)): all its threads, those that have
/// ended included, its children not.
struct ProcessStat: Equatable {
    let userTicks: UInt64
    let systemTicks: UInt64

    /// - Parameter line: the whole file. The name of the program stands in parentheses and may hold any byte, a
    ///   parenthesis or a space too, so the fields are counted from the last parenthesis.
    init?(_ line: String) {
        guard let end = line.lastIndex(of: ")") else { return nil }
        let fields = line[line.index(after: end)...].split(whereSeparator: \.isWhitespace)
        // The first of these is field 3, the state; utime and stime are 14 and 15.
        guard fields.count > 12, let user = UInt64(fields[11]), let system = UInt64(fields[12]) else { return nil }
        userTicks = user
        systemTicks = system
    }

    static func of(_ process: Int32) throws -> ProcessStat {
        let path = "/proc/\(process)/stat"
        guard let line = try? String(contentsOfFile: path, encoding: .utf8), let stat = ProcessStat(line) else {
            throw Failure("\(path) cannot be read: the process has ended")
        }
        return stat
    }

    var microseconds: Double { Double(userTicks + systemTicks) * 1e6 / Self.ticksPerSecond }

    private static let ticksPerSecond = Double(sysconf(Int32(_SC_CLK_TCK)))
}
