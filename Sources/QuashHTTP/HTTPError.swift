package import QuashLoop

/// Why a client's request brought no response.
package struct HTTPError: Error, Equatable, Sendable, CustomStringConvertible {
    /// What kind of failure it is.
    package enum Code: Equatable, Sendable {
        /// The text is no URL that can be requested.
        case invalidURL
        /// The connection could not be made or did not last. Whether the server has seen the request is not known,
        /// unless the code is `.refused`, `.unresolved` or `.tls`: then it has not.
        case connection(LoopError.Code)
        /// No complete response within the deadline; the server may have acted on the request.
        case timedOut
        /// What came is no HTTP/1 response.
        case malformedResponse
        /// The response is longer than the caller allows.
        case tooLarge
        case cancelled
    }

    package let code: Code
    /// The whole sentence, without a final stop. It names the endpoint, never a query, a field or content.
    package let description: String

    init(_ code: Code, _ description: String) {
        self.code = code
        self.description = description
    }
}
