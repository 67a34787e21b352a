/* One sample format into another: the choice among the loops of convert_kernels.h, and the way through them. convert.h says
 * what comes out. */
#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#if defined __x86_64__
#include <immintrin.h>
#elif defined __aarch64__
#include <arm_neon.h>
#endif

/* The 387 computes in more bits than a float has, and so rounds otherwise than convert.h says. numpy needs SSE2 too. */
#if defined __i386__ && !defined __SSE2_MATH__ && !defined __clang__
#pragma GCC target("sse2,fpmath=sse")
#endif

#include "convert.h"
#include "convert_sample.h"

/* ---- the loops, for each instruction set ---- */

enum shape { I8, I16, I32, F32, F64, SHAPES }; /* a machine word with a sample in it */

typedef void kernel(const struct alsamm_converter *converter, char *restrict to, const char *restrict from, long samples,
                    struct noise noise);

struct level {
    kernel *kernels[SHAPES][SHAPES], *dithered[SHAPES][2]; /* [from][to] */
    kernel *i32_i32_wider;
    void (*fetch)(char *restrict words, const char *restrict from, long step, long samples, int kind);
    void (*store)(char *restrict to, long step, const char *restrict words, long samples, int kind);
};

#define KIND(bytes, swapped) ((bytes) * 2 + (swapped))

/* What differs: SHUFFLES, whether an instruction picks bytes in any order. FLOATS, a vector; WHOLE, floats to the nearest
 * whole numbers, NaN to 0, nothing above high and all that is too low to INT32_MIN; PACKED, two vectors of those to one of
 * 16 bits, saturated. Where FLOATS is missing the loops are plain C throughout. */
#ifdef __x86_64__
/* Converting gives INT32_MIN for all that an int cannot hold, which is right below. */
#define WHOLE(v, high) MM(cvtps_epi32)(MM(min_ps)((FLOATS)((INTS)((v) == (v)) & (INTS)(v)), high))

#define LEVEL(name) name##_sse2
#define TARGET
#define SHUFFLES 0
#define FLOATS __m128
#define INTS __m128i
#define MM(name) _mm_##name
#define PACKED(a, b) _mm_packs_epi32(a, b)
#include "convert_kernels.h"

#define LEVEL(name) name##_avx2
#define TARGET __attribute__((target("avx2")))
#define SHUFFLES 1
#define FLOATS __m256
#define INTS __m256i
#define MM(name) _mm256_##name
#define PACKED(a, b) _mm256_permute4x64_epi64(_mm256_packs_epi32(a, b), 0xd8)
#include "convert_kernels.h"

#define LEVEL(name) name##_avx512
#define TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl")))
#define SHUFFLES 1
#define FLOATS __m512
#define INTS __m512i
#define MM(name) _mm512_##name
#define PACKED(a, b) _mm512_permutexvar_epi64(_mm512_set_epi64(7, 5, 3, 1, 6, 4, 2, 0), _mm512_packs_epi32(a, b))
#include "convert_kernels.h"

static const struct level *const levels[] = {&level_sse2, &level_avx2, &level_avx512};
#else
#define LEVEL(name) name##_0
#define TARGET
#ifdef __aarch64__
#define SHUFFLES 1
#define FLOATS float32x4_t
#define WHOLE(v, high) ((void)(high), vcvtnq_s32_f32(v)) /* does all of this by itself */
#define PACKED(a, b) vcombine_s16(vqmovn_s32(a), vqmovn_s32(b))
#else
#define SHUFFLES 0
#endif
#include "convert_kernels.h"

static const struct level *const levels[] = {&level_0};
#endif

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
    const struct level *level;
    int best = fast_simd(), source, target;
    double top;

    if (!converter)
        return -EINVAL;
    converter->level = NULL; /* fast_convert refuses it until all is well */
    from = &converter->from;
    to = &converter->to;
    source = shape_of(from);
    target = shape_of(to);
    if (source < 0 || target < 0 || !(is_native(from) || is_native(to)))
        return -EINVAL;
    converter->simd = simd < 0 || simd > best ? best : simd;
    level = levels[converter->simd];
    converter->level = level;
    converter->from_kind = kind_of(from);
    converter->to_kind = kind_of(to);
    converter->from_shift = from->is_float ? 0 : 32 - from->bits;
    converter->flip = from->is_float || from->is_signed ? 0 : 1U << 31;
    converter->dithers = converter->dither && target <= I16 && precision(from) > precision(to);
    converter->kernel = (void *)(converter->dithers ? level->dithered[source][target]
                                 : source == I32 && target == I32 && to->bits == 32 ? level->i32_i32_wider
                                 : level->kernels[source][target]);
    if (to->is_float)
        return 0;
    top = (double)(1LL << (to->bits - 1));
    converter->to_shift = 32 - to->bits;
    converter->to_rest = (int)((1U << converter->to_shift) - 1);
    converter->to_half = (converter->to_rest + 1) / 2;
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

/* All indices of a loop have one upper half (noise.key), so a run is cut where that changes. */
static long same_upper_half(unsigned long long index, long index_step, long samples)
{
    while (((index + (unsigned long long)(samples - 1) * (unsigned long long)index_step) ^ index) >> 32)
        samples /= 2;
    return samples;
}

void convert_run(const struct alsamm_converter *converter, char *to, long to_step, const char *from, long from_step,
                 long samples, unsigned long long index, long index_step)
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
            noise.key = hash((uint32_t)(index >> 32));
            index += (unsigned long long)part * (unsigned long long)index_step;
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
                 long samples, unsigned long long index, long index_step)
{
    if (!converter || !converter->level || samples < 0 || (samples && (!to || !from)))
        return -EINVAL;
    if (index_step < -MOST_INDEX_STEP || index_step > MOST_INDEX_STEP)
        return -EINVAL;
    convert_run(converter, to, to_step, from, from_step, samples, index, index_step);
    return 0;
}
