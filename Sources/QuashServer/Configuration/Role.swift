/// A process that reads settings.
package enum Role: String, CaseIterable, Sendable {
    /// Signs tokens and publishes revocations.
    case issuer
    /// Decides requests.
    case validator
}
