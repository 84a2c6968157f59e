// lmcache · SPDX-License-Identifier: Apache-2.0
#include "CAllocationCounter.h"

#include <stddef.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define LMC_IS_SANITIZED 1
#endif
#endif

static _Thread_local uint64_t allocation_count;
static _Thread_local uint64_t allocation_bytes;

uint64_t lmc_allocation_count(void) { return allocation_count; }
uint64_t lmc_allocation_bytes(void) { return allocation_bytes; }

#ifdef LMC_IS_SANITIZED

int lmc_allocations_are_counted(void) { return 0; }

#else

// glibc's own entry points, which stay reachable when malloc and its family are replaced.
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *pointer, size_t size);
extern void __libc_free(void *pointer);

int lmc_allocations_are_counted(void) { return 1; }

void *malloc(size_t size) {
    allocation_count += 1;
    allocation_bytes += size;
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size) {
    allocation_count += 1;
    allocation_bytes += count * size;
    return __libc_calloc(count, size);
}

void *realloc(void *pointer, size_t size) {
    allocation_count += 1;
    allocation_bytes += size;
    return __libc_realloc(pointer, size);
}

void free(void *pointer) { __libc_free(pointer); }

#endif
