import TestSupport
import Testing

/// Mutants of the protocol and breaks of single rules are patches of the shipped code: each has to fit what that is
/// now.
@Suite struct MutantPatchTests {
    @Test func everyPatchFits() throws {
        let patches = try Repository.files().filter {
            ($0.hasPrefix("Tests/Simulation/Mutants/") || $0.hasPrefix("Tests/Breaks/")) && $0.hasSuffix(".patch")
        }
        #expect(patches.count >= 32)
        for path in patches {
            var source = ""
            var before: [Substring] = []
            func check() {
                guard !before.isEmpty else { return }
                #expect(source.contains(before.joined(separator: "\n")), "\(path) does not fit")
                before = []
            }
            for line in String(decoding: try Repository.read(path), as: UTF8.self).split(
                separator: "\n", omittingEmptySubsequences: false)
            {
                if line.hasPrefix("--- a/") {
                    check()
                    source = String(decoding: try Repository.read(String(line.dropFirst(6))), as: UTF8.self)
                } else if line.hasPrefix("@@") {
                    check()
                } else if line.hasPrefix(" ") || (line.hasPrefix("-") && !line.hasPrefix("---")) {
                    before.append(line.dropFirst())
                }
            }
            check()
        }
    }
}
