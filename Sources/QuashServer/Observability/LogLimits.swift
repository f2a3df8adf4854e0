/// Every limit of the log.
enum LogLimits {
    /// A longer message or value is cut, in bytes: what a peer sent must not fill the disk.
    static let maxValueBytes = 2048
    /// Metadata nested deeper is written as its description.
    static let maxDepth = 4
}
