import Testing

@testable import QuashLoad

@Suite struct WrkTests {
    private let line =
        "result requests=81234 microseconds=2000345 status=3 connect=1 read=2 write=4 timeout=8 p50=700 p99=1500"

    @Test func theLineOfTheScriptIsRead() throws {
        let output = """
            Running 2s test @ http://127.0.0.1:8081
              1 threads and 64 connections
            Requests/sec:  40617.00

            \(line)

            """
        let result = try Wrk.Result(output)
        #expect(
            result == Wrk.Result(requests: 81234, microseconds: 2_000_345, statusErrors: 3, brokenRequests: 15))
        #expect(result.perSecond.rounded() == 40610)
    }

    @Test func whatLacksSomethingIsAFailure() {
        for output in [
            "", "Requests/sec: 1", line.replacing(" read=2", with: ""), line.replacing("status=3", with: "status=-3"),
            line.replacing("microseconds=2000345", with: "microseconds=0"), line + " extra",
        ] {
            #expect(throws: Failure.self, "\(output)") { try Wrk.Result(output) }
        }
    }

    @Test func countsMayDifferByWhatIsUnderWay() {
        #expect(ClosedRounds.difference(server: 1000, client: 1000) == 0)
        #expect(ClosedRounds.difference(server: 1064, client: 1000) == 0)
        #expect(ClosedRounds.difference(server: 1065, client: 1000) == 1)
        #expect(ClosedRounds.difference(server: 999, client: 1000) == 1)
    }
}
