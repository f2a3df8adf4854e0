/// A point in time as RFC 7519 §2 has it: whole seconds since 1970-01-01T00:00:00Z, without leap seconds.
public struct NumericDate: Hashable, Comparable, Sendable {
    /// What a token may say: 1970 to 9999.
    public static let range = NumericDate(seconds: 0)...NumericDate(seconds: 253_402_300_799)

    /// Since 1970-01-01T00:00:00Z.
    public var seconds: Int64

    /// The instant `seconds` after 1970-01-01T00:00:00Z.
    public init(seconds: Int64) {
        self.seconds = seconds
    }

    public static func < (left: NumericDate, right: NumericDate) -> Bool {
        left.seconds < right.seconds
    }

    /// `duration` later, in whole seconds; a part of a second is dropped.
    public static func + (date: NumericDate, duration: Duration) -> NumericDate {
        NumericDate(seconds: date.seconds + duration.components.seconds)
    }

    /// `duration` earlier, in whole seconds; a part of a second is dropped.
    public static func - (date: NumericDate, duration: Duration) -> NumericDate {
        NumericDate(seconds: date.seconds - duration.components.seconds)
    }
}
