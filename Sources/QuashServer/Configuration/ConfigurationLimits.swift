/// Every limit of the configuration.
enum ConfigurationLimits {
    /// The largest YAML file that is read.
    static let maxFileBytes = 64 * 1024
    /// The longest value of one setting.
    static let maxValueBytes = 4096
    /// The most entries in the list of one setting.
    static let maxListEntries = 64
    /// How much of a bad value is shown in the line about it.
    static let maxQuotedCharacters = 80
    /// A shorter administration credential can be guessed by trying.
    static let minAdminTokenBytes = 16
}
