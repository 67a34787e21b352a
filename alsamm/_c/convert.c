/* One sample format into another: the arithmetic of one sample, the choice of loops, and the way through them. */
#include <errno.h>
#include <limits.h>
#include <stddef.h>
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

enum shape { I8, I16, I32, F32, F64, SHAPES }; /* a machine word with a sample in it */

struct noise {
    uint32_t first, step, key;
};

/* ---- one sample ---- */

/* An integer sample in the upper bits of 32, whatever its own number of bits: its fraction is that / 2^31. What lay above
 * the value is shifted out. flip: the top bit of unsigned samples. */
INLINE int32_t left(uint32_t sample, int shift, uint32_t flip)
{
    return (int32_t)((sample << shift) ^ flip);
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

/* To 32 - to_shift bits; the shift may be 0. Rounding can only pass the upper end. */
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
    float low = (float)k->low, ceiling = (float)k->ceiling;
    int32_t result;

    result = nearest(value < low ? low : value > ceiling ? ceiling : value);
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

/* ---- the loops, for each instruction set ---- */

typedef void kernel(const struct alsamm_converter *converter, char *restrict to, const char *restrict from, long samples,
                    struct noise noise);

struct level {
    kernel *kernels[SHAPES][SHAPES], *dithered[SHAPES][2]; /* [from][to] */
    void (*fetch)(char *restrict words, const char *restrict from, long step, long samples, int kind);
    void (*store)(char *restrict to, long step, const char *restrict words, long samples, int kind);
};

#define KIND(bytes, swapped) ((bytes) * 2 + (swapped))

#define TARGET
#define LEVEL(name) name##_0
#include "convert_kernels.h"
#undef TARGET
#undef LEVEL

#ifdef __x86_64__
#define TARGET __attribute__((target("avx2")))
#define LEVEL(name) name##_avx2
#include "convert_kernels.h"
#undef TARGET
#undef LEVEL

#define TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl")))
#define LEVEL(name) name##_avx512
#include "convert_kernels.h"
#undef TARGET
#undef LEVEL
#endif

static const struct level *const levels[] = {
    &level_0,
#ifdef __x86_64__
    &level_avx2,
    &level_avx512,
#endif
};

/* Level 0 is what every machine of the architecture has: SSE2 on x86-64, NEON on arm64. */
int fast_simd(void)
{
#ifdef __x86_64__
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2"))
        return 0;
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") ? 2 : 1;
#else
    return 0;
#endif
}

/* ---- the choice ---- */

static int shape_of(const struct alsamm_sample *sample)
{
    int bits = sample->bits;

    if (sample->is_float)
        return sample->bytes == 4 && bits == 32 ? F32 : sample->bytes == 8 && bits == 64 ? F64 : -1;
    switch (sample->bytes) {
    case 1: return bits == 8 ? I8 : -1;
    case 2: return bits == 16 ? I16 : -1;
    case 3: return bits > 16 && bits <= 24 ? I32 : -1;
    case 4: return bits > 16 && bits <= 32 ? I32 : -1;
    default: return -1;
    }
}

/* Whether numpy users hold it: int16, int32, float32 or float64 of this machine. */
static int is_native(const struct alsamm_sample *sample)
{
    return !sample->swapped &&
           (sample->is_float || (sample->is_signed && (sample->bits == 16 || sample->bits == 32)));
}

/* What lies as a word of this machine already needs neither fetching nor storing when it is side by side. */
static int kind_of(const struct alsamm_sample *sample)
{
    return KIND(sample->bytes, sample->swapped && sample->bytes > 1);
}

static int is_word(int kind)
{
    return kind != KIND(3, 0) && !(kind & 1);
}

static int precision(const struct alsamm_sample *sample)
{
    return sample->is_float ? INT_MAX : sample->bits;
}

int fast_converter(struct alsamm_converter *converter, int simd)
{
    const struct alsamm_sample *from, *to;
    int best = fast_simd(), source, target;
    double top;

    if (!converter)
        return -EINVAL;
    converter->level = NULL;
    from = &converter->from;
    to = &converter->to;
    source = shape_of(from);
    target = shape_of(to);
    if (source < 0 || target < 0 || !(is_native(from) || is_native(to)))
        return -EINVAL;
    converter->simd = simd < 0 || simd > best ? best : simd;
    converter->from_kind = kind_of(from);
    converter->to_kind = kind_of(to);
    converter->from_shift = from->is_float ? 0 : 32 - from->bits;
    converter->flip = from->is_float || from->is_signed ? 0 : 1U << 31;
    converter->level = levels[converter->simd];
    converter->dithers = converter->dither && target <= I16 && precision(from) > precision(to);
    converter->kernel = (void *)(converter->dithers ? levels[converter->simd]->dithered[source][target]
                                                    : levels[converter->simd]->kernels[source][target]);
    if (to->is_float)
        return 0;
    top = (double)(1LL << (to->bits - 1));
    converter->to_shift = 32 - to->bits;
    converter->to_rest = (int)((1U << converter->to_shift) - 1);
    converter->to_half = converter->to_shift ? 1 << (converter->to_shift - 1) : INT_MAX; /* never rounds up */
    converter->to_top = (int)((1LL << (to->bits - 1)) - 1);
    converter->offset = to->is_signed ? 0 : 1U << (to->bits - 1);
    converter->scale = top;
    converter->low = -top;
    converter->high = top - 1;
    converter->ceiling = to->bits <= 24 ? top - 1 : top - top * 0x1p-24; /* the largest float that is no more than high */
    return 0;
}

/* ---- the way through ---- */

enum { MOST_INDEX_STEP = 1 << 24 }; /* so that a run's last index is not so far that it comes round to the first */
enum { BLOCK = 128 }; /* samples on the stack: small beside the first cache, large beside a loop's ends */

/* One number for the upper half of all indices: so a run is cut where that changes, at most once in 2^32 samples. */
static long same_upper_half(unsigned long index, long index_step, long samples)
{
    while (((index + (unsigned long)(samples - 1) * (unsigned long)index_step) ^ index) >> 16 >> 16)
        samples /= 2;
    return samples;
}

void convert_run(const struct alsamm_converter *converter, char *to, long to_step, const char *from, long from_step,
                 long samples, unsigned long index, long index_step)
{
    const struct level *level = converter->level;
    const struct alsamm_sample *source = &converter->from, *target = &converter->to;
    int fetch = from_step != source->bytes || !is_word(converter->from_kind);
    int store = to_step != target->bytes || !is_word(converter->to_kind);
    char fetched[BLOCK * 8] __attribute__((aligned(64))), stored[BLOCK * 8] __attribute__((aligned(64)));
    struct noise noise = {0, (uint32_t)index_step, 0};
    long part;

    for (; samples > 0; samples -= part) {
        part = (fetch || store) && samples > BLOCK ? BLOCK : samples;
        if (converter->dithers) {
            part = same_upper_half(index, index_step, part);
            noise.first = (uint32_t)index;
            noise.key = hash((uint32_t)(index >> 16 >> 16));
            index += (unsigned long)part * (unsigned long)index_step;
        }
        if (fetch)
            level->fetch(fetched, from, from_step, part, converter->from_kind);
        ((kernel *)converter->kernel)(converter, store ? stored : to, fetch ? fetched : from, part, noise);
        if (store)
            level->store(to, to_step, stored, part, converter->to_kind);
        from += part * from_step;
        to += part * to_step;
    }
}

int fast_convert(const struct alsamm_converter *converter, char *to, long to_step, const char *from, long from_step,
                 long samples, unsigned long index, long index_step)
{
    if (!converter || !converter->level || samples < 0 || (samples && (!to || !from)))
        return -EINVAL;
    if (index_step < -MOST_INDEX_STEP || index_step > MOST_INDEX_STEP)
        return -EINVAL;
    convert_run(converter, to, to_step, from, from_step, samples, index, index_step);
    return 0;
}
