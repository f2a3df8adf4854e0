/// A number in a document: where it stands, and its value as far as an Int64 can hold it.
///
/// Protocols of this product count and tell the time, so no Double is made on the way: 0.1 + 0.2 cannot creep in, and
/// the result does not depend on a locale.
package struct JSONDecimal: Hashable, Sendable {
    /// The bytes of the number in the document.
    package let range: Range<Int>
    /// Whether it is spelled without fraction and exponent.
    package let isInteger: Bool
    /// The largest integer that is not above the number, or nil outside Int64. `1.5e3` and `1500` give 1500, `-0.5` -1.
    package let floor: Int64?

    /// The spelling, given the document that the scanner found it in.
    func text(in document: Span<UInt8>) -> String {
        var text = ""
        for index in range { text.unicodeScalars.append(Unicode.Scalar(document[index])) }
        return text
    }

    /// The exponent that `digits` spell, clamped to ten million, which no document of `JSONLimits.maxBytes` can undo.
    static func exponent(_ digits: Span<UInt8>, isNegative: Bool) -> Int {
        var exponent = 0
        for index in digits.indices {
            exponent = min(exponent * 10 + Int(digits[index] - UInt8(ascii: "0")), 10_000_000)
        }
        return isNegative ? -exponent : exponent
    }

    static func integer(_ digits: Span<UInt8>, isNegative: Bool) -> Int64? {
        var value: Int64 = 0
        for index in digits.indices {
            guard let next = appending(digits[index] - UInt8(ascii: "0"), to: value, isNegative: isNegative) else {
                return nil
            }
            value = next
        }
        return value
    }

    static func floor(integer: Span<UInt8>, fraction: Span<UInt8>, exponent: Int, isNegative: Bool) -> Int64? {
        let digitCount = integer.count + fraction.count
        /// Digits before the decimal point, once the exponent has moved it.
        let integerCount = integer.count + exponent
        var value: Int64 = 0
        var hasFraction = false
        for index in 0..<digitCount {
            let digit = (index < integer.count ? integer[index] : fraction[index - integer.count]) - UInt8(ascii: "0")
            if index < integerCount {
                guard let next = appending(digit, to: value, isNegative: isNegative) else { return nil }
                value = next
            } else if digit != 0 {
                hasFraction = true
                break
            }
        }
        // Zeros that only the exponent tells of. Nothing but zero survives more than 18 of them.
        if value != 0 && integerCount > digitCount {
            for _ in digitCount..<integerCount {
                guard let next = appending(0, to: value, isNegative: isNegative) else { return nil }
                value = next
            }
        }
        guard isNegative && hasFraction else { return value }
        let (below, overflow) = value.subtractingReportingOverflow(1)
        return overflow ? nil : below
    }

    private static func appending(_ digit: UInt8, to value: Int64, isNegative: Bool) -> Int64? {
        let (tens, overflow) = value.multipliedReportingOverflow(by: 10)
        if overflow { return nil }
        let (sum, carry) =
            isNegative
            ? tens.subtractingReportingOverflow(Int64(digit)) : tens.addingReportingOverflow(Int64(digit))
        return carry ? nil : sum
    }
}
