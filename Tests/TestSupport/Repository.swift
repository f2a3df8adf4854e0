import Glibc
import QuashProcess

/// The working tree that these tests were built from.
package enum Repository {
    /// Its path, without a slash at the end.
    package static let root: String = {
        let thisFile = "/Tests/TestSupport/Repository.swift"
        precondition(#filePath.hasSuffix(thisFile), "this file was moved: \(#filePath)")
        return String(#filePath.dropLast(thisFile.count))
    }()

    /// Every file that is in the repository, or would be after `git add`: relative paths, sorted.
    package static func files() throws -> [String] {
        let names = try git(["ls-files", "--cached", "--others", "--exclude-standard"])
        // A file that was deleted is in the list until its deletion is added too.
        return names.filter { unsafe access("\(root)/\($0)", F_OK) == 0 }
    }

    /// Every file that was added to the repository: relative paths.
    package static func trackedFiles() throws -> [String] {
        try git(["ls-files", "--cached"])
    }

    /// The bytes of the file at `path`, which is relative to the root.
    package static func read(_ path: String) throws -> [UInt8] {
        let descriptor = unsafe open("\(root)/\(path)", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw TestSupportError.lastCall("open \(path)") }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            // SAFETY: the pointer and its count are those of one contiguous buffer, valid during the call.
            let count = unsafe chunk.withUnsafeMutableBytes { unsafe Glibc.read(descriptor, $0.baseAddress!, $0.count) }
            guard count >= 0 else { throw TestSupportError.lastCall("read \(path)") }
            if count == 0 { return bytes }
            bytes += chunk[..<count]
        }
    }

    /// Whether the file's owner may execute it.
    package static func isExecutable(_ path: String) -> Bool {
        unsafe access("\(root)/\(path)", X_OK) == 0
    }

    private static func git(_ arguments: [String]) throws -> [String] {
        // A checkout that another user made, as continuous integration does, is no danger to a command that only lists.
        try ChildProcess.run(["git", "-c", "safe.directory=*", "-c", "core.quotePath=off", "-C", root] + arguments)
            .split(separator: "\n").map(String.init)
    }
}
