import Quash
import Testing

@testable import QuashServer

@Suite("Civil time as text (RFC 3339)")
struct RFC3339Tests {
    @Test(arguments: [
        (0, "1970-01-01T00:00:00.000Z"), (1_700_000_000_123, "2023-11-14T22:13:20.123Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
        (951_782_400_000, "2000-02-29T00:00:00.000Z"), (4_107_542_399_999, "2100-02-28T23:59:59.999Z"),
        (4_107_542_400_000, "2100-03-01T00:00:00.000Z"), (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
        (-62_167_219_200_000, "0000-01-01T00:00:00.000Z"),
    ])
    func writesAndReads(milliseconds: Int64, text: String) {
        #expect(WallInstant(milliseconds: milliseconds).description == text)
        #expect(WallInstant(text)?.milliseconds == milliseconds)
    }

    @Test(arguments: [
        ("2023-11-14T22:13:20Z", 1_700_000_000_000), ("2023-11-14t22:13:20z", 1_700_000_000_000),
        ("2023-11-14 22:13:20.1Z", 1_700_000_000_100), ("2023-11-14T22:13:20.123456789Z", 1_700_000_000_123),
        ("2023-11-15T00:13:20+02:00", 1_700_000_000_000), ("2023-11-14T16:43:20-05:30", 1_700_000_000_000),
    ])
    func readsEveryForm(text: String, milliseconds: Int64) {
        #expect(WallInstant(text)?.milliseconds == milliseconds)
    }

    @Test(arguments: [
        "", "now", "2023-11-14", "2023-11-14T22:13:20", "2023-11-14T22:13Z", "2023-11-14T22:13:20.Z",
        "2023-02-29T00:00:00Z",
        "2023-13-01T00:00:00Z", "2023-00-01T00:00:00Z", "2023-04-31T00:00:00Z", "2023-11-14T24:00:00Z",
        "2023-11-14T22:60:00Z",
        "2016-12-31T23:59:60Z", "2023-11-14T22:13:20+24:00", "2023-11-14T22:13:20+0200", "2023-11-14T22:13:20Zx",
        "+023-11-14T22:13:20Z", "23-11-14T22:13:20Z",
    ])
    func refuses(text: String) {
        #expect(WallInstant(text) == nil)
    }

    @Test func everyDayOfFourCenturiesComesBack() {
        for day in 0..<146_097 {
            let instant = WallInstant(milliseconds: Int64(day) * 86_400_000)
            #expect(WallInstant(instant.description) == instant)
        }
    }
}
