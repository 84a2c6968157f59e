// lmcache · SPDX-License-Identifier: Apache-2.0
#include "CSystemShims.h"

#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>

// Non-temporal stores spare the read-for-ownership of lines that nobody here reads again.
__attribute__((target("avx2"))) static void copy_avx2(char *destination, const char *source, size_t length) {
    size_t lead = (size_t)(-(uintptr_t)destination & 31);
    if (lead > length) lead = length;
    memcpy(destination, source, lead);
    destination += lead, source += lead, length -= lead;
    for (; length >= 128; destination += 128, source += 128, length -= 128) {
        __m256i a = _mm256_loadu_si256((const __m256i *)source);
        __m256i b = _mm256_loadu_si256((const __m256i *)(source + 32));
        __m256i c = _mm256_loadu_si256((const __m256i *)(source + 64));
        __m256i d = _mm256_loadu_si256((const __m256i *)(source + 96));
        _mm256_stream_si256((__m256i *)destination, a);
        _mm256_stream_si256((__m256i *)(destination + 32), b);
        _mm256_stream_si256((__m256i *)(destination + 64), c);
        _mm256_stream_si256((__m256i *)(destination + 96), d);
    }
    memcpy(destination, source, length);
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
#else
void lmc_copy_streaming(void *restrict destination, const void *restrict source, size_t length) {
    memcpy(destination, source, length);
}
#endif
