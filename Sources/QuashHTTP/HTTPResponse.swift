/// A response as a client gets it, whole.
package struct HTTPResponse: Sendable {
    package let status: HTTPStatus
    /// In the order of the response; names as they were spelled.
    package let fields: [(name: String, value: String)]
    package let body: [UInt8]

    /// The value of the first field called `name`, which is in lower case; nil without one.
    package func firstValue(of name: String) -> String? {
        fields.first { $0.name.lowercased() == name }?.value
    }
}
