import QuashCrypto
import TestSupport
import Testing

@testable import QuashRedis

@Suite struct RedisOptionsTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    @Test func takesWhatTheURLSays() throws {
        let options = try RedisOptions(url: RedisURL("redis://quash:secret@h/3"))
        #expect(options.user == "quash" && options.password == "secret" && options.database == 3)
        #expect(options.tls == nil)
    }

    @Test func takesAPasswordWhereTheURLHasNone() throws {
        #expect(try RedisOptions(url: RedisURL("redis://quash@h"), password: "one").password == "one")
    }

    @Test func refusesTwoPasswords() throws {
        let error = #expect(throws: RedisError.self) {
            try RedisOptions(url: RedisURL("redis://:SECRET@h"), password: "OTHER")
        }
        #expect(error?.description.contains("SECRET") == false && error?.description.contains("OTHER") == false)
    }

    @Test func usesTLSForItsSchemeOnly() throws {
        let authorities = try folder.write("ca.pem", TestCertificates.authority)
        #expect(try RedisOptions(url: RedisURL("rediss://h"), authoritiesFile: authorities).tls != nil)
        #expect(throws: RedisError.self) {
            try RedisOptions(url: RedisURL("redis://h"), authoritiesFile: authorities)
        }
        let error = #expect(throws: RedisError.self) {
            try RedisOptions(url: RedisURL("rediss://h"), authoritiesFile: folder.path("missing"))
        }
        #expect(error?.code == .configuration)
        #expect(error?.description.contains("missing") == true)
    }

    @Test func showsNoPassword() throws {
        let options = try RedisOptions(url: RedisURL("redis://quash:SECRET@h/3"))
        var dumped = ""
        dump(options, to: &dumped)
        #expect(!"\(options) \(String(reflecting: options)) \(dumped)".contains("SECRET"))
    }
}
