// lmcache · SPDX-License-Identifier: Apache-2.0

#include "engine.h"

#include <string.h>

#include "message.h"

static const int64_t patience_ms = 10000;

void engine_fill(struct engine *engine, uint64_t instance_id) {
    engine->instance_id = instance_id;
    uint16_t *value = &engine->memory[0][0][0][0];
    for (size_t i = 0; i < sizeof engine->memory / sizeof *value; i++) value[i] = (uint16_t)(i * 40503u + 7);
}

static void put_descriptor(struct message *message, void *address, size_t length) {
    struct message data = message_begin("");
    message_frame(&data);
    put_map(&data, 5);
    put_text(&data, "type");
    put_text(&data, "process");
    put_text(&data, "address");
    put_uint(&data, (uint64_t)(uintptr_t)address);
    put_text(&data, "nbytes");
    put_uint(&data, length);
    put_text(&data, "version");
    put_uint(&data, 1);
    put_text(&data, "metadata");
    put_map(&data, 5);
    put_text(&data, "dtype");
    put_text(&data, "float16");
    const uint64_t shape[] = {ENGINE_BLOCKS, ENGINE_BLOCK_TOKENS, ENGINE_WIDTH};
    const uint64_t stride[] = {(uint64_t)ENGINE_BLOCK_TOKENS * ENGINE_WIDTH, ENGINE_WIDTH, 1};
    put_text(&data, "shape");
    put_array(&data, 3);
    for (int i = 0; i < 3; i++) put_uint(&data, shape[i]);
    put_text(&data, "stride");
    put_array(&data, 3);
    for (int i = 0; i < 3; i++) put_uint(&data, stride[i]);
    put_text(&data, "storage_offset");
    put_uint(&data, 0);
    put_text(&data, "device_uuid");
    put_text(&data, "cpu");
    put_extension(message, 1, &data);
    message_free(&data);
}

// The prompt's key; any worker's for a lookup.
static void put_key(struct message *message, const char *request, int is_lookup) {
    put_map(message, 8);
    put_text(message, "num_kv_readers");
    put_uint(message, 1);
    put_text(message, "model_name");
    put_text(message, "model");
    put_text(message, "world_size");
    put_uint(message, 1);
    put_text(message, "worker_id");
    if (is_lookup) put_nil(message);
    else put_uint(message, 0);
    put_text(message, "token_ids");
    put_array(message, ENGINE_TOKENS);
    for (uint32_t i = 0; i < ENGINE_TOKENS; i++) put_uint(message, 100 + i);
    put_text(message, "start");
    put_uint(message, 0);
    put_text(message, "end");
    put_uint(message, ENGINE_TOKENS);
    put_text(message, "request_id");
    put_text(message, request);
}

// Sends; `value` and its length are of the reply's frame 1 and live until reply is freed.
static int call(lmcache_instance *cache, struct message *message, void **reply, const uint8_t **value,
                uint32_t *length) {
    size_t reply_length = 0;
    message_end(message);
    int result = lmcache_call(cache, message->bytes, message->length, patience_ms, reply, &reply_length);
    message_free(message);
    *value = NULL;
    if (result != LMCACHE_OK) return result;
    uint32_t head = 0;
    const uint8_t *operation = reply_frame(*reply, reply_length, 0, &head);
    if (operation == NULL || (head > 6 && memcmp(operation + 1, "error", 5) == 0)) return -1;
    *value = reply_frame(*reply, reply_length, 1, length);
    return LMCACHE_OK;
}

int engine_register(struct engine *engine, lmcache_instance *cache) {
    struct message message = message_begin("register_kv_cache");
    message_frame(&message);
    put_uint(&message, engine->instance_id);
    message_frame(&message);
    put_array(&message, ENGINE_LAYERS);
    for (int layer = 0; layer < ENGINE_LAYERS; layer++) {
        put_descriptor(&message, engine->memory[layer], sizeof engine->memory[layer]);
    }
    message_frame(&message);
    put_text(&message, "model");
    message_frame(&message);
    put_uint(&message, 1);
    message_frame(&message);
    put_text(&message, "vllm");
    message_frame(&message);
    put_map(&message, 0);
    message_frame(&message);
    put_array(&message, 0);
    void *reply = NULL;
    const uint8_t *value;
    uint32_t length = 0;
    int result = call(cache, &message, &reply, &value, &length);
    lmcache_free_bytes(reply);
    return result;
}

int engine_unregister(struct engine *engine, lmcache_instance *cache) {
    struct message message = message_begin("unregister_kv_cache");
    message_frame(&message);
    put_uint(&message, engine->instance_id);
    void *reply = NULL;
    const uint8_t *value;
    uint32_t length = 0;
    int result = call(cache, &message, &reply, &value, &length);
    lmcache_free_bytes(reply);
    return result;
}

static int transfer(struct engine *engine, lmcache_instance *cache, const char *operation, const char *request,
                    uint32_t first) {
    struct message message = message_begin(operation);
    message_frame(&message);
    put_key(&message, request, 0);
    message_frame(&message);
    put_uint(&message, engine->instance_id);
    message_frame(&message);
    put_array(&message, 1);
    put_array(&message, ENGINE_PROMPT_BLOCKS);
    for (uint32_t i = 0; i < ENGINE_PROMPT_BLOCKS; i++) put_uint(&message, first + i);
    message_frame(&message);
    put_binary(&message, "event", 5);
    if (strcmp(operation, "retrieve") == 0) {
        message_frame(&message);
        put_uint(&message, 0);
    }
    void *reply = NULL;
    const uint8_t *value;
    uint32_t length = 0;
    int result = call(cache, &message, &reply, &value, &length);
    // [event handle, ok]: the last byte says whether it worked.
    if (result == LMCACHE_OK && (value == NULL || length == 0 || value[length - 1] != 0xc3)) result = -1;
    lmcache_free_bytes(reply);
    return result;
}

int engine_store(struct engine *engine, lmcache_instance *cache, const char *request, uint32_t first) {
    return transfer(engine, cache, "store", request, first);
}

int engine_retrieve(struct engine *engine, lmcache_instance *cache, const char *request, uint32_t first) {
    return transfer(engine, cache, "retrieve", request, first);
}

int engine_lookup(struct engine *engine, lmcache_instance *cache, const char *request) {
    (void)engine;
    struct message message = message_begin("lookup");
    message_frame(&message);
    put_key(&message, request, 1);
    message_frame(&message);
    put_uint(&message, 1);
    void *reply = NULL;
    const uint8_t *value;
    uint32_t length = 0;
    int result = call(cache, &message, &reply, &value, &length);
    lmcache_free_bytes(reply);
    if (result != LMCACHE_OK) return -1;
    message = message_begin("wait_prefetch_status");
    message_frame(&message);
    put_text(&message, request);
    message_frame(&message);
    put_uint(&message, 5);
    reply = NULL;
    result = call(cache, &message, &reply, &value, &length);
    // A small number is one byte.
    int count = result == LMCACHE_OK && value != NULL && length == 1 ? value[0] : -1;
    lmcache_free_bytes(reply);
    return count;
}

int engine_copies_are_equal(const struct engine *engine) {
    for (int layer = 0; layer < ENGINE_LAYERS; layer++) {
        const uint16_t(*block)[ENGINE_BLOCK_TOKENS][ENGINE_WIDTH] = engine->memory[layer];
        size_t length = ENGINE_PROMPT_BLOCKS * sizeof *block;
        if (memcmp(block[1], block[1 + ENGINE_PROMPT_BLOCKS], length) != 0) return 0;
    }
    return 1;
}
