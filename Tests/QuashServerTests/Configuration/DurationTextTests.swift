import Testing

@testable import QuashServer

@Suite("Durations as text")
struct DurationTextTests {
    @Test(arguments: [
        ("0s", Duration.zero), ("500ms", .milliseconds(500)), ("10s", .seconds(10)), ("15m", .seconds(900)),
        ("2h", .seconds(7200)), ("7d", .seconds(604_800)), ("1500ms", .milliseconds(1500)),
    ])
    func readsAndWrites(text: String, duration: Duration) {
        #expect(Duration(shortText: text) == duration)
        #expect(duration.shortText == text)
    }

    @Test(arguments: [
        "", "5", "s", "-5s", "+5s", "5.5s", "5 s", " 5s", "5s ", "5S", "1h30m", "5us", "5secs", "99999999999999999999s",
        "9223372036854775807d", "٥s",
    ])
    func refuses(text: String) {
        #expect(Duration(shortText: text) == nil)
    }

    @Test func writesTheLargestUnitThatIsWhole() {
        #expect(Duration.seconds(90).shortText == "90s")
        #expect(Duration.seconds(86_400).shortText == "1d")
        #expect(Duration(shortText: "60m")?.shortText == "1h")
    }
}
