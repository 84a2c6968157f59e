// lmcache · SPDX-License-Identifier: Apache-2.0

#include "message.h"

#include <stdlib.h>
#include <string.h>

static void put(struct message *message, const void *bytes, size_t length) {
    if (message->length + length > message->capacity) {
        message->capacity = 2 * (message->length + length) + 64;
        message->bytes = realloc(message->bytes, message->capacity);
        if (message->bytes == NULL) abort();
    }
    if (length > 0) memcpy(message->bytes + message->length, bytes, length);
    message->length += length;
}

static void put_big_endian(struct message *message, uint8_t head, uint64_t value, int size) {
    uint8_t bytes[9] = {head};
    for (int i = 0; i < size; i++) bytes[1 + i] = (uint8_t)(value >> (8 * (size - 1 - i)));
    put(message, bytes, (size_t)size + 1);
}

static void store_u32(uint8_t *place, uint32_t value) {
    for (int i = 0; i < 4; i++) place[i] = (uint8_t)(value >> (8 * i));
}

static uint32_t load_u32(const uint8_t *place) {
    uint32_t value = 0;
    for (int i = 0; i < 4; i++) value |= (uint32_t)place[i] << (8 * i);
    return value;
}

static void close_frame(struct message *message) {
    store_u32(message->bytes + message->frame, (uint32_t)(message->length - message->frame - 4));
}

struct message message_begin(const char *operation) {
    struct message message = {NULL, 0, 0, 0};
    put(&message, "\1\0\0\0", 4);
    message.frame = message.length;
    put(&message, "\0\0\0\0", 4);
    put_text(&message, operation);
    return message;
}

void message_frame(struct message *message) {
    close_frame(message);
    store_u32(message->bytes, load_u32(message->bytes) + 1);
    message->frame = message->length;
    put(message, "\0\0\0\0", 4);
}

void message_end(struct message *message) { close_frame(message); }

void message_free(struct message *message) { free(message->bytes); }

void put_nil(struct message *message) { put(message, "\xc0", 1); }

void put_uint(struct message *message, uint64_t value) { put_big_endian(message, 0xcf, value, 8); }

void put_text(struct message *message, const char *text) {
    put_big_endian(message, 0xdb, strlen(text), 4);
    put(message, text, strlen(text));
}

void put_binary(struct message *message, const void *bytes, size_t length) {
    put_big_endian(message, 0xc6, length, 4);
    put(message, bytes, length);
}

void put_array(struct message *message, size_t count) { put_big_endian(message, 0xdd, count, 4); }

void put_map(struct message *message, size_t count) { put_big_endian(message, 0xdf, count, 4); }

void put_extension(struct message *message, int8_t type, const struct message *data) {
    size_t start = data->frame + 4;
    put_big_endian(message, 0xc9, data->length - start, 4);
    put(message, &type, 1);
    put(message, data->bytes + start, data->length - start);
}

const uint8_t *reply_frame(const void *reply, size_t reply_length, uint32_t index, uint32_t *length) {
    const uint8_t *bytes = reply;
    if (reply_length < 4 || index >= load_u32(bytes)) return NULL;
    size_t position = 4;
    for (uint32_t i = 0; position + 4 <= reply_length; i++) {
        *length = load_u32(bytes + position);
        if (*length > reply_length - position - 4) return NULL;
        if (i == index) return bytes + position + 4;
        position += 4 + *length;
    }
    return NULL;
}
