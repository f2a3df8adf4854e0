/// What is fed with arbitrary bytes, each with what must hold whatever they are.
///
/// The same properties are run by libFuzzer (`scripts/fuzz`), which looks for inputs, and by the test suite over the
/// inputs that are kept in `Corpus`: one small example of each form, and every input that once failed.
enum FuzzTarget: String, CaseIterable, Sendable {
    case adminRequest = "admin-request"
    case base64url
    case feed
    case form
    case httpRequest = "http-request"
    case httpResponse = "http-response"
    case json
    case keySet = "key-set"
    case redisAnswer = "redis-answer"
    case redisReply = "redis-reply"
    case token

    /// Feeds `bytes`. A trap is a failure too.
    func run(_ bytes: [UInt8]) throws(BrokenProperty) {
        switch self {
        case .adminRequest: try fuzzAdminRequest(bytes)
        case .base64url: try fuzzBase64URL(bytes)
        case .feed: try fuzzFeed(bytes)
        case .form: try fuzzForm(bytes)
        case .httpRequest: try fuzzHTTPRequest(bytes)
        case .httpResponse: try fuzzHTTPResponse(bytes)
        case .json: try fuzzJSON(bytes)
        case .keySet: try fuzzKeySet(bytes)
        case .redisAnswer: try fuzzRedisAnswer(bytes)
        case .redisReply: try fuzzRedisReply(bytes)
        case .token: try fuzzToken(bytes)
        }
    }
}

/// What should have held and did not.
struct BrokenProperty: Error, CustomStringConvertible {
    let description: String
}

/// - Throws: `BrokenProperty` unless `holds`.
func require(_ holds: Bool, _ property: @autoclosure () -> String) throws(BrokenProperty) {
    if !holds { throw BrokenProperty(description: property()) }
}
