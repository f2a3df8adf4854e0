// Validates tokens within a service, without a gateway and without a call to anyone.

// snippet.setup
import Logging
import Quash
import QuashServer

let configuration = try ValidatorConfiguration(
    arguments: ["--jwks-url", "http://127.0.0.1:8080/.well-known/jwks.json", "--redis-url", "redis://127.0.0.1:6379"],
    environment: [:])
let node = try EmbeddedNode(configuration, log: Logger(label: "service"))
// snippet.end

// snippet.decide
func answer(bearer token: String) -> String {
    let bytes = Array(token.utf8)
    switch node.validate(bytes.span) {
    case .accepted(let token): return "200 for \(token.claims.subject)"
    case .refused: return "401"
    // Never a 401: a client would throw its refresh token away.
    case .unavailable: return "503"
    }
}
// snippet.end

print(answer(bearer: CommandLine.arguments.last ?? ""))
node.stop()
