/// The one error of this module. Its texts name files and reasons, never key material.
public enum CryptoError: Error, Hashable, CustomStringConvertible {
    /// A file with a key, a certificate or a secret was refused; `problem` says why and what to do.
    case file(path: String, problem: String)
    /// A key breaks the policy of RFC 8725 §3.5 as this product states it: RSA, 2048 to 4096 bits, exponent 65537.
    case key(problem: String)
    /// The peer's certificate was not accepted, so nothing that it sent may be believed.
    case certificateRefused(reason: String)
    /// The TLS session failed. The peer broke the protocol, refused us, or shares no version or cipher with us.
    case tls(reason: String)
    /// More ciphertext waits for the network than `TLSLimits.maxPendingOutputBytes`.
    case outputFull
    /// OpenSSL failed at something that only an exhausted machine or a broken installation makes it fail at.
    case openSSL(operation: String, reason: String)

    public var description: String {
        switch self {
        case .file(let path, let problem): "\(path): \(problem)"
        case .key(let problem): problem
        case .certificateRefused(let reason): "peer certificate refused: \(reason)"
        case .tls(let reason): "TLS: \(reason)"
        case .outputFull: "TLS: more than \(TLSLimits.maxPendingOutputBytes) bytes wait to be sent"
        case .openSSL(let operation, let reason): "OpenSSL failed to \(operation): \(reason)"
        }
    }
}
