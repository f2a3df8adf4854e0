import QuashSimulation

@main struct Simulate {
    static func main() {
        var failed = 0
        let arguments = CommandLine.arguments.dropFirst().compactMap { UInt64($0) }
        for seed in arguments[0]..<arguments[0] + arguments[1] {
            let outcome = Simulation.run(Simulation.schedule(seed), isNoted: arguments.count > 2)
            if let violation = outcome.violation {
                failed += 1
                if failed < 20 { print(seed, violation) }
                if arguments.count > 2 { print(Simulation.schedule(seed)); print(outcome.notes.joined(separator: "\n")) }
            }
        }
        print("failed", failed)
    }
}
