import Glibc

/// What `scripts/gateways` asks for.
enum Environment {
    /// Set to run these tests, which need the gateways' programs.
    static let runs = variable("QUASH_GATEWAYS") != nil
    /// Set to also measure the figures; the number of revocations.
    static let revocations = variable("QUASH_GATEWAY_FIGURES").flatMap { Int($0) }
    /// The program to measure with, where it is not the one that was built with the tests.
    static let program = variable("QUASH_GATEWAY_PROGRAM")

    /// The gateways that are tested, when not all are.
    static let kinds: [GatewayKind] = {
        let kinds = GatewayKind.allCases.filter { variable("QUASH_GATEWAY_KIND") ?? $0.rawValue == $0.rawValue }
        precondition(!kinds.isEmpty, "QUASH_GATEWAY_KIND is the name of no gateway")
        return kinds
    }()

    static let variables = ["QUASH_GATEWAYS", "QUASH_GATEWAY_KIND", "QUASH_GATEWAY_FIGURES", "QUASH_GATEWAY_PROGRAM"]

    private static func variable(_ name: String) -> String? {
        unsafe getenv(name).map { unsafe String(cString: $0) }
    }
}
