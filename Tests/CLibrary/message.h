// lmcache · SPDX-License-Identifier: Apache-2.0
//
// Requests in the form of lmcache.h, written the way a C program would.
#ifndef MESSAGE_H
#define MESSAGE_H

#include <stddef.h>
#include <stdint.h>

struct message {
    uint8_t *bytes;
    size_t length;
    size_t capacity;
    size_t frame;
};

// Begins a request with its operation.
struct message message_begin(const char *operation);
// Ends the frame before and begins the next.
void message_frame(struct message *message);
// Completes the request: `bytes` and `length` are what the library takes.
void message_end(struct message *message);
void message_free(struct message *message);

// MessagePack values of the current frame.
void put_nil(struct message *message);
void put_uint(struct message *message, uint64_t value);
void put_text(struct message *message, const char *text);
void put_binary(struct message *message, const void *bytes, size_t length);
void put_array(struct message *message, size_t count);
void put_map(struct message *message, size_t count);
// An extension value whose data was written to another message's current frame.
void put_extension(struct message *message, int8_t type, const struct message *data);

// Frame `index` of a reply; null when there is none.
const uint8_t *reply_frame(const void *reply, size_t reply_length, uint32_t index, uint32_t *length);

#endif
