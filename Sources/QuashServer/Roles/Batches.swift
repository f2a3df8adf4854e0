/// Serves any number of equal requests with one piece of work after the other: those that come while one is under way
/// wait for the next. So every answer is newer than its request, and the cost does not grow with the requests.
///
/// States: idle → under way → idle, or under way again for those that came meanwhile.
final class Batches<Request> {
    /// Requests that may wait.
    let maxWaiting: Int
    private var waiting: [Request] = []
    private var isUnderWay = false
    private let work: ([Request]) -> Void

    /// - Parameter work: serves these, then calls ``finished()``, within the call or later.
    init(maxWaiting: Int, work: @escaping ([Request]) -> Void) {
        self.maxWaiting = maxWaiting
        self.work = work
    }

    /// - Returns: false when too many wait already, and this one was not taken.
    func add(_ request: Request) -> Bool {
        guard waiting.count < maxWaiting else { return false }
        waiting.append(request)
        if !isUnderWay { begin() }
        return true
    }

    /// The next may begin.
    func finished() {
        isUnderWay = false
        if !waiting.isEmpty { begin() }
    }

    private func begin() {
        isUnderWay = true
        let batch = waiting
        waiting = []
        work(batch)
    }
}
