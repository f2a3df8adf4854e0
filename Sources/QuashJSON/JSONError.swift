/// The limits of JSON documents in one place.
package enum JSONLimits {
    /// The default limit of a document, in bytes.
    package static let maxBytes = 1024 * 1024
    /// Objects and arrays inside each other.
    package static let maxDepth = 16
    /// Members of all objects that are open at one point of the document. Every name is compared with those before it
    /// in its object, so this also bounds that work.
    package static let maxOpenMembers = 128
}

/// Why a document was refused, and where.
package struct JSONError: Error, Hashable, CustomStringConvertible {
    /// What is wrong, in words for whoever wrote the document.
    package enum Problem: String, Sendable {
        case tooLarge = "the document is too large"
        case tooDeep = "objects and arrays are nested too deep"
        case tooManyMembers = "an object has too many members"
        case expectedValue = "a value expected"
        case expectedName = "a member name in quotes expected"
        case expectedColon = "':' expected"
        case expectedCommaOrBrace = "',' or '}' expected"
        case expectedCommaOrBracket = "',' or ']' expected"
        case expectedEnd = "the end of the document expected"
        case expectedDigit = "a digit expected"
        case expectedEscape = "one of \" \\ / b f n r t u expected after a backslash"
        case expectedHexDigits = "four hexadecimal digits expected"
        case loneSurrogate = "half of a surrogate pair"
        case controlCharacter = "a control character in a string must be escaped"
        case unterminatedString = "the closing quote is missing"
        case invalidUTF8 = "not UTF-8"
        case duplicateName = "a member name of this object is there twice"
    }

    package let problem: Problem
    /// Bytes before the fault.
    package let offset: Int

    package init(problem: Problem, offset: Int) {
        self.problem = problem
        self.offset = offset
    }

    package var description: String {
        "JSON: \(problem.rawValue) at byte \(offset)"
    }
}
