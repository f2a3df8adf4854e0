import TestSupport
import Testing

@testable import QuashServer

@Suite("The documentation of settings")
struct SettingsDocumentationTests {
    /// After a change of the table: `quash config reference > Sources/QuashServer/QuashServer.docc/Configuration.md`
    @Test func theCommittedArticleIsMadeFromTheTable() {
        let root = #filePath.split(separator: "/").dropLast(4).map { "/\($0)" }.joined()
        #expect(
            TemporaryFolder.read("\(root)/Sources/QuashServer/QuashServer.docc/Configuration.md")
                == SettingsTable.markdown)
    }

    @Test func helpNamesEverySettingOfTheRoleAndNoOther() {
        for role in Role.allCases {
            let help = SettingsTable.help(for: role)
            for setting in SettingsTable.all where setting.places != .environmentAlone {
                #expect(
                    help.contains("  \(setting.flag)\n") == setting.roles.contains(role), "\(setting.name) for \(role)")
            }
        }
    }

    @Test func noNameIsThereTwice() {
        #expect(Set(SettingsTable.all.map(\.name)).count == SettingsTable.all.count)
    }

    @Test func everyDefaultCanBeRead() throws {
        for setting in SettingsTable.all {
            for role in setting.roles {
                if let text = setting.fallback.text(for: role) { _ = try setting.parse([text]) }
            }
        }
    }
}
