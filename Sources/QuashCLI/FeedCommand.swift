import ArgumentParser

struct FeedCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "feed", abstract: "Watch the feed of revocations.", subcommands: [FeedTailCommand.self])
}
