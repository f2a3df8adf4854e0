import Glibc

/// The Date field of responses (RFC 9110 §6.6.1), formatted once per second on each loop.
struct HTTPDate {
    private var second: time_t = -1
    /// `Sun, 06 Nov 1994 08:49:37 GMT` and an end of line.
    private var line = [UInt8]()

    /// Appends the date of now and an end of line.
    mutating func append(to output: inout [UInt8]) {
        let now = time(nil)
        if now != second {
            second = now
            line = Array((Self.format(now) + "\r\n").utf8)
        }
        output += line
    }

    /// The IMF-fixdate of RFC 9110 §5.6.7, from seconds since 1970 without leap seconds.
    static func format(_ seconds: time_t) -> String {
        var parts = unsafe tm()
        var seconds = seconds
        unsafe gmtime_r(&seconds, &parts)
        let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return unsafe "\(days[Int(parts.tm_wday)]), \(two(parts.tm_mday)) \(months[Int(parts.tm_mon)]) "
            + "\(parts.tm_year + 1900) \(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec)) GMT"
    }
}
