import CHiredis

/// Decodes the stream of replies of one connection with hiredis' reader, within the limits of `RedisLimits`.
///
/// Feed it what arrives, in any pieces, then take `next()` until it gives nil. An error is final: the stream cannot be
/// read any further, and the connection has to go.
@safe struct RESPReader: ~Copyable {
    private let guardrail: UnsafeMutablePointer<quash_reader_guard>
    private let reader: UnsafeMutablePointer<redisReader>
    private var isBroken = false

    init() {
        unsafe guardrail = .allocate(capacity: 1)
        unsafe guardrail.initialize(to: quash_reader_guard())
        unsafe guardrail.pointee.max_array_elements = RedisLimits.maxArrayElements
        unsafe guardrail.pointee.max_reply_elements = RedisLimits.maxReplyElements
        guard let reader = unsafe quash_reader_create(guardrail) else { preconditionFailure("out of memory") }
        unsafe self.reader = unsafe reader
    }

    deinit {
        // SAFETY: the reader refers to the guard also while it frees a half-read reply, so it goes first.
        unsafe redisReaderFree(reader)
        unsafe guardrail.deallocate()
    }

    /// Takes bytes off the connection, which are copied. Complexity: O(bytes).
    ///
    /// - Throws: `.protocolViolation` when more waits for the end of a reply than `RedisLimits.maxBufferedBytes`.
    mutating func feed(_ bytes: UnsafeRawBufferPointer) throws(RedisError) {
        precondition(!isBroken, "a RESP reader was fed after it had failed")
        guard let start = bytes.baseAddress, bytes.count > 0 else { return }
        guard unsafe quash_reader_buffered(reader) + bytes.count <= RedisLimits.maxBufferedBytes else {
            throw broken("a reply of Redis has more than \(RedisLimits.maxBufferedBytes) bytes without an end")
        }
        // SAFETY: redisReaderFeed copies `count` bytes from the pointer; both are those of the caller's buffer.
        guard unsafe redisReaderFeed(reader, start.assumingMemoryBound(to: CChar.self), bytes.count) == REDIS_OK else {
            throw broken(readerError)
        }
    }

    /// The next whole reply of what was fed, or nil when more bytes are needed.
    ///
    /// - Throws: `.protocolViolation` for what is not RESP2, and for an array or a string over its limit as soon as it
    ///   announces itself.
    mutating func next() throws(RedisError) -> RESPValue? {
        precondition(!isBroken, "a RESP reader was asked after it had failed")
        var reply: UnsafeMutableRawPointer?
        guard unsafe redisReaderGetReply(reader, &reply) == REDIS_OK else {
            let isRefused = unsafe guardrail.pointee.refused != 0
            throw broken(isRefused ? "a reply of Redis has too many elements" : readerError)
        }
        guard let reply = unsafe reply else {
            guard unsafe quash_reader_awaited_bulk_bytes(reader) <= RedisLimits.maxBulkBytes else {
                throw broken(Self.tooLong.description)
            }
            return nil
        }
        defer { unsafe freeReplyObject(reply) }
        unsafe guardrail.pointee.reply_elements = 0
        do throws(RedisError) {
            return unsafe try Self.value(of: reply.assumingMemoryBound(to: redisReply.self))
        } catch {
            throw broken(error.description)
        }
    }

    private mutating func broken(_ reason: String) -> RedisError {
        isBroken = true
        return RedisError(.protocolViolation, reason)
    }

    /// What hiredis says is wrong; it names at most one byte of what it read.
    private var readerError: String {
        // SAFETY: errstr is a fixed array inside the reader, which hiredis ends with a zero (read.h).
        let text = unsafe withUnsafePointer(to: &reader.pointee.errstr) { errstr in
            unsafe String(cString: UnsafeRawPointer(errstr).assumingMemoryBound(to: CChar.self))
        }
        return "cannot read a reply of Redis: \(text)"
    }

    /// SAFETY: `reply` is a whole reply that hiredis has just made and that the caller frees later; hiredis.h says
    /// which fields hold what for each type. Its depth is limited by the reader (7 in hiredis 0.14, 9 in 1.x).
    private static func value(of reply: UnsafePointer<redisReply>) throws(RedisError) -> RESPValue {
        switch unsafe reply.pointee.type {
        case REDIS_REPLY_STATUS: return .simple(unsafe try bytes(of: reply))
        case REDIS_REPLY_STRING: return .bulk(unsafe try bytes(of: reply))
        case REDIS_REPLY_ERROR: return .error(String(decoding: unsafe try bytes(of: reply), as: UTF8.self))
        case REDIS_REPLY_INTEGER: return .integer(unsafe reply.pointee.integer)
        case REDIS_REPLY_NIL: return .null
        case REDIS_REPLY_ARRAY:
            var elements: [RESPValue] = []
            let count = unsafe reply.pointee.elements
            elements.reserveCapacity(count)
            for index in 0..<count {
                // SAFETY: a whole reply has all of its elements.
                elements.append(unsafe try value(of: reply.pointee.element[index]!))
            }
            return .array(elements)
        case let type:
            throw RedisError(.protocolViolation, "a reply of Redis has the type \(type), which RESP2 does not have")
        }
    }

    private static func bytes(of reply: UnsafePointer<redisReply>) throws(RedisError) -> [UInt8] {
        let count = unsafe reply.pointee.len
        guard count <= RedisLimits.maxBulkBytes else { throw tooLong }
        return unsafe Array(UnsafeRawBufferPointer(start: reply.pointee.str, count: count))
    }

    private static var tooLong: RedisError {
        RedisError(.protocolViolation, "a reply of Redis has a string of more than \(RedisLimits.maxBulkBytes) bytes")
    }
}
