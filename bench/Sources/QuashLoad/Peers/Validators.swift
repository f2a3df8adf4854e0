import Foundation

/// The validators of Quash that are measured.
struct Validators {
    /// As it is run: it remembers the tokens that it has verified, if it can.
    let subject: Subject
    /// The same process at its unix socket.
    let unixSubject: Subject
    /// One that remembers no token.
    let coldSubject: Subject
    let hasTokenCache: Bool

    static let path = "/authz/auth-request"

    init(_ lab: Lab) throws {
        let help = try Command.run([lab.quash, "validator", "--help"])
        hasTokenCache = help.contains("--token-cache")
        let warm = try lab.startValidator("validator")
        let decisions = { try Self.decisions(at: warm.admin) }
        subject = Subject(
            name: Peer.quash, target: warm.tcp, path: Self.path, processes: [warm.process], decisions: decisions)
        unixSubject = Subject(
            name: Peer.quashUnix, target: warm.unix, path: Self.path, processes: [warm.process], decisions: decisions)
        let cold = try lab.startValidator("validator-cold", hasTokenCache ? ["--token-cache", "0"] : [])
        coldSubject = Subject(
            name: Peer.quashCold, target: cold.tcp, path: Self.path, processes: [cold.process],
            decisions: { try Self.decisions(at: cold.admin) })
    }

    /// What the validator itself has counted, of every result and reason.
    private static func decisions(at admin: Target) throws -> UInt64 {
        let answer = try Exchange(admin).get("/metrics")
        guard answer.status == 200 else { throw Failure("/metrics answers \(answer.status)") }
        return try decisions(inPage: answer.text)
    }

    static func decisions(inPage page: String) throws -> UInt64 {
        var total: UInt64 = 0
        var found = false
        for line in page.split(separator: "\n") where line.hasPrefix("quash_decisions_total{") {
            guard let number = line.split(separator: " ").last, let value = Double(number) else {
                throw Failure("/metrics says «\(line)»")
            }
            total += UInt64(value)
            found = true
        }
        guard found else { throw Failure("/metrics does not count decisions") }
        return total
    }

    func stop() {
        subject.stop()
        coldSubject.stop()
    }
}
