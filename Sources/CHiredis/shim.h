// hiredis, for QuashRedis alone, and only its reader: the decoder of RESP.
//
// Its own limits are those of memory: a 13-byte array header makes it allocate 16 GiB, and a bulk string may announce
// 2^63 bytes. What is here puts limits in front of both, the same over hiredis 0.14 and 1.x.
#pragma once

#include <hiredis/hiredis.h>
#include <stdlib.h>

#if HIREDIS_MAJOR >= 1
typedef size_t quash_element_count;
#else
typedef int quash_element_count;
#endif

typedef struct {
    redisReplyObjectFunctions functions; // hiredis' own, with createArray replaced
    void *(*create_array)(const redisReadTask *, quash_element_count);
    size_t max_array_elements;
    size_t max_reply_elements;
    size_t reply_elements; // announced so far by the arrays of the reply that is being read
    int refused;           // set when an array was over a limit
} quash_reader_guard;

// NULL makes the reader fail with REDIS_ERR_OOM, before it has allocated anything for the elements.
static inline void *quash_create_array(const redisReadTask *task, quash_element_count count) {
    quash_reader_guard *guard = (quash_reader_guard *)task->privdata;
    if ((size_t)count > guard->max_array_elements ||
        (size_t)count > guard->max_reply_elements - guard->reply_elements) {
        guard->refused = 1;
        return NULL;
    }
    guard->reply_elements += (size_t)count;
    return guard->create_array(task, count);
}

// A reader that makes redisReply objects within the limits of `guard`, which must outlive it. NULL without memory.
static inline redisReader *quash_reader_create(quash_reader_guard *guard) {
    redisReader *reader = redisReaderCreate();
    if (reader == NULL) return NULL;
    guard->functions = *reader->fn;
    guard->create_array = guard->functions.createArray;
    guard->functions.createArray = quash_create_array;
    reader->fn = &guard->functions;
    reader->privdata = guard; // redisReaderSetPrivdata casts its result to int
    return reader;
}

// Bytes that were fed and not yet read.
static inline size_t quash_reader_buffered(const redisReader *reader) {
    return reader->len - reader->pos;
}

// The length that a bulk string announced for which the reader is waiting, as hiredis 0.14 computes it, wrapping around;
// 0 when it waits for something else, also for the end of the length's line: a length is judged once, when it is whole,
// so that the answer does not depend on where the stream was cut. The reader leaves its position behind the type byte
// until the whole string is there.
static inline size_t quash_reader_awaited_bulk_bytes(const redisReader *reader) {
    if (reader->ridx < 0) return 0;
#if HIREDIS_MAJOR >= 1
    const redisReadTask *task = reader->task[reader->ridx];
#else
    const redisReadTask *task = &reader->rstack[reader->ridx];
#endif
    if (task->type != REDIS_REPLY_STRING) return 0;
    size_t length = 0;
    for (size_t at = reader->pos; at + 1 < reader->len; at++) {
        if (reader->buf[at] == '\r') return reader->buf[at + 1] == '\n' ? length : 0;
        if (reader->buf[at] < '0' || reader->buf[at] > '9') return 0;
        length = length * 10 + (size_t)(reader->buf[at] - '0');
    }
    return 0;
}
