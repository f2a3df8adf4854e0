import Glibc
import TestSupport
import Testing

/// A process with few descriptors serves again once a crowd of connections has gone.
@Suite struct DescriptorLimitTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    /// A validator with two listen addresses and two loops, without Redis, under a limit of open files.
    private func start(descriptors: Int) throws -> ChildProcess {
        // It may inherit descriptors that other tests of this process have open, and they would count.
        let script =
            "for file in /proc/$$/fd/*; do n=${file##*/}; ((n > 2)) && eval \"exec $n>&-\"; done; "
            + "ulimit -n \(descriptors); exec \"$@\""
        return try ChildProcess([
            "bash", "-c", script, "bash", BuiltProgram.path("quash"), "validator",
            "--redis-url", "unix://\(folder.path("no-redis"))", "--jwks-file", try KeySetFile.write(to: folder),
            "--loops", "2", "--listen", "unix:\(folder.path("first")),unix:\(folder.path("second"))",
            "--admin-listen", "unix:\(folder.path("admin"))",
        ])
    }

    private func answer(_ target: String, at socket: String) -> String? {
        guard let client = try? RawClient(path: folder.path(socket)) else { return nil }
        client.send("GET \(target) HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        return client.readToEnd()
    }

    /// 128: there is a budget, and it is smaller than the crowd. 42: less than the process is given for connections, so
    /// that it runs out of descriptors itself.
    @Test(arguments: [(128, "connections"), (42, "descriptors")])
    func aCrowdThatLeavesTakesNothingWithIt(descriptors: Int, shortage: String) throws {
        let validator = try start(descriptors: descriptors)
        #expect(
            poll(within: .seconds(20)) { answer("/livez", at: "admin")?.hasPrefix("HTTP/1.1 200") == true },
            "\(validator.output)")
        do {
            // Half of them at each address, and each of a loop's share and more.
            let crowd = try (0..<200).map { try RawClient(path: folder.path($0 % 2 == 0 ? "first" : "second")) }
            #expect(poll(within: .seconds(20)) { validator.output.contains("\"shortage\":\"\(shortage)\"") })
            if shortage == "connections" {
                #expect(answer("/livez", at: "admin")?.hasPrefix("HTTP/1.1 200") == true, "during a crowd")
                let page = answer("/metrics", at: "admin") ?? ""
                let count = page.split(separator: "\n").first {
                    $0.contains("pauses_total{listener=\"listen\",shortage=\"c")
                }
                #expect(count?.hasSuffix(" 0") == false, "\(page)")
            }
            _ = crowd
        }
        for socket in ["first", "second"] {
            // Without Redis there is no lease: 503, from a process that serves.
            #expect(answer("/readyz", at: socket)?.hasPrefix("HTTP/1.1 503") == true, "\(socket): \(validator.output)")
        }
        #expect(answer("/livez", at: "admin")?.hasPrefix("HTTP/1.1 200") == true)
    }
}
