/// Why a role does not start, in one line that says what to do.
public struct StartFailure: Error, Equatable, CustomStringConvertible {
    public let description: String

    init(_ description: String) {
        self.description = description
    }
}
