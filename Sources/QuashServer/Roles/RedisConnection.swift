import QuashCrypto
import QuashRedis

extension RedisOptions {
    /// How the configuration says to reach Redis.
    init(_ configuration: SharedConfiguration, clientName: String) throws(RedisError) {
        try self.init(
            url: configuration.redisURL, password: configuration.redisPassword?.text,
            authoritiesFile: configuration.redisCAFile,
            identity: configuration.redisCertificate.map {
                TLSContext.Identity(certificateChainPath: $0.certificatePath, privateKeyPath: $0.keyPath)
            })
        self.clientName = clientName
        // The wait between two attempts must leave room for a renewal before a lease ends: else an outage shorter than
        // the lease would refuse valid tokens.
        backoff = .milliseconds(25)...max(.milliseconds(50), configuration.renewInterval / 2)
    }
}
