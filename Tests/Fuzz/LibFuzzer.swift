import Glibc

/// The program that `scripts/fuzz` runs: libFuzzer (llvm.org/docs/LibFuzzer.html) feeds one target.
@main
enum QuashFuzz {
    static func main() {
        var count = CommandLine.argc
        var arguments = unsafe CommandLine.unsafeArgv
        // SAFETY: the driver reads the arguments of the process, which last as long as it does.
        exit(unsafe runDriver(&count, &arguments, testOneInput))
    }
}

/// libFuzzer's own loop, "Using libFuzzer as a library" of its documentation.
@_extern(c, "LLVMFuzzerRunDriver")
func runDriver(
    _ argumentCount: UnsafeMutablePointer<CInt>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
    _ testOneInput: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt

private func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    // SAFETY: libFuzzer gives `count` bytes that stay valid during the call.
    let bytes = unsafe [UInt8](UnsafeBufferPointer(start: start, count: count))
    do {
        try target.run(bytes)
    } catch {
        fatalError("\(target.rawValue): \(error)")
    }
    return 0
}

/// The target that this process feeds, named by `QUASH_FUZZ_TARGET`.
private let target: FuzzTarget = {
    // SAFETY: getenv(3) gives a NUL-terminated string or null, and nothing here changes the environment.
    let name = unsafe getenv("QUASH_FUZZ_TARGET").map { unsafe String(cString: $0) } ?? ""
    guard let target = FuzzTarget(rawValue: name) else {
        preconditionFailure("QUASH_FUZZ_TARGET is one of \(FuzzTarget.allCases.map(\.rawValue)), not \"\(name)\"")
    }
    return target
}()
