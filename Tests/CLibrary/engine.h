// lmcache · SPDX-License-Identifier: Apache-2.0
//
// A pretended engine: two layers of KV memory in this process, and the requests that its worker and scheduler send.
#ifndef ENGINE_H
#define ENGINE_H

#include <stdint.h>

#include "lmcache.h"

enum {
    ENGINE_LAYERS = 2,
    // Block 0 is the one that engines keep for "no data".
    ENGINE_BLOCKS = 17,
    ENGINE_BLOCK_TOKENS = 4,
    ENGINE_WIDTH = 24,
    ENGINE_CHUNK_TOKENS = 8,
    ENGINE_TOKENS = 32,
    ENGINE_PROMPT_BLOCKS = ENGINE_TOKENS / ENGINE_BLOCK_TOKENS,
};

struct engine {
    uint64_t instance_id;
    uint16_t memory[ENGINE_LAYERS][ENGINE_BLOCKS][ENGINE_BLOCK_TOKENS][ENGINE_WIDTH];
};

#define ENGINE_DOCUMENT "{\"chunk_size\": 8, \"max_local_cpu_size\": 0.0625}"

// Values that differ everywhere.
void engine_fill(struct engine *engine, uint64_t instance_id);

// Each returns what the library returned, or -1 when the reply was not the expected one.
int engine_register(struct engine *engine, lmcache_instance *cache);
int engine_unregister(struct engine *engine, lmcache_instance *cache);
// Blocks first … first + ENGINE_PROMPT_BLOCKS.
int engine_store(struct engine *engine, lmcache_instance *cache, const char *request, uint32_t first);
int engine_retrieve(struct engine *engine, lmcache_instance *cache, const char *request, uint32_t first);
// Chunks found, or -1.
int engine_lookup(struct engine *engine, lmcache_instance *cache, const char *request);
// Whether the prompt's blocks from 1 on hold what those after them do.
int engine_copies_are_equal(const struct engine *engine);

#endif
