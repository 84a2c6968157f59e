// lmcache · SPDX-License-Identifier: Apache-2.0
#include "CSystemShims.h"

#include <stdbool.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>

#define LMC_INLINE_AVX2 __attribute__((target("avx2"), always_inline)) static inline

// How far reads in sequence are fetched ahead, into the second-level cache: the processor's own prefetch starts anew on
// each 4 KiB page. Past the source's end it is wasted but harmless: a prefetch never faults.
enum { AHEAD = 2048 };

/// Copies whole 32s and returns how many bytes that was. Streams need a destination aligned to 32.
LMC_INLINE_AVX2 size_t copy_wide(char *destination, const char *source, size_t length, bool streams) {
    size_t done = 0;
    for (; length - done >= 128; done += 128) {
        _mm_prefetch(source + done + AHEAD, _MM_HINT_T1);
        _mm_prefetch(source + done + AHEAD + 64, _MM_HINT_T1);
        for (size_t part = done; part < done + 128; part += 32) {
            __m256i bytes = _mm256_loadu_si256((const __m256i *)(source + part));
            if (streams) {
                _mm256_stream_si256((__m256i *)(destination + part), bytes);
            } else {
                _mm256_storeu_si256((__m256i *)(destination + part), bytes);
            }
        }
    }
    for (; length - done >= 32; done += 32) {
        __m256i bytes = _mm256_loadu_si256((const __m256i *)(source + done));
        if (streams) {
            _mm256_stream_si256((__m256i *)(destination + done), bytes);
        } else {
            _mm256_storeu_si256((__m256i *)(destination + done), bytes);
        }
    }
    return done;
}

// Non-temporal stores spare the read-for-ownership of lines that nobody here reads again.
__attribute__((target("avx2"))) static void stream_avx2(char *destination, const char *source, size_t length) {
    size_t lead = (size_t)(-(uintptr_t)destination & 31);
    if (lead > length) lead = length;
    memcpy(destination, source, lead);
    destination += lead, source += lead, length -= lead;
    size_t done = copy_wide(destination, source, length, true);
    memcpy(destination + done, source + done, length - done);
    _mm_sfence();
}

LMC_INLINE_AVX2 void copy_row(char *destination, const char *source, size_t length) {
    if (length < 32) {
        memcpy(destination, source, length);
        return;
    }
    copy_wide(destination, source, length, false);
    // The last 32 bytes once more where the length is no multiple of 32.
    size_t last = length - 32;
    _mm256_storeu_si256((__m256i *)(destination + last), _mm256_loadu_si256((const __m256i *)(source + last)));
}

LMC_INLINE_AVX2 void each_row(char *destination, const char *source, const struct lmc_rows *rows, bool streams) {
    for (size_t outer = 0; outer < rows->outer_count; outer++) {
        char *to = destination + outer * rows->destination_outer_stride;
        const char *from = source + outer * rows->source_outer_stride;
        for (size_t inner = 0; inner < rows->inner_count; inner++) {
            if (streams) {
                copy_wide(to, from, rows->length, true);
            } else {
                copy_row(to, from, rows->length);
            }
            to += rows->destination_inner_stride, from += rows->source_inner_stride;
        }
    }
}

__attribute__((target("avx2"))) static void copy_rows_avx2(
    char *destination, const char *source, const struct lmc_rows *rows) {
    each_row(destination, source, rows, false);
}

__attribute__((target("avx2"))) static void stream_rows_avx2(
    char *destination, const char *source, const struct lmc_rows *rows) {
    each_row(destination, source, rows, true);
    _mm_sfence();
}

static bool has_avx2(void) { return __builtin_cpu_supports("avx2"); }
static void fetch_line(const char *address) { _mm_prefetch(address, _MM_HINT_T1); }
#else
static bool has_avx2(void) { return false; }
static void stream_avx2(char *destination, const char *source, size_t length) {}
static void copy_rows_avx2(char *destination, const char *source, const struct lmc_rows *rows) {}
static void stream_rows_avx2(char *destination, const char *source, const struct lmc_rows *rows) {}
static void fetch_line(const char *address) { __builtin_prefetch(address); }
#endif

void lmc_copy_streaming(void *restrict destination, const void *restrict source, size_t length) {
    // Below this size the fence costs more than the stores save.
    if (length >= 4096 && has_avx2()) {
        stream_avx2(destination, source, length);
    } else {
        memcpy(destination, source, length);
    }
}

void lmc_copy_rows(void *restrict destination, const void *restrict source, const struct lmc_rows *rows) {
    if (has_avx2()) {
        copy_rows_avx2(destination, source, rows);
        return;
    }
    for (size_t outer = 0; outer < rows->outer_count; outer++) {
        for (size_t inner = 0; inner < rows->inner_count; inner++) {
            memcpy(
                (char *)destination + outer * rows->destination_outer_stride + inner * rows->destination_inner_stride,
                (const char *)source + outer * rows->source_outer_stride + inner * rows->source_inner_stride,
                rows->length);
        }
    }
}

void lmc_copy_rows_streaming(void *restrict destination, const void *restrict source, const struct lmc_rows *rows) {
    uintptr_t bits = (uintptr_t)destination | rows->length | rows->destination_outer_stride
        | rows->destination_inner_stride;
    if (bits % 32 == 0 && has_avx2()) {
        stream_rows_avx2(destination, source, rows);
    } else {
        lmc_copy_rows(destination, source, rows);
    }
}

void lmc_fetch_ahead(const void *address, size_t length) {
    for (size_t offset = 0; offset < length; offset += 64) fetch_line((const char *)address + offset);
}
