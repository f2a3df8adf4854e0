import Glibc
import Logging
import Quash
import QuashHTTP
import TestSupport
import Testing

@testable import QuashServer

/// Each administrative act is told: who, what, to whom, with what result, and nothing secret.
@Suite("The audit") struct AuditTests {
    private let records = AuditRecorder()
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    private func fleet() throws -> Fleet {
        let digest = ClientCredentials(name: "web", secret: "s").secretDigest
        let file = try folder.write("clients", #"{"clients":[{"client_id":"web","secret_sha256":"\#(digest)"}]}"#)
        let fleet = try Fleet(issuerSettings: ["--clients-file", file], log: records.logger)
        try fleet.waitUntilReady()
        return fleet
    }

    private func last(_ action: AuditAction) throws -> [String: String] {
        try #require(records.all.last { $0["action"] == action.rawValue }, "\(action): \(records.all)")
    }

    /// Its token is good for nothing else, and could fill the disk.
    @Test func endingASessionAgainAndAgainIsToldOnce() throws {
        let fleet = try fleet()
        let pair = try fleet.signIn("alice")
        /// How many times it was told once it was ended once more.
        func endings() throws -> Int {
            #expect(try fleet.logout(pair.access).status == .ok)
            return records.all.count { $0["action"] == AuditAction.sessionLogout.rawValue }
        }
        var told = try endings()
        #expect(told == 1)
        // Until the issuer has heard of it itself.
        #expect(
            try poll {
                let before = told
                told = try endings()
                return told == before
            })
        for _ in 0..<20 { #expect(try endings() == told) }
    }

    @Test func everyActIsTold() throws {
        let fleet = try fleet()
        let pair = try fleet.signIn("alice", more: #","client_id":"web""#)
        var told = try last(.sessionCreate)
        #expect(told["event"] == "audit")
        #expect(told["result"] == "done" && told["targets"] == "[\"alice\"]")
        #expect(told["session"] == pair.session && told["client_id"] == "web")
        #expect(told["actor"]?.hasPrefix("credential:") == true && told["actor"]?.count == 19)
        #expect(told["peer"]?.hasPrefix("127.0.0.1:") == true)

        _ = try fleet.sessions(of: "alice")
        #expect(try last(.sessionsList)["targets"] == "[\"alice\"]")

        #expect(try fleet.logout(pair.access).status == .ok)
        told = try last(.sessionLogout)
        #expect(told["actor"] == "token" && told["result"] == "stored" && told["targets"] == "[\"\(pair.session)\"]")

        #expect(try fleet.revoke(#"{"jti":["a","b"],"reason":"lost phone"}"#).status == .created)
        told = try last(.revocationCreate)
        #expect(told["kind"] == "jti" && told["count"] == "2" && told["reason"] == "lost phone")
        #expect(told["result"] == "stored" && told["position"] != nil)

        #expect(try fleet.admin(.delete, "/admin/v1/subjects/alice/sessions").status == .ok)
        #expect(try last(.sessionsEnd)["result"] == "stored")

        #expect(try fleet.admin(.post, "/admin/v1/recovery", #"{"without":["b"]}"#).status == .conflict)
        told = try last(.feedRecover)
        #expect(told["result"] == "refused" && told["error"]?.contains("waits for no issuer") == true)

        fleet.issuer.reload()
        #expect(poll { records.all.last?["action"] == "keys.reload" })
        #expect(try last(.keysReload)["result"] == "done")
    }

    @Test func whatFailsIsToldToo() throws {
        let fleet = try fleet()
        #expect(try fleet.admin(.post, "/admin/v1/sessions", "{}").status == .badRequest)
        #expect(try last(.sessionCreate)["result"] == "refused")
        fleet.redis.kill9()
        #expect(try fleet.revoke(#"{"sub":"bob"}"#).status == .serviceUnavailable)
        let told = try last(.revocationCreate)
        #expect(told["result"] == "unavailable" && told["targets"] == "[\"bob\"]")
        TemporaryFolder.remove(fleet.folder.path("signing.pem"))
        fleet.issuer.reload()
        #expect(poll { records.all.last?["action"] == "keys.reload" })
        #expect(try last(.keysReload)["result"] == "refused")
        #expect(try last(.keysReload)["error"]?.contains("signing.pem") == true)
    }

    @Test func refusedCredentialsAreTold() throws {
        let fleet = try fleet()
        let wrong: FieldLines = ["Authorization": "Bearer not-the-credential-at-all"]
        #expect(try fleet.web.call(.get, fleet.adminURL + "/admin/v1/nodes", fields: wrong).status == .unauthorized)
        #expect(try last(.credentialRefused)["listener"] == "admin")
        let basic = ClientCredentials(name: "web", secret: "wrong").basic
        let refused = try fleet.web.form(fleet.publicURL + "/oauth2/token", "grant_type=refresh_token", fields: basic)
        #expect(refused.status == .unauthorized)
        #expect(try last(.credentialRefused)["listener"] == "public")
        #expect(!records.all.contains { $0.values.contains { $0.contains("not-the-credential") } })
    }

    /// Somebody may give a token where only its name is asked for.
    @Test func aTokenInTheWrongPlaceIsNotTold() throws {
        let fleet = try fleet()
        let pair = try fleet.signIn()
        #expect(
            try fleet.revoke(#"{"jti":"\#(pair.access)","reason":"\#(pair.access.prefix(200))"}"#).status == .created)
        let told = try last(.revocationCreate)
        #expect(told["targets"] == "[\"[token]\"]")
        #expect(told.values.allSatisfy { !$0.contains("eyJ") })
    }

    /// Whoever tries many does not fill the disk.
    @Test func aFloodOfRefusalsIsCounted() throws {
        let audit = AuditLog(records.logger)
        let actor = AuditActor(name: "unknown", peer: "p")
        for _ in 0..<1000 { audit.refused(actor, listener: "public", now: BootInstant(nanoseconds: 1)) }
        #expect(records.all.count == LineLimit.perSecond)
        // It hides nothing of the other listener.
        audit.refused(actor, listener: "admin", now: BootInstant(nanoseconds: 1))
        #expect(records.all.last?["listener"] == "admin" && records.all.last?["suppressed"] == nil)
        audit.refused(actor, listener: "public", now: BootInstant(nanoseconds: 1_000_000_001))
        #expect(records.all.last?["suppressed"] == "\(1000 - LineLimit.perSecond)")
    }

    /// While Redis is away, one token could fill the disk; but who wanted to log out must be known.
    @Test func aLogoutThatFailsIsToldOnce() throws {
        let fleet = try fleet()
        let pairs = try ["alice", "bob"].map { try fleet.signIn($0) }
        fleet.redis.kill9()
        for _ in 0..<30 {
            for pair in pairs { #expect(try fleet.logout(pair.access).status == .serviceUnavailable) }
        }
        let told = records.all.filter { $0["action"] == AuditAction.sessionLogout.rawValue }
        #expect(told.map { $0["targets"] } == pairs.map { "[\"\($0.session)\"]" })
        #expect(told.allSatisfy { $0["result"] == "unavailable" })
    }

    @Test func aReloadThatIsRefusedIsTold() throws {
        records.logger.refusedReload(["lease: 0 s is too short", "listen: no port"])
        let told = try last(.keysReload)
        #expect(told["actor"] == "process" && told["result"] == "refused")
        #expect(told["error"] == "lease: 0 s is too short; listen: no port")
    }

    /// The audit is written whatever else is.
    @Test func theLevelOfTheLogDoesNotCount() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("log", "")
        let descriptor = unsafe open(path, O_WRONLY | O_APPEND | O_CLOEXEC)
        let output = LogOutput(format: .json, level: .critical, descriptor: descriptor)
        let logger = output.logger("quash")
        logger.record(.issuerStarted)
        AuditLog(logger).record(.keysReload, by: AuditActor(name: "process", peer: ""), result: "done")
        let lines = TemporaryFolder.read(path).split(separator: "\n")
        #expect(lines.count == 1)
        #expect(lines.first?.contains(#""event":"audit""#) == true)
        close(descriptor)
    }
}

/// Keeps the fields of every line of the audit.
private struct AuditRecorder {
    private let lines = Recorder<[String: String]>()

    var all: [[String: String]] { lines.all }

    var logger: Logger { Logger(label: "test") { [lines] _ in Writer(lines: lines) } }

    private struct Writer: LogHandler {
        let lines: Recorder<[String: String]>
        var logLevel = Logger.Level.critical
        var metadata: Logger.Metadata = [:]

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            guard let fields = event.metadata, fields["event"]?.description == "audit" else { return }
            lines.record(fields.mapValues(\.description))
        }
    }
}
