import Foundation
import Histogram
import Synchronization
import Testing

@testable import QuashLoad

/// A server on a unix socket that answers each request as it is told, for one connection at a time or several.
private final class StubServer: Sendable {
    struct Answer {
        var text: String
        var delaySeconds = 0.0
        var closes = false
    }

    static let accepted = Answer(text: "HTTP/1.1 204 No Content\r\n\r\n")
    static let refused = Answer(text: "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")

    let target: Target
    private let descriptor: Int32
    private let folder: WorkFolder
    private let count = Mutex(0)

    init(_ answer: @escaping @Sendable (Int, String) -> Answer) throws {
        folder = try WorkFolder()
        let path = folder.path("stub")
        target = .unix(path: path)
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        // SAFETY: the path of a work folder is shorter than the member.
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: Array(path.utf8)) }
        // SAFETY: bind(2) reads a sockaddr_un as the sockaddr that it begins with, and is told its size.
        let bound = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard bound == 0, listen(descriptor, 64) == 0 else { throw Failure.lastCall("bind") }
        Thread { [self] in
            while true {
                let connection = accept(descriptor, nil, nil)
                guard connection >= 0 else { return }
                Thread { [self] in serve(connection, answer) }.start()
            }
        }.start()
    }

    private func serve(_ connection: Int32, _ answer: @Sendable (Int, String) -> Answer) {
        defer { close(connection) }
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            // SAFETY: the pointer and the count are of the one array.
            let received = unsafe buffer.withUnsafeMutableBytes {
                unsafe recv(connection, $0.baseAddress!, $0.count, 0)
            }
            guard received > 0 else { return }
            let number = count.withLock { count in
                defer { count += 1 }
                return count
            }
            let reply = answer(number, String(decoding: buffer[..<received], as: UTF8.self))
            if reply.delaySeconds > 0 { usleep(UInt32(reply.delaySeconds * 1e6)) }
            let bytes = Array(reply.text.utf8)
            // SAFETY: as above.
            let sent = unsafe bytes.withUnsafeBytes {
                unsafe send(connection, $0.baseAddress!, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard sent == bytes.count, !reply.closes else { return }
        }
    }

    func stop() {
        shutdown(descriptor, Int32(SHUT_RDWR))
        close(descriptor)
        // The thread may hold this value until the process ends.
        folder.remove()
    }
}

@Suite(.timeLimit(.minutes(1))) struct GeneratorTests {
    private func requests(_ tokens: [(String, Expected)]) -> [(bytes: [UInt8], expectation: Expected)] {
        tokens.map { (Exchange.request("GET", "/", bearer: $0.0), $0.1) }
    }

    @Test func aStallIsChargedToAllRequestsThatWereDueMeanwhile() throws {
        let server = try StubServer { number, _ in
            var answer = StubServer.accepted
            if number == 100 { answer.delaySeconds = 0.4 }
            return answer
        }
        defer { server.stop() }
        let clients = Clients(requests([("good", .accept)]), connections: 1, pace: .open(perSecond: 1000))
        let outcome = try Generator.run(server.target, [clients], seconds: 1)[0]
        #expect(outcome.correct == 1000)
        #expect(outcome.failures == 0)
        // 400 requests were due while the one was answered; a load that waits for the server would see a single one.
        let late = outcome.latencies.recordedValues().reduce(0) { $0 + ($1.value > 100_000_000 ? $1.count : 0) }
        #expect(late >= 250)
        #expect(outcome.microseconds(1) >= 390_000)
    }

    @Test func everyAnswerIsLookedAt() throws {
        let server = try StubServer { number, request in
            if request.contains("broken") {
                return StubServer.Answer(text: "HTTP/1.1 503 \r\nContent-Length: 0\r\n\r\n")
            }
            return request.contains("accept") ? StubServer.accepted : StubServer.refused
        }
        defer { server.stop() }
        let clients = Clients(
            requests([
                ("accept", .accept), ("accept", .refuse), ("other", .refuse), ("other", .accept), ("broken", .refuse),
            ]),
            connections: 4, pace: .open(perSecond: 1000))
        let outcome = try Generator.run(server.target, [clients], seconds: 0.5)[0]
        #expect(outcome.correct == 200)
        #expect(outcome.wronglyAccepted == 100)
        #expect(outcome.wronglyRefused == 100)
        #expect(outcome.otherStatus == 100)
        #expect(outcome.unanswered == 0)
    }

    @Test func aConnectionThatIsClosedInOrderIsMadeAgain() throws {
        let server = try StubServer { number, _ in
            guard number % 10 == 9 else { return StubServer.accepted }
            return StubServer.Answer(text: "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n", closes: true)
        }
        defer { server.stop() }
        let clients = Clients(requests([("good", .accept)]), connections: 4, pace: .closed)
        let outcome = try Generator.run(server.target, [clients], seconds: 0.3)[0]
        #expect(outcome.correct > 100)
        #expect(outcome.failures == 0)
    }

    @Test func aConnectionThatBreaksIsAFailure() throws {
        let server = try StubServer { number, _ in
            number == 50 ? StubServer.Answer(text: "HTTP/1.1 2", closes: true) : StubServer.accepted
        }
        defer { server.stop() }
        let clients = Clients(requests([("good", .accept)]), connections: 2, pace: .open(perSecond: 1000))
        let outcome = try Generator.run(server.target, [clients], seconds: 0.2)[0]
        #expect(outcome.unanswered == 1)
        #expect(outcome.correct == 199)
    }

    @Test func whatIsTooMuchForTheServerIsNoWrongAnswer() throws {
        let server = try StubServer { _, _ in StubServer.Answer(text: StubServer.accepted.text, delaySeconds: 0.05) }
        defer { server.stop() }
        let clients = Clients(requests([("good", .accept)]), connections: 1, pace: .open(perSecond: 1000))
        let outcome = try Generator.run(server.target, [clients], seconds: 0.2)[0]
        // One in 50 ms, for 0.2 s and the 5 s that what is under way may take.
        #expect((60...110).contains(outcome.correct))
        #expect(outcome.correct + outcome.unanswered + outcome.unsent == 200)
        #expect(outcome.unanswered <= 1 && outcome.unsent > 80)
        #expect(outcome.seconds > 4)
        #expect(outcome.microseconds(1) > 4e6)
    }

    @Test func theEndOfOneClassDoesNotStretchTheTimeOfAnother() throws {
        let server = try StubServer { _, request in
            var answer = StubServer.accepted
            if request.contains("slow") { answer.delaySeconds = 0.6 }
            return answer
        }
        defer { server.stop() }
        let quick = Clients(requests([("quick", .accept)]), connections: 2, pace: .closed)
        let slow = Clients(requests([("slow", .accept)]), connections: 1, pace: .closed)
        let outcomes = try Generator.run(server.target, [quick, slow], seconds: 0.2)
        #expect(outcomes[0].seconds < 0.4)
        #expect(outcomes[1].seconds > 0.5)
    }

    @Test func classesOfClientsAreCountedApart() throws {
        let server = try StubServer { _, request in
            request.contains("good") ? StubServer.accepted : StubServer.refused
        }
        defer { server.stop() }
        let good = Clients(requests([("good", .accept)]), connections: 2, pace: .closed)
        let bad = Clients(requests([("bad", .refuse)]), connections: 2, pace: .open(perSecond: 500))
        let outcomes = try Generator.run(server.target, [good, bad], seconds: 0.4)
        #expect(outcomes[0].failures == 0 && outcomes[0].correct > 100)
        #expect(outcomes[1].failures == 0 && outcomes[1].correct == 200)
    }
}
