import Glibc
import QuashLoop
import TestSupport
import Testing

/// The gateways that run here, each with the configuration that is shipped for it.
enum GatewayKind: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case nginx
    case haproxy
    case caddy
    case envoy

    var testDescription: String { rawValue }

    /// Whether it gives Retry-After on every failure of its own too. Envoy's filter cannot say more than a status.
    var saysWhenToRetry: Bool { self != .envoy }

    /// Whether fields in a trailer go on as they are, in a trailer: HAProxy has nothing that removes them.
    var forwardsTrailers: Bool { self == .haproxy }

    /// Whether the client is spared the 503 of one validator while there are others. Caddy tries again only where there
    /// is no answer; after the first it leaves that validator alone.
    var asksAnotherAfter503: Bool { self != .caddy }

    /// The version of the program that is installed, as its makers write it.
    var version: String {
        get throws {
            let arguments =
                switch self {
                case .nginx, .haproxy: ["-v"]
                case .caddy: ["version"]
                case .envoy: ["--version"]
                }
            let text = try ChildProcess.run([try program] + arguments)
            return text.firstMatch(of: /[0-9]+\.[0-9]+\.[0-9]+/).map { String($0.0) } ?? text
        }
    }

    /// Where its program is.
    var program: String {
        get throws {
            let places: [String] =
                switch self {
                case .nginx: ["/usr/sbin/nginx"]
                case .haproxy: ["/usr/sbin/haproxy"]
                case .caddy: ["/usr/bin/caddy"]
                // Made by scripts/gateways; a virtual environment is named after the version of Python.
                case .envoy:
                    (9...19).map { minor in
                        "\(Repository.root)/.build-envoy/lib/python3.\(minor)/site-packages/envoy/_bin/envoy"
                    }
                }
            guard let found = places.first(where: { path in unsafe access(path, X_OK) == 0 }) else {
                throw TestSupportError("\(rawValue) is not installed: run scripts/gateways")
            }
            return found
        }
    }

    /// The address of a validator as this gateway's configuration spells it.
    func spelling(of endpoint: Endpoint) -> String {
        switch (self, endpoint) {
        case (.envoy, .tcp(let host, let port)):
            "socket_address: { address: \(host), port_value: \(port) }"
        case (.envoy, .unix(let path)): "pipe: { path: \(path) }"
        case (_, .tcp(let host, let port)): "\(host):\(port)"
        case (.nginx, .unix(let path)): "unix:\(path)"
        case (.haproxy, .unix(let path)): "unix@\(path)"
        case (.caddy, .unix(let path)): "unix/\(path)"
        }
    }
}

/// A configuration that is shipped, whose addresses are replaced: nothing else may be.
struct ShippedConfiguration {
    let path: String
    private(set) var text: String

    /// - Parameter path: under `docker/gateways`.
    init(_ path: String) throws {
        self.path = path
        text = String(decoding: try Repository.read("docker/gateways/\(path)"), as: UTF8.self)
    }

    /// Throws when the shipped text is not there exactly `count` times.
    mutating func replace(_ shipped: String, with here: String, count: Int = 1) throws {
        guard text.ranges(of: shipped).count == count else {
            throw TestSupportError("\(path) does not have «\(shipped)» \(count) times")
        }
        text.replace(shipped, with: here)
    }

    /// Repeats the lines that have `shipped` in them, which must stand together, as each of `replacements` makes them.
    mutating func repeatLines(with shipped: String, _ replacements: [(_ line: String) -> String]) throws {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        let places = lines.indices.filter { lines[$0].contains(shipped) }
        guard let first = places.first, let last = places.last, last - first == places.count - 1 else {
            throw TestSupportError("\(path) does not have «\(shipped)» in one place")
        }
        let copies = replacements.flatMap { lines[first...last].map($0) }
        text = (lines[..<first] + copies + lines[(last + 1)...]).joined(separator: "\n")
    }
}
