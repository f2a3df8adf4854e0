import Glibc
import Quash
import QuashHTTP
import QuashLoop
import QuashServer

/// A whole request: from its bytes in a socket to the answer's, through the loop, the parser, the decision and back.
struct Request {
    private let fixture: Fixture
    private let accepts: Bool

    init(isRevoked: Bool) throws {
        fixture = try Fixture(cachedTokens: 64, isRevoked: isRevoked)
        accepts = !isRevoked
    }

    /// The client and the server take turns on this thread, so that nothing waits for another.
    func run(_ count: Int) throws {
        let path = "/tmp/quash-counts-\(getpid()).sock"
        let loop = try Loop()
        let endpoints = AuthorizationEndpoints(
            on: loop, validator: fixture.validator, metrics: DecisionMetrics(DecisionMetrics.Families()),
            canDecide: { true }, hasReached: { _ in true }, unknownKey: {})
        let server = try HTTPServer(on: loop, at: BoundAddress(.unix(path: path)), responder: endpoints)
        let client = connect(to: path)
        let head = Counts.head(fixture.token)
        let expected = Array((accepts ? "HTTP/1.1 204" : "HTTP/1.1 401").utf8)
        var answer = [UInt8](repeating: 0, count: 4096)
        for _ in 0..<count {
            // SAFETY: both calls are given as many bytes as there are.
            let sent = unsafe head.withUnsafeBytes { unsafe write(client, $0.baseAddress, $0.count) }
            precondition(sent == head.count)
            var received = -1
            while received < 0 {
                loop.runOnce()
                received = unsafe answer.withUnsafeMutableBytes {
                    unsafe recv(client, $0.baseAddress, $0.count, Int32(MSG_DONTWAIT))
                }
            }
            precondition(answer[..<expected.count].elementsEqual(expected))
        }
        close(client)
        server.close()
        loop.close()
    }

    private func connect(to path: String) -> Int32 {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: path.utf8) }
        // SAFETY: connect(2) takes a sockaddr_un as a sockaddr for AF_UNIX, with its length beside it.
        let status = unsafe withUnsafePointer(to: address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        precondition(status == 0, "connect: \(errno)")
        return descriptor
    }
}
