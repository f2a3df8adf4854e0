public import Quash

/// Civil time as text, RFC 3339 §5.6, in UTC and with milliseconds: `2026-11-23T22:10:11.123Z`.
extension WallInstant: CustomStringConvertible {
    public var description: String {
        let days = Self.floorDivide(milliseconds, by: Self.dayMilliseconds)
        let rest = milliseconds - days * Self.dayMilliseconds
        let (year, month, day) = Self.civil(fromDays: days)
        let date = "\(Self.digits(year, 4))-\(Self.digits(month, 2))-\(Self.digits(day, 2))"
        let hour = Self.digits(rest / 3_600_000, 2)
        let minute = Self.digits(rest / 60_000 % 60, 2)
        let second = Self.digits(rest / 1000 % 60, 2)
        return "\(date)T\(hour):\(minute):\(second).\(Self.digits(rest % 1000, 3))Z"
    }

    /// Reads an RFC 3339 date-time. Fractions beyond milliseconds are cut off. Nil for anything else, for a day that
    /// the month does not have, and for a leap second, which civil time since 1970 cannot express.
    public init?(_ text: some StringProtocol) {
        var rest = Substring(text).utf8[...]
        func number(_ count: Int) -> Int64? {
            let digits = rest.prefix(count)
            guard digits.count == count, digits.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
            rest = rest.dropFirst(count)
            return digits.reduce(0) { $0 * 10 + Int64($1 - 0x30) }
        }
        func skip(_ allowed: String) -> UInt8? {
            guard let byte = rest.first, allowed.utf8.contains(byte) else { return nil }
            rest = rest.dropFirst()
            return byte
        }
        guard let year = number(4), skip("-") != nil, let month = number(2), skip("-") != nil, let day = number(2),
            skip("Tt ") != nil, let hour = number(2), skip(":") != nil, let minute = number(2), skip(":") != nil,
            let second = number(2), (1...12).contains(month), (1...31).contains(day), hour < 24, minute < 60,
            second < 60
        else { return nil }
        var fraction: Int64 = 0
        if skip(".") != nil {
            let digits = rest.prefix { (0x30...0x39).contains($0) }
            guard !digits.isEmpty else { return nil }
            rest = rest.dropFirst(digits.count)
            fraction = (Array(digits) + [0x30, 0x30]).prefix(3).reduce(0) { $0 * 10 + Int64($1 - 0x30) }
        }
        var offsetMinutes: Int64 = 0
        guard let zone = skip("Zz+-") else { return nil }
        if zone == UInt8(ascii: "+") || zone == UInt8(ascii: "-") {
            guard let hours = number(2), skip(":") != nil, let minutes = number(2), hours < 24, minutes < 60 else {
                return nil
            }
            offsetMinutes = (hours * 60 + minutes) * (zone == UInt8(ascii: "-") ? -1 : 1)
        }
        let days = Self.days(year, month, day)
        guard rest.isEmpty, Self.civil(fromDays: days) == (year, month, day) else { return nil }
        let minutes = (days * 24 + hour) * 60 + minute - offsetMinutes
        self.init(milliseconds: (minutes * 60 + second) * 1000 + fraction)
    }

    private static let dayMilliseconds: Int64 = 86_400_000
    /// Days in the 400 years after which the Gregorian calendar repeats itself.
    private static let eraDays: Int64 = 146_097

    // The two directions of the proleptic Gregorian calendar, after Howard Hinnant, "chrono-Compatible Low-Level Date
    // Algorithms": years begin in March, so that the leap day is the last of a year, and 719468 days lie between
    // 0000-03-01 and 1970-01-01.

    private static func civil(fromDays days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let shifted = days + 719_468
        let era = floorDivide(shifted, by: eraDays)
        let dayOfEra = shifted - era * eraDays
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
    }

    private static func days(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let shiftedYear = month <= 2 ? year - 1 : year
        let era = floorDivide(shiftedYear, by: 400)
        let yearOfEra = shiftedYear - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * eraDays + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    private static func floorDivide(_ number: Int64, by divisor: Int64) -> Int64 {
        number >= 0 ? number / divisor : (number + 1) / divisor - 1
    }

    private static func digits(_ number: Int64, _ count: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, count - digits.utf8.count)) + digits
    }
}
