@_exported public import QuashProcess

/// A failure of a test's own equipment, in words: never of the thing under test.
package typealias TestSupportError = ProcessFailure
