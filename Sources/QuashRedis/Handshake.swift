import QuashLoop

/// The commands that open a connection: AUTH, SELECT, CLIENT SETNAME, ROLE and PING, each when it is needed, sent
/// together.
///
/// PING always comes last: a connection is of use only when something behind it answers. A server that accepts and then
/// hangs up, that is loading its data, or that wants a password shows itself here and not to the first user.
struct Handshake: Equatable, Sendable {
    private enum Step: Equatable {
        case authenticate
        case select
        case setName
        case role
        case ping
    }

    let commands: [RedisCommand]
    private let user: String
    private let expectedMaster: Endpoint?
    private let steps: [Step]
    private var answered = 0

    /// - Parameter expectedMaster: the server, when it is of use only as the master; nil when any role will do.
    init(_ options: RedisOptions, expectedMaster: Endpoint? = nil) {
        self.expectedMaster = expectedMaster
        user = options.user ?? "default"
        var steps: [Step] = []
        var commands: [RedisCommand] = []
        switch (options.user, options.password) {
        case (nil, nil): break
        case (nil, let password?):
            steps.append(.authenticate)
            commands.append(RedisCommand("AUTH", password))
        case (let user?, let password):
            // A user with `nopass` takes any password.
            steps.append(.authenticate)
            commands.append(RedisCommand("AUTH", user, password ?? ""))
        }
        if options.database != 0 {
            steps.append(.select)
            commands.append(RedisCommand("SELECT", "\(options.database)"))
        }
        if let name = options.clientName {
            steps.append(.setName)
            commands.append(RedisCommand("CLIENT", "SETNAME", name))
        }
        if expectedMaster != nil {
            steps.append(.role)
            commands.append(RedisCommand("ROLE"))
        }
        self.steps = steps + [.ping]
        self.commands = commands + [RedisCommand("PING")]
    }

    /// A reply came.
    ///
    /// - Returns: whether it was the last one that is needed.
    /// - Throws: why the connection is of no use.
    mutating func received(_ reply: RESPValue) throws(RedisError) -> Bool {
        precondition(answered < steps.count, "a handshake got a reply after its last one")
        let step = steps[answered]
        answered += 1
        switch (step, reply) {
        case (.authenticate, .error(let text)): throw RedisError(reply: text, to: "to sign in the user \(user)")
        case (.select, .error(let text)): throw RedisError(reply: text, to: "to select the database")
        case (.setName, _): break
        case (.role, .error(let text)):
            throw RedisError(reply: text, to: "to tell its ROLE, which whoever finds it through sentinels must ask")
        case (.role, .array(let elements)):
            guard let role = elements.first?.text else { throw Self.notRedis }
            guard role == "master" else { throw notMaster(role) }
        case (.ping, .error(let text)):
            // A user who may not PING has been answered all the same.
            let error = RedisError(reply: text, to: "the connection")
            if error.serverPrefix != "NOPERM" { throw error }
        case (.ping, .simple(Array("PONG".utf8))): break
        case (.authenticate, .simple(Array("OK".utf8))), (.select, .simple(Array("OK".utf8))): break
        default: throw Self.notRedis
        }
        return answered == steps.count
    }

    private static var notRedis: RedisError {
        RedisError(.protocolViolation, "what answers there does not answer as Redis does")
    }

    private func notMaster(_ role: String) -> RedisError {
        let server = expectedMaster.map { "Redis at \($0)" } ?? "Redis"
        let known = role == "slave" ? "a replica" : "no master"
        return RedisError(.unavailable, "\(server), which a sentinel calls the master, says that it is \(known)")
    }
}
