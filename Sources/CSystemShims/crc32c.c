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
#include <immintrin.h>

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

__attribute__((target("sse4.2"))) static uint32_t by_streams(
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

// Newer processors multiply polynomials 64 bytes at a time: what is summed up so far is moved over the bytes that
// follow, four sums in turn, and only the last 16 bytes are divided. Source: Gopal and others, Fast CRC Computation for
// Generic Polynomials Using PCLMULQDQ Instruction, Intel 2009.
enum { folded = 256 };

// x^(distance + 32) and x^(distance - 32) modulo the polynomial, for the halves of 16 bytes.
static uint64_t folds[3][2];
static pthread_once_t folds_once = PTHREAD_ONCE_INIT;

static uint64_t power(int exponent) {
    uint32_t remainder = 0x80000000u;
    for (; exponent > 0; exponent--) remainder = remainder & 1 ? remainder >> 1 ^ 0x82F63B78u : remainder >> 1;
    return (uint64_t)remainder << 1;
}

static void make_folds(void) {
    static const int distances[3] = {8 * folded, 8 * 64, 8 * 16};
    for (int row = 0; row < 3; row++) {
        folds[row][0] = power(distances[row] + 32);
        folds[row][1] = power(distances[row] - 32);
    }
}

#define LMC_FOLDING __attribute__((target("avx512f,vpclmulqdq,pclmul,sse4.2")))

LMC_FOLDING static inline __m512i moved(__m512i sum, __m512i by, __m512i onto) {
    __m512i low = _mm512_clmulepi64_epi128(sum, by, 0x00), high = _mm512_clmulepi64_epi128(sum, by, 0x11);
    return _mm512_ternarylogic_epi64(low, high, onto, 0x96);
}

LMC_FOLDING static inline __m128i moved_once(__m128i sum, __m128i by, __m128i onto) {
    __m128i low = _mm_clmulepi64_si128(sum, by, 0x00), high = _mm_clmulepi64_si128(sum, by, 0x11);
    return _mm_xor_si128(_mm_xor_si128(low, high), onto);
}

// At least `folded` bytes.
LMC_FOLDING static uint32_t by_folding(uint32_t remainder, const unsigned char *bytes, size_t length) {
    pthread_once(&folds_once, make_folds);
    const __m512i far = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)folds[0]));
    const __m512i near = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)folds[1]));
    const __m128i last = _mm_loadu_si128((const __m128i *)folds[2]);
    __m512i first = _mm512_xor_si512(
        _mm512_loadu_si512(bytes), _mm512_zextsi128_si512(_mm_cvtsi32_si128((int)remainder)));
    __m512i second = _mm512_loadu_si512(bytes + 64), third = _mm512_loadu_si512(bytes + 128);
    __m512i fourth = _mm512_loadu_si512(bytes + 192);
    bytes += folded, length -= folded;
    for (; length >= folded; length -= folded, bytes += folded) {
        first = moved(first, far, _mm512_loadu_si512(bytes));
        second = moved(second, far, _mm512_loadu_si512(bytes + 64));
        third = moved(third, far, _mm512_loadu_si512(bytes + 128));
        fourth = moved(fourth, far, _mm512_loadu_si512(bytes + 192));
    }
    fourth = moved(moved(moved(first, near, second), near, third), near, fourth);
    __m128i sum = _mm512_castsi512_si128(fourth);
    sum = moved_once(sum, last, _mm512_extracti32x4_epi32(fourth, 1));
    sum = moved_once(sum, last, _mm512_extracti32x4_epi32(fourth, 2));
    sum = moved_once(sum, last, _mm512_extracti32x4_epi32(fourth, 3));
    uint64_t rest = _mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(sum));
    rest = _mm_crc32_u64(rest, (uint64_t)_mm_cvtsi128_si64(_mm_unpackhi_epi64(sum, sum)));
    return by_streams((uint32_t)rest, bytes, length);
}

static uint32_t by_instruction(uint32_t remainder, const unsigned char *bytes, size_t length) {
    if (length >= folded && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("vpclmulqdq"))
        return by_folding(remainder, bytes, length);
    return by_streams(remainder, bytes, length);
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
