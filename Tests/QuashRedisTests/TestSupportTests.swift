import Glibc
import TestSupport
import Testing

/// The tests' own equipment: what it promises, other suites rely on.
@Suite struct ChildProcessTests {
    @Test func givesWhatAProgramPrints() throws {
        #expect(try ChildProcess.run(["sh", "-c", "echo out; echo err >&2"]) == "out\nerr\n")
    }

    @Test func failsWithWhatAProgramPrinted() {
        let error = #expect(throws: TestSupportError.self) { try ChildProcess.run(["sh", "-c", "echo why; exit 3"]) }
        #expect(error?.description.contains("why") == true && error?.description.contains("3") == true)
    }

    @Test func failsForAProgramThatIsNotThere() {
        #expect(throws: TestSupportError.self) { try ChildProcess.run(["no-such-program"]) }
    }

    @Test func tellsHowItEnded() throws {
        #expect(try ChildProcess(["sh", "-c", "exit 7"]).waitForExit() == .code(7))
        let sleeper = try ChildProcess(["sleep", "60"])
        #expect(throws: TestSupportError.self) { try sleeper.waitForExit(within: .milliseconds(50)) }
        sleeper.signal(SIGTERM)
        #expect(try sleeper.waitForExit() == .signal(SIGTERM))
        sleeper.signal(SIGTERM)
        #expect(!sleeper.isRunning)
    }

    @Test func givesAnEnvironmentAndAFolder() throws {
        let folder = try TemporaryFolder()
        let child = try ChildProcess(
            ["sh", "-c", "echo $QUASH_TEST; pwd"], environment: ["QUASH_TEST": "a b"], workingFolder: folder.path)
        try child.waitForExit()
        #expect(child.output == "a b\n\(folder.path)\n")
        #expect(try !ChildProcess.run(["printenv", "PATH"], environment: ["QUASH_TEST": "x"]).isEmpty)
    }

    @Test func takesASignalThatThisProcessIgnores() throws {
        // The loops of this process ignore SIGPIPE, and the ignoring of a signal is inherited over exec (signal(7)).
        let child = try ChildProcess(["sh", "-c", "kill -PIPE $$; echo alive"])
        #expect(try child.waitForExit() == .signal(SIGPIPE))
    }

    @Test func isGoneWithItsValue() throws {
        var child: ChildProcess? = try ChildProcess(["sleep", "60"])
        let processID = try #require(child?.processID)
        #expect(kill(processID, 0) == 0)
        child = nil
        #expect(kill(processID, 0) == -1)
    }

    @Test func dozensAtATime() throws {
        let children = try (0..<30).map { try ChildProcess(["sh", "-c", "exit \($0)"]) }
        let exits = try children.map { try $0.waitForExit() }
        #expect(exits == (0..<30).map { .code($0) })
    }
}

@Suite struct TemporaryFolderTests {
    @Test func goesWithEverythingInIt() throws {
        var folder: TemporaryFolder? = try TemporaryFolder()
        let path = try #require(folder?.path)
        try folder?.write("file", "text")
        #expect(TemporaryFolder.read("\(path)/file") == "text")
        try ChildProcess.run(["mkdir", "-p", "\(path)/a/b"])
        try ChildProcess.run(["ln", "-s", "/etc", "\(path)/a/link"])
        folder = nil
        #expect(unsafe access(path, F_OK) == -1)
        #expect(unsafe access("/etc/passwd", F_OK) == 0)
    }
}

@Suite struct PollTests {
    @Test func stopsAtItsLimitOrWhenTheConditionHolds() {
        var asked = 0
        #expect(
            !poll(within: .milliseconds(20)) {
                asked += 1
                return false
            })
        #expect(asked > 1)
        asked = 0
        #expect(
            poll {
                asked += 1
                return asked == 3
            })
        #expect(asked == 3)
    }
}
