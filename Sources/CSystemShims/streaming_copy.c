// lmcache · SPDX-License-Identifier: Apache-2.0
#include "CSystemShims.h"

#include <stdbool.h>
#include <string.h>

static void copy_rows_plain(char *destination, const char *source, const struct lmc_rows *rows) {
    for (size_t outer = 0; outer < rows->outer_count; outer++) {
        char *to = destination + outer * rows->destination_outer_stride;
        const char *from = source + outer * rows->source_outer_stride;
        for (size_t inner = 0; inner < rows->inner_count; inner++) {
            memcpy(to, from, rows->length);
            to += rows->destination_inner_stride, from += rows->source_inner_stride;
        }
    }
}

#if defined(__x86_64__)
#include <immintrin.h>

#define LMC_AVX2 __attribute__((target("avx2")))

// Non-temporal stores spare the read-for-ownership of lines that nobody here reads again.

// How far reads in sequence are fetched ahead, into the second-level cache: the processor's own prefetch starts anew on
// each 4 KiB page. Past the source's end it is wasted but harmless: a prefetch never faults.
enum { AHEAD = 2048 };

/// The destination is aligned to 32. Copies whole 32s and returns how many bytes that was.
LMC_AVX2 __attribute__((always_inline)) static inline size_t stream_wide(
    char *destination, const char *source, size_t length, bool fetches_ahead) {
    size_t done = 0;
    for (; length - done >= 128; done += 128) {
        if (fetches_ahead) {
            _mm_prefetch(source + done + AHEAD, _MM_HINT_T1);
            _mm_prefetch(source + done + AHEAD + 64, _MM_HINT_T1);
        }
        __m256i a = _mm256_loadu_si256((const __m256i *)(source + done));
        __m256i b = _mm256_loadu_si256((const __m256i *)(source + done + 32));
        __m256i c = _mm256_loadu_si256((const __m256i *)(source + done + 64));
        __m256i d = _mm256_loadu_si256((const __m256i *)(source + done + 96));
        _mm256_stream_si256((__m256i *)(destination + done), a);
        _mm256_stream_si256((__m256i *)(destination + done + 32), b);
        _mm256_stream_si256((__m256i *)(destination + done + 64), c);
        _mm256_stream_si256((__m256i *)(destination + done + 96), d);
    }
    for (; length - done >= 32; done += 32) {
        _mm256_stream_si256(
            (__m256i *)(destination + done), _mm256_loadu_si256((const __m256i *)(source + done)));
    }
    return done;
}

LMC_AVX2 static void copy_avx2(char *destination, const char *source, size_t length) {
    size_t lead = (size_t)(-(uintptr_t)destination & 31);
    if (lead > length) lead = length;
    memcpy(destination, source, lead);
    destination += lead, source += lead, length -= lead;
    size_t done = stream_wide(destination, source, length, true);
    memcpy(destination + done, source + done, length - done);
    _mm_sfence();
}

LMC_AVX2 static inline void stream_16(char *destination, const char *source) {
    _mm_stream_si128((__m128i *)destination, _mm_loadu_si128((const __m128i *)source));
}

/// The destination and the length are multiples of 16.
LMC_AVX2 __attribute__((always_inline)) static inline void stream_row(
    char *destination, const char *source, size_t length, bool fetches_ahead) {
    if (((uintptr_t)destination & 16) && length) {
        stream_16(destination, source);
        destination += 16, source += 16, length -= 16;
    }
    size_t done = stream_wide(destination, source, length, fetches_ahead);
    if (done < length) stream_16(destination + done, source + done);
}

LMC_AVX2 __attribute__((always_inline)) static inline void stream_rows(
    char *destination, const char *source, const struct lmc_rows *rows, bool fetches_ahead) {
    for (size_t outer = 0; outer < rows->outer_count; outer++) {
        char *to = destination + outer * rows->destination_outer_stride;
        const char *from = source + outer * rows->source_outer_stride;
        for (size_t inner = 0; inner < rows->inner_count; inner++) {
            stream_row(to, from, rows->length, fetches_ahead);
            to += rows->destination_inner_stride, from += rows->source_inner_stride;
        }
    }
}

LMC_AVX2 static void copy_rows_avx2(char *destination, const char *source, const struct lmc_rows *rows) {
    if (rows->source_inner_stride == rows->length) {
        stream_rows(destination, source, rows, true);
    } else {
        stream_rows(destination, source, rows, false);
    }
    _mm_sfence();
}

void lmc_copy_streaming(void *restrict destination, const void *restrict source, size_t length) {
    // Below this size the fence costs more than the stores save.
    if (length >= 4096 && __builtin_cpu_supports("avx2")) {
        copy_avx2(destination, source, length);
    } else {
        memcpy(destination, source, length);
    }
}

void lmc_copy_rows(void *restrict destination, const void *restrict source, const struct lmc_rows *rows) {
    uintptr_t bits = (uintptr_t)destination | rows->length | rows->destination_outer_stride
        | rows->destination_inner_stride;
    size_t total = rows->outer_count * rows->inner_count * rows->length;
    if (bits % 16 == 0 && total >= 4096 && __builtin_cpu_supports("avx2")) {
        copy_rows_avx2(destination, source, rows);
    } else {
        copy_rows_plain(destination, source, rows);
    }
}
#else
void lmc_copy_streaming(void *restrict destination, const void *restrict source, size_t length) {
    memcpy(destination, source, length);
}

void lmc_copy_rows(void *restrict destination, const void *restrict source, const struct lmc_rows *rows) {
    copy_rows_plain(destination, source, rows);
}
#endif
