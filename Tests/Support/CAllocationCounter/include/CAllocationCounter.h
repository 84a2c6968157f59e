// lmcache · SPDX-License-Identifier: Apache-2.0
//
// Counts the heap allocations of one thread, for tests that state how many a call makes.
#ifndef LMCACHE_CALLOCATIONCOUNTER_H
#define LMCACHE_CALLOCATIONCOUNTER_H

#include <stdint.h>

/// Allocations (malloc, calloc, realloc) that the calling thread has made so far.
uint64_t lmc_allocation_count(void);
/// Bytes that those allocations asked for.
uint64_t lmc_allocation_bytes(void);
/// 1 when allocations are counted; 0 under a sanitizer, which brings its own allocator.
int lmc_allocations_are_counted(void);

#endif
