extension Duration {
    private static let units: [(name: String, milliseconds: Int64)] = [
        ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1),
    ]

    /// Reads `500ms`, `10s`, `15m`, `2h`, `7d`: a whole number and one unit. Nil for anything else, and for more than
    /// Int64 milliseconds.
    package init?(shortText text: some StringProtocol) {
        let digits = text.utf8.prefix { (0x30...0x39).contains($0) }
        guard let count = Int64(text.prefix(digits.count)),
            let unit = Self.units.first(where: { text.utf8.dropFirst(digits.count).elementsEqual($0.name.utf8) })
        else { return nil }
        let (milliseconds, overflow) = count.multipliedReportingOverflow(by: unit.milliseconds)
        guard !overflow else { return nil }
        self = .milliseconds(milliseconds)
    }

    /// As `init(shortText:)` reads it, in the largest unit that gives a whole number; milliseconds are the smallest.
    package var shortText: String {
        let (seconds, attoseconds) = components
        let milliseconds = seconds * 1000 + attoseconds / 1_000_000_000_000_000
        if milliseconds == 0 { return "0s" }
        for unit in Self.units where milliseconds % unit.milliseconds == 0 {
            return "\(milliseconds / unit.milliseconds)\(unit.name)"
        }
        preconditionFailure("every number of milliseconds is divisible by 1")
    }
}
