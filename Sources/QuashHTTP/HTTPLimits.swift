/// Every limit of this module.
package struct HTTPLimits: Sendable {
    /// Bytes of a request line or a status line, without its end of line. More: 414.
    package static let maxStartLineBytes = 8 * 1024
    /// Bytes of all header fields, or of all trailer fields, with their ends of line. More: 431.
    package static let maxFieldsBytes = 16 * 1024
    /// Fields in a head. More: 431.
    package static let maxFields = 64
    /// Bytes of a method's name. More: 501.
    package static let maxMethodBytes = 32
    /// Bytes of the line before a chunk: its size and its extensions, which are ignored.
    package static let maxChunkLineBytes = 256
    /// Requests of one connection that wait for their answers; then its socket is not read.
    package static let maxPipelined = 16
    /// Interim responses (1xx) that a client takes before the final one.
    package static let maxInterimResponses = 8
    /// Bytes of unfinished requests that all connections of a process keep, unless their server is told otherwise.
    package static let maxBufferedBytes = 64 * 1024 * 1024
    /// Bytes of an output buffer that a connection keeps for its next answer.
    static let maxKeptOutputBytes = 16 * 1024

    /// From the first byte of a request to the end of its head, whatever trickles in between.
    package var headTimeout: Duration = .seconds(5)
    /// From the end of a head to the end of its body.
    package var bodyTimeout: Duration = .seconds(30)
    /// Between two requests on a connection, and before the first.
    package var idleTimeout: Duration = .seconds(75)
    /// How long an answer may wait for a peer that does not read it.
    package var writeTimeout: Duration = .seconds(30)
    /// How long a connection that this side ended waits for the peer's end.
    package var lingerTimeout: Duration = .seconds(2)
    /// Bytes of answers that may wait for a peer that does not read them.
    package var maxQueuedBytes = 4 * 1024 * 1024

    /// Requests that one connection has in a turn of the loop; those that came with them wait for a later turn.
    package var maxRequestsAtOnce = 16
    /// Requests that all connections of one server have in a turn of the loop; nil where it shares the loop with no
    /// other server.
    package var maxRequestsPerTurn: Int?

    package init() {}
}
