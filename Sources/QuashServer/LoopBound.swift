/// Carries something of one loop through other threads and back, untouched in between.
struct LoopBound<Value>: @unchecked Sendable {
    // SAFETY of @unchecked: used only in jobs that were submitted to the one loop.
    let value: Value

    init(_ value: Value) { self.value = value }
}
