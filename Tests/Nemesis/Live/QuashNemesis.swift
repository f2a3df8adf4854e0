import Glibc
import NemesisHistory
import Quash
import QuashLoop
import TestSupport

/// `QuashNemesis PROGRAM FOLDER SEED smoke|long|SECONDS [FAULT…]`: runs the program `quash` as a fleet of processes,
/// injects faults while clients use it, and exits with 1 when a promise was broken. What happened around a violation,
/// and the logs of all processes, are then left in the folder.
@main
struct QuashNemesis {
    /// How long a run is.
    enum Extent: Equatable {
        case smoke
        case long
        case seconds(Int)

        init?(_ word: String) {
            switch word {
            case "smoke": self = .smoke
            case "long": self = .long
            default:
                guard let seconds = Int(word), seconds > 0 else { return nil }
                self = .seconds(seconds)
            }
        }
    }

    static let longFaults = 200
    static let longRevocations = 100_000
    /// Behind sentinels, after those.
    static let longFailovers = 24

    static func main() async {
        let words = CommandLine.arguments.dropFirst().map { $0 }
        guard words.count >= 4, let seed = UInt64(words[2]), let extent = Extent(words[3]) else {
            print("usage: QuashNemesis PROGRAM FOLDER SEED smoke|long|SECONDS [FAULT...]")
            exit(2)
        }
        // Everything that it holds is let go of before the process ends, and the folders with it.
        exit(await run(words[0], folder: words[1], seed: seed, extent: extent, names: Array(words.dropFirst(4))))
    }

    private static func run(
        _ program: String, folder: String, seed: UInt64, extent: Extent, names: [String]
    ) async -> Int32 {
        do {
            let faults = Fault.allCases.filter { names.isEmpty || names.contains("\($0)") }
            let run = try NemesisRun(program: program, folder: folder, seed: seed, extent: extent, faults: faults)
            return try await run.run() ? 0 : 1
        } catch {
            print("the nemesis cannot run: \(error)")
            return 2
        }
    }
}

/// Prints a line, which is there at once even where the output is a file.
func say(_ line: String) {
    print(line)
    fflush(nil)
}
