import QuashCrypto
import QuashJWT
import TestSupport

enum KeySetFile {
    /// Writes `jwks.json` with the public half of the key that the tests sign with, and gives its path.
    static func write(to folder: TemporaryFolder) throws -> String {
        let keys = try KeySet([JSONWebKey(RSAPublicKey(pem: TestKeys.publicKey))])
        return try folder.write("jwks.json", String(decoding: keys.serialized(), as: UTF8.self))
    }
}
