/// Asks for each element, some at a time, and gives all answers in the order of the elements: so a request that is
/// about thousands of sessions takes its turn among others. On one loop.
final class InTurn<Element, Value> {
    /// How many are asked for at a time, by one request.
    static var width: Int { 64 }

    private let elements: [Element]
    private let ask: (Element, @escaping (Result<Value, any Error>) -> Void) -> Void
    private let answer: (Result<[Value], any Error>) -> Void
    private var values: [Value?]
    private var next = 0
    private var running = 0
    private var failure: (any Error)?
    private var isStarting = false

    /// - Parameters:
    ///   - ask: answers once for each element. After a failure no other is asked for.
    ///   - answer: called once, when nothing is under way any more.
    static func run(
        _ elements: [Element], ask: @escaping (Element, @escaping (Result<Value, any Error>) -> Void) -> Void,
        answer: @escaping (Result<[Value], any Error>) -> Void
    ) {
        InTurn(elements, ask, answer).proceed()
    }

    private init(
        _ elements: [Element], _ ask: @escaping (Element, @escaping (Result<Value, any Error>) -> Void) -> Void,
        _ answer: @escaping (Result<[Value], any Error>) -> Void
    ) {
        self.elements = elements
        self.ask = ask
        self.answer = answer
        values = [Value?](repeating: nil, count: elements.count)
    }

    private func proceed() {
        // An answer may come within the question: then the loop below goes on.
        guard !isStarting else { return }
        isStarting = true
        while next < elements.count, running < Self.width, failure == nil {
            let place = next
            next += 1
            running += 1
            ask(elements[place]) { [self] result in
                running -= 1
                switch result {
                case .success(let value): values[place] = value
                case .failure(let error): failure = failure ?? error
                }
                proceed()
            }
        }
        isStarting = false
        guard running == 0 else { return }
        answer(failure.map { .failure($0) } ?? .success(values.compactMap(\.self)))
    }
}
