import QuashCrypto
import QuashJWT
import TestSupport
import Testing

@testable import QuashServer

/// A folder with everything that a whole configuration names.
struct ConfigurationFixture {
    let folder: TemporaryFolder
    let key: String
    let jwks: String

    init() throws {
        folder = try TemporaryFolder()
        key = try folder.write("signing.pem", TestKeys.privateKey)
        let keys = try KeySet([JSONWebKey(RSAPublicKey(pem: TestKeys.publicKey))])
        jwks = try folder.write("jwks.json", String(decoding: keys.serialized(), as: UTF8.self))
    }

    var issuerArguments: [String] { ["--signing-key-file", key, "--outbox-file", folder.path("outbox")] }
    var validatorArguments: [String] { ["--jwks-file", jwks] }

    func issuer(_ arguments: [String] = [], environment: [String: String] = [:]) throws -> IssuerConfiguration {
        try IssuerConfiguration(arguments: issuerArguments + arguments, environment: environment)
    }

    func validator(_ arguments: [String] = [], environment: [String: String] = [:]) throws -> ValidatorConfiguration {
        try ValidatorConfiguration(arguments: validatorArguments + arguments, environment: environment)
    }

    /// What is said about an issuer's settings, after those that are needed anyway.
    func problems(_ arguments: [String], environment: [String: String] = [:]) -> [String] {
        Self.problems { try issuer(arguments, environment: environment) }
    }

    /// The same with a YAML file, whose path is replaced by `FILE` so that a test can spell the line.
    func problems(yaml: String) throws -> [String] {
        let path = try folder.write("quash.yaml", yaml)
        return problems(["--config", path]).map { $0.replacing(path, with: "FILE") }
    }

    static func problems(_ read: () throws -> some Any) -> [String] {
        do {
            _ = try read()
            return []
        } catch {
            return (error as? ConfigurationError)?.problems ?? ["\(error)"]
        }
    }
}
