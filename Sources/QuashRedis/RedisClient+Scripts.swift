import Glibc
import QuashLoop

extension RedisClient {
    /// Runs a script by its digest (EVALSHA); where the server does not know it, as after a restart, loads it and runs
    /// it once more.
    ///
    /// A user who may not load scripts gets a `NOSCRIPT` failure then, which says so.
    ///
    /// - Parameters:
    ///   - keys: what the script takes as KEYS; the user needs to be allowed to read and write each.
    ///   - timeout: for each command of it.
    ///   - completion: as with `send`.
    package func eval(
        _ script: RedisScript, keys: [[UInt8]], arguments: [[UInt8]], timeout: Duration,
        completion: @escaping Completion
    ) {
        let head = ["EVALSHA", script.digest, "\(keys.count)"].map { Array($0.utf8) }
        let command = RedisCommand(head + keys + arguments)
        send(command, timeout: timeout) { [weak self] result in
            guard let self, result.isUnknownScript else { return completion(result) }
            // Sent together: where the loading fails, the script is still unknown, and the second answer says that.
            var loading: Result<RESPValue, RedisError>?
            send(script.loading, timeout: timeout) { loading = $0 }
            send(command, timeout: timeout) { result in
                if result.isUnknownScript, case .failure(let error) = loading {
                    completion(
                        .failure(
                            RedisError(
                                .server(prefix: "NOSCRIPT"),
                                "Redis does not know the script \(script.name), and it cannot be loaded: \(error)")))
                } else {
                    completion(result)
                }
            }
        }
    }

    /// Loads a script, so that those who may not load it can run it.
    package func load(_ script: RedisScript, timeout: Duration, completion: @escaping (RedisError?) -> Void) {
        send(script.loading, timeout: timeout) { result in
            if case .failure(let error) = result { completion(error) } else { completion(nil) }
        }
    }

    /// Asks what decides whether this Redis may hold revocations. See `ServerFacts`.
    package func readServerFacts(
        timeout: Duration, completion: @escaping (Result<ServerFacts, RedisError>) -> Void
    ) {
        let isFoundBySentinels = location.isFoundBySentinels
        let sent = nanoseconds(of: CLOCK_BOOTTIME)
        send(RedisCommand("INFO"), timeout: timeout) { result in
            completion(
                result.flatMap { reply in
                    Result { () throws(RedisError) in
                        try ServerFacts(
                            info: reply.text ?? "", isFoundBySentinels: isFoundBySentinels,
                            wallMicroseconds: nanoseconds(of: CLOCK_REALTIME) / 1000,
                            roundTrip: .nanoseconds(nanoseconds(of: CLOCK_BOOTTIME) - sent))
                    }
                })
        }
    }
}

/// What a clock shows now.
private func nanoseconds(of clock: clockid_t) -> Int64 {
    var time = timespec()
    // SAFETY: clock_gettime(2) fills the structure it is given; both clocks exist on every Linux.
    guard unsafe clock_gettime(clock, &time) == 0 else { preconditionFailure("there is no clock \(clock)") }
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
}

extension RedisScript {
    fileprivate var loading: RedisCommand { RedisCommand("SCRIPT", "LOAD", source) }
}

extension Result<RESPValue, RedisError> {
    fileprivate var isUnknownScript: Bool {
        if case .failure(let error) = self { error.serverPrefix == "NOSCRIPT" } else { false }
    }
}
