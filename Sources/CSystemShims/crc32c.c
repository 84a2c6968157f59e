// lmcache · SPDX-License-Identifier: Apache-2.0
#include "CSystemShims.h"

#include <pthread.h>
#include <string.h>

// Source: RFC 3720, appendix B.4: reflected, polynomial 0x1EDC6F41.

static uint32_t tables[8][256];
static pthread_once_t tables_once = PTHREAD_ONCE_INIT;

static void make_tables(void) {
    for (uint32_t index = 0; index < 256; index++) {
        uint32_t remainder = index;
        for (int bit = 0; bit < 8; bit++) remainder = remainder & 1 ? remainder >> 1 ^ 0x82F63B78u : remainder >> 1;
        tables[0][index] = remainder;
    }
    for (uint32_t index = 0; index < 256; index++)
        for (int row = 1; row < 8; row++)
            tables[row][index] = tables[row - 1][index] >> 8 ^ tables[0][tables[row - 1][index] & 255];
}

// Eight bytes at a time, each with a table of its own.
static uint32_t by_tables(uint32_t remainder, const unsigned char *bytes, size_t length) {
    pthread_once(&tables_once, make_tables);
    for (; length >= 8; length -= 8, bytes += 8) {
        uint32_t low = remainder ^ ((uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24);
        remainder = tables[7][low & 255] ^ tables[6][low >> 8 & 255] ^ tables[5][low >> 16 & 255] ^ tables[4][low >> 24] ^
                    tables[3][bytes[4]] ^ tables[2][bytes[5]] ^ tables[1][bytes[6]] ^ tables[0][bytes[7]];
    }
    for (; length > 0; length--) remainder = remainder >> 8 ^ tables[0][(remainder ^ *bytes++) & 255];
    return remainder;
}

#if defined(__x86_64__)
#include <nmmintrin.h>

// The instruction answers after three cycles but starts every cycle: three streams keep it busy. Their remainders are
// joined by shifting the earlier ones over the length of what follows, with a table for one lane's length.
enum { lane = 1024 };

static uint32_t shifts[4][256];
static pthread_once_t shifts_once = PTHREAD_ONCE_INIT;

// Appends `lane` zero bytes to each single bit's remainder; every other remainder is a sum of these.
static void make_shifts(void) {
    static const unsigned char zeros[lane];
    uint32_t single[32];
    for (int bit = 0; bit < 32; bit++) single[bit] = by_tables((uint32_t)1 << bit, zeros, lane);
    for (int row = 0; row < 4; row++)
        for (int index = 0; index < 256; index++) {
            uint32_t sum = 0;
            for (int bit = 0; bit < 8; bit++)
                if (index >> bit & 1) sum ^= single[row * 8 + bit];
            shifts[row][index] = sum;
        }
}

static uint32_t shifted(uint32_t remainder) {
    return shifts[0][remainder & 255] ^ shifts[1][remainder >> 8 & 255] ^ shifts[2][remainder >> 16 & 255] ^
           shifts[3][remainder >> 24];
}

static uint64_t word(const unsigned char *bytes) {
    uint64_t value;
    memcpy(&value, bytes, 8);
    return value;
}

__attribute__((target("sse4.2"))) static uint32_t by_instruction(
    uint32_t remainder, const unsigned char *bytes, size_t length) {
    pthread_once(&shifts_once, make_shifts);
    for (; length >= 3 * lane; length -= 3 * lane, bytes += 3 * lane) {
        uint64_t first = remainder, second = 0, third = 0;
        for (size_t at = 0; at < lane; at += 8) {
            first = _mm_crc32_u64(first, word(bytes + at));
            second = _mm_crc32_u64(second, word(bytes + lane + at));
            third = _mm_crc32_u64(third, word(bytes + 2 * lane + at));
        }
        remainder = shifted(shifted((uint32_t)first) ^ (uint32_t)second) ^ (uint32_t)third;
    }
    for (; length >= 8; length -= 8, bytes += 8) remainder = (uint32_t)_mm_crc32_u64(remainder, word(bytes));
    for (; length > 0; length--) remainder = _mm_crc32_u8(remainder, *bytes++);
    return remainder;
}
#elif defined(__aarch64__) && defined(__ARM_FEATURE_CRC32)
#include <arm_acle.h>

static uint32_t by_instruction(uint32_t remainder, const unsigned char *bytes, size_t length) {
    for (; length >= 8; length -= 8, bytes += 8) {
        uint64_t value;
        memcpy(&value, bytes, 8);
        remainder = __crc32cd(remainder, value);
    }
    for (; length > 0; length--) remainder = __crc32cb(remainder, *bytes++);
    return remainder;
}
#endif

uint32_t lmc_crc32c(uint32_t before, const void *bytes, size_t length) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("sse4.2")) return ~by_instruction(~before, bytes, length);
#elif defined(__aarch64__) && defined(__ARM_FEATURE_CRC32)
    return ~by_instruction(~before, bytes, length);
#endif
    return ~by_tables(~before, bytes, length);
}
