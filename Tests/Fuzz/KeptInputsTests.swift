import TestSupport
import Testing

@Suite struct KeptInputsTests {
    /// Every kept input, as `target/name`.
    private static func inputs(of target: FuzzTarget) throws -> [String] {
        try Repository.files().filter { $0.hasPrefix("Tests/Fuzz/Corpus/\(target.rawValue)/") }
    }

    @Test(arguments: FuzzTarget.allCases)
    func keptInputsKeepTheProperties(_ target: FuzzTarget) throws {
        let inputs = try Self.inputs(of: target)
        #expect(!inputs.isEmpty, "there is no input at all")
        for input in inputs {
            do {
                try target.run(Repository.read(input))
            } catch {
                Issue.record("\(input): \(error)")
            }
        }
    }

    /// A fuzzer finds more in an hour than this; but this runs every time, and everywhere.
    @Test(arguments: FuzzTarget.allCases)
    func inputsWithAFewBytesChangedKeepTheProperties(_ target: FuzzTarget) throws {
        var generator = SeededGenerator(1)
        for input in try Self.inputs(of: target) {
            let bytes = try Repository.read(input)
            for _ in 0..<20 {
                var changed = bytes
                for _ in 0..<Int.random(in: 1...3, using: &generator) where !changed.isEmpty {
                    let position = Int.random(in: changed.indices, using: &generator)
                    switch Int.random(in: 0..<3, using: &generator) {
                    case 0: changed.remove(at: position)
                    case 1: changed.insert(.random(in: 0...255, using: &generator), at: position)
                    default: changed[position] = .random(in: 0...255, using: &generator)
                    }
                }
                do {
                    try target.run(changed)
                } catch {
                    Issue.record("\(input), changed to \(changed): \(error)")
                }
            }
        }
    }
}
