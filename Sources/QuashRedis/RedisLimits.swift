/// Every limit of this module.
package enum RedisLimits {
    /// Elements that one array of a reply may have.
    package static let maxArrayElements = 4_096
    /// Elements that all arrays of one reply may have together, so that nested arrays cannot multiply.
    package static let maxReplyElements = 65_536
    /// Bytes of one bulk string.
    package static let maxBulkBytes = 1_048_576
    /// Bytes that may wait for the rest of a reply: a whole bulk string and one read of the connection.
    package static let maxBufferedBytes = maxBulkBytes + 131_072
    /// Commands of one connection that wait for their reply.
    package static let maxPendingReplies = 1_024
    /// Bytes of commands of one connection that wait to be written.
    package static let maxQueuedBytes = 4_194_304
    /// Commands, and their bytes, that wait until the connection takes more, beyond the two limits above.
    package static let maxWaitingCommands = 65_536
    package static let maxWaitingBytes = 67_108_864
    /// Bytes of an error text of the server that are kept.
    package static let maxErrorTextBytes = 256
    /// Databases: SELECT takes a number below `databases` of redis.conf, which is far below this.
    package static let maxDatabase = 65_535
    /// Sentinels that a URL may name: each may cost the whole connect timeout before the next is asked.
    package static let maxSentinels = 16
    /// Bytes of the name by which sentinels know a master.
    package static let maxMasterNameBytes = 128
}
