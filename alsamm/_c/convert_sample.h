/* The arithmetic of one sample, for convert.c's loops: convert.h says what it is to be. Nothing branches, so that a loop
 * over it becomes vector instructions. */
#ifndef ALSAMM_CONVERT_SAMPLE_H
#define ALSAMM_CONVERT_SAMPLE_H

#include <stdint.h>
#include <string.h>

#include "convert.h"

/* Samples lie at any address, and as any type. */
#define ANYWHERE __attribute__((aligned(1), may_alias))
typedef uint8_t u8 ANYWHERE;
typedef uint16_t u16 ANYWHERE;
typedef uint32_t u32 ANYWHERE;
typedef uint64_t u64 ANYWHERE;
typedef float f32 ANYWHERE;
typedef double f64 ANYWHERE;

#define INLINE static inline __attribute__((always_inline))

struct noise {
    uint32_t first, step, key;
};

/* An integer sample in the upper bits of 32, whatever its own number of bits: its fraction is that / 2^31. What lay above
 * the value is shifted out. flip: the top bit of unsigned samples. */
INLINE int32_t left(uint32_t sample, int shift, uint32_t flip)
{
    return (int32_t)((sample << shift) ^ flip);
}

/* A value as its format has it: offset is 0, or what unsigned samples are moved up by. Modulo 2^32, so that the top bit of 32
 * may be moved too. */
INLINE uint32_t moved(int32_t value, uint32_t offset)
{
    return (uint32_t)value + offset;
}

/* To 32 - shift bits, 16 or fewer. noise is in 2^-16 of a step. The sum stays in two halves, so it cannot overflow. */
INLINE int32_t narrow(int32_t sample, int shift, int32_t noise)
{
    int32_t mask = (1 << shift) - 1, top = INT32_MAX >> shift;
    int32_t rest = (sample & mask) + noise * (1 << (shift - 16));
    int32_t value = (sample >> shift) + (rest >> shift);

    value += (rest & mask) + (value & 1) > 1 << (shift - 1); /* the middle goes to the even neighbour */
    value = value > top ? top : value;
    return value < -top - 1 ? -top - 1 : value;
}

/* To 32 - to_shift bits, fewer than 32. Rounding can only pass the upper end. */
INLINE int32_t narrow32(int32_t sample, const struct alsamm_converter *k)
{
    int32_t value = sample >> k->to_shift;

    value += (sample & k->to_rest) + (value & 1) > k->to_half;
    return value > k->to_top ? k->to_top : value;
}

INLINE float heard(float sample)
{
    return sample == sample ? sample : 0.0f;
}

INLINE double heard64(double sample)
{
    return sample == sample ? sample : 0.0;
}

/* To 16 bits or fewer: adding 1.5 * 2^23 leaves no place for a fraction, so the addition rounds, and the value stands in the
 * lowest bits. */
INLINE uint32_t round16(float value, const struct alsamm_converter *k)
{
    float low = (float)k->low, high = (float)k->high;
    uint32_t bits;

    value = value < low ? low : value;
    value = value > high ? high : value;
    value += 0x1.8p23f;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* The same for double, to any number of bits. */
INLINE uint32_t round64(double value, const struct alsamm_converter *k)
{
    uint64_t bits;

    value = value < k->low ? k->low : value;
    value = value > k->high ? k->high : value;
    value += 0x1.8p52;
    memcpy(&bits, &value, sizeof bits);
    return (uint32_t)bits;
}

/* To whole numbers as the processor rounds: by instructions that are vectorised where there are any. */
INLINE int32_t nearest(float value)
{
#if defined __x86_64__ && !defined __clang__
    return __builtin_irintf(value);
#elif defined __aarch64__
    return (int32_t)__builtin_rintf(value);
#else
    float magic = __builtin_copysignf(0x1p23f, value); /* from 2^23 on there are no fractions */
    return (int32_t)(__builtin_fabsf(value) < 0x1p23f ? value + magic - magic : value);
#endif
}

/* To 18 to 32 bits. A float cannot hold 2^31 - 1, so all from 2^31 on is picked apart; ceiling is the float below. */
INLINE int32_t round32(float value, const struct alsamm_converter *k)
{
    float low = (float)k->low, ceiling = (float)k->ceiling, held;
    int32_t result;

    held = value < low ? low : value;
    held = held > ceiling ? ceiling : held;
    result = nearest(held);
    return value > ceiling ? k->to_top : result;
}

/* lowbias32, by Chris Wellons: every bit of the result depends on every bit of the number. */
INLINE uint32_t hash(uint32_t x)
{
    x = (x ^ x >> 16) * 0x7feb352dU;
    x = (x ^ x >> 15) * 0x846ca68bU;
    return x ^ x >> 16;
}

INLINE int32_t noise_of(struct noise noise, uint32_t i)
{
    uint32_t h = hash((noise.first + i * noise.step) ^ noise.key);

    return (int32_t)(h >> 16) - (int32_t)(h & 0xffff);
}

/* ---- samples of three bytes ---- */

/* Three bytes of this machine's order, and of the other. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define LOWEST 0
#else
#define LOWEST 2
#endif

INLINE uint32_t three(const char *from, int lowest)
{
    const u8 *bytes = (const u8 *)from;

    return bytes[lowest] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2 - lowest] << 16;
}

INLINE void put_three(char *to, uint32_t value, int lowest)
{
    u8 *bytes = (u8 *)to;

    bytes[lowest] = (u8)value;
    bytes[1] = (u8)(value >> 8);
    bytes[2 - lowest] = (u8)(value >> 16);
}

/* For speed alone: as many as can be done at once of samples side by side, lowest byte first; the count of those done. With
 * an instruction that picks bytes in any order that is one for each 16 bytes, otherwise shifts in 64-bit words. */
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#define SHUFFLE_BYTES(a, b, ...) (a)
#elif defined __clang__ || __GNUC__ >= 12
#define SHUFFLE_BYTES(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define SHUFFLE_BYTES(a, b, ...) __builtin_shuffle(a, b, (octets){__VA_ARGS__})
#endif
typedef uint8_t octets __attribute__((vector_size(16)));
typedef uint8_t octets_anywhere __attribute__((vector_size(16), aligned(1), may_alias));

/* The lower three bytes of each 32-bit word. */
INLINE long squeeze(char *restrict to, const char *restrict words, long samples, int shuffles)
{
    const uint64_t even = 0xffffff, odd = 0xffffff000000;
    long done = 0;

    if (__BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__)
        return 0;
    if (shuffles)
        for (; done + 16 <= samples; done += 16, words += 64, to += 48) {
            const octets_anywhere *in = (const octets_anywhere *)words;
            octets_anywhere *out = (octets_anywhere *)to;
            octets a = in[0], b = in[1], c = in[2], d = in[3];
            out[0] = SHUFFLE_BYTES(a, b, 0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, 16, 17, 18, 20);
            out[1] = SHUFFLE_BYTES(b, c, 5, 6, 8, 9, 10, 12, 13, 14, 16, 17, 18, 20, 21, 22, 24, 25);
            out[2] = SHUFFLE_BYTES(c, d, 10, 12, 13, 14, 16, 17, 18, 20, 21, 22, 24, 25, 26, 28, 29, 30);
        }
    else
        for (; done + 8 <= samples; done += 8, words += 32, to += 24) {
            const u64 *in = (const u64 *)words;
            u64 *out = (u64 *)to;
            uint64_t a = (in[0] & even) | (in[0] >> 8 & odd), b = (in[1] & even) | (in[1] >> 8 & odd);
            uint64_t c = (in[2] & even) | (in[2] >> 8 & odd), d = (in[3] & even) | (in[3] >> 8 & odd);
            out[0] = a | b << 48;
            out[1] = b >> 16 | c << 32;
            out[2] = c >> 32 | d << 16;
        }
    return done;
}

/* The other way; the upper byte of each word is anything, as it may be of S24 (rule F6). */
INLINE long spread(char *restrict words, const char *restrict from, long samples, int shuffles)
{
    long done = 0;

    if (__BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__)
        return 0;
    if (shuffles)
        for (; done + 16 <= samples; done += 16, words += 64, from += 48) {
            const octets_anywhere *in = (const octets_anywhere *)from;
            octets_anywhere *out = (octets_anywhere *)words;
            octets a = in[0], b = in[1], c = in[2];
            out[0] = SHUFFLE_BYTES(a, a, 0, 1, 2, 2, 3, 4, 5, 5, 6, 7, 8, 8, 9, 10, 11, 11);
            out[1] = SHUFFLE_BYTES(a, b, 12, 13, 14, 14, 15, 16, 17, 17, 18, 19, 20, 20, 21, 22, 23, 23);
            out[2] = SHUFFLE_BYTES(b, c, 8, 9, 10, 10, 11, 12, 13, 13, 14, 15, 16, 16, 17, 18, 19, 19);
            out[3] = SHUFFLE_BYTES(c, c, 4, 5, 6, 6, 7, 8, 9, 9, 10, 11, 12, 12, 13, 14, 15, 15);
        }
    else
        for (; done + 8 <= samples; done += 8, words += 32, from += 24) {
            const u64 *in = (const u64 *)from;
            u64 *out = (u64 *)words;
            uint64_t a = in[0], b = in[0] >> 48 | in[1] << 16, c = in[1] >> 32 | in[2] << 32, d = in[2] >> 16;
            out[0] = (a & 0xffffff) | a >> 24 << 32;
            out[1] = (b & 0xffffff) | b >> 24 << 32;
            out[2] = (c & 0xffffff) | c >> 24 << 32;
            out[3] = (d & 0xffffff) | d >> 24 << 32;
        }
    return done;
}

#endif
