/// How log lines are written.
package enum LogFormat: String, CaseIterable, Sendable {
    /// Text on a terminal, JSON otherwise.
    case auto
    /// One JSON object a line.
    case json
    case text
}
