/* The loops of convert.c, included there once for each instruction set: LEVEL(name) makes their names, TARGET says what
 * the compiler may use. They are plain C in a shape that gcc and clang turn into vector instructions: no branches, one
 * type in, one type out. What is added for speed alone is marked so. */

/* ---- side by side, as this machine's own words, into the same ---- */

/* restrict: nothing written is a parameter or a source sample. */
#define KERNEL(name, to_type, from_type, expression)                                                                \
    TARGET static void LEVEL(name)(const struct alsamm_converter *converter, char *restrict to_,                    \
                                   const char *restrict from_, long samples, struct noise noise)                    \
    {                                                                                                               \
        const struct alsamm_converter k = *converter;                                                               \
        to_type *restrict to = (to_type *)to_;                                                                      \
        const from_type *restrict from = (const from_type *)from_;                                                  \
        (void)noise, (void)k;                                                                                       \
        for (long i = 0; i < samples; i++) {                                                                        \
            from_type x = from[i];                                                                                  \
            to[i] = (to_type)(expression);                                                                          \
        }                                                                                                           \
    }

#define LEFT8 left(x, 24, k.flip)
#define LEFT16 left(x, 16, k.flip)
#define LEFT32 left(x, k.from_shift, k.flip)
#define NOISE noise_of(noise, (uint32_t)i)

KERNEL(i8_i16, u16, u8, moved(LEFT8 >> 16, k.offset))
KERNEL(i8_i32, u32, u8, moved(LEFT8 >> k.to_shift, k.offset))
KERNEL(i16_i16, u16, u16, x ^ k.flip >> 16 ^ k.offset)
KERNEL(i16_i32, u32, u16, moved(LEFT16 >> k.to_shift, k.offset))
KERNEL(i16_i8, u8, u16, moved(narrow(LEFT16, 24, 0), k.offset))
KERNEL(i32_i8, u8, u32, moved(narrow(LEFT32, 24, 0), k.offset))
KERNEL(i32_i16, u16, u32, moved(narrow(LEFT32, 16, 0), k.offset))
KERNEL(i32_i32, u32, u32, moved(narrow32(LEFT32, &k), k.offset))
KERNEL(i32_i32_wider, u32, u32, moved(LEFT32, k.offset))

KERNEL(i8_f32, f32, u8, (float)LEFT8 * 0x1p-31f)
KERNEL(i16_f32, f32, u16, (float)LEFT16 * 0x1p-31f)
KERNEL(i32_f32, f32, u32, (float)LEFT32 * 0x1p-31f)
KERNEL(i8_f64, f64, u8, (double)LEFT8 * 0x1p-31)
KERNEL(i16_f64, f64, u16, (double)LEFT16 * 0x1p-31)
KERNEL(i32_f64, f64, u32, (double)LEFT32 * 0x1p-31)

KERNEL(f32_i8, u8, f32, round16(heard(x) * (float)k.scale, &k) + k.offset)
KERNEL(f32_i16, u16, f32, round16(heard(x) * (float)k.scale, &k) + k.offset)
KERNEL(f32_i32, u32, f32, moved(round32(heard(x) * (float)k.scale, &k), k.offset))
KERNEL(f64_i8, u8, f64, round64(heard64(x) * k.scale, &k) + k.offset)
KERNEL(f64_i16, u16, f64, round64(heard64(x) * k.scale, &k) + k.offset)
KERNEL(f64_i32, u32, f64, round64(heard64(x) * k.scale, &k) + k.offset)

KERNEL(f32_f32, f32, f32, heard(x))
KERNEL(f32_f64, f64, f32, heard(x))
KERNEL(f64_f32, f32, f64, heard64(x))
KERNEL(f64_f64, f64, f64, heard64(x))

KERNEL(i16_i8_dithered, u8, u16, moved(narrow(LEFT16, 24, NOISE), k.offset))
KERNEL(i32_i8_dithered, u8, u32, moved(narrow(LEFT32, 24, NOISE), k.offset))
KERNEL(i32_i16_dithered, u16, u32, moved(narrow(LEFT32, 16, NOISE), k.offset))
KERNEL(f32_i8_dithered, u8, f32, round16(heard(x) * (float)k.scale + (float)NOISE * 0x1p-16f, &k) + k.offset)
KERNEL(f32_i16_dithered, u16, f32, round16(heard(x) * (float)k.scale + (float)NOISE * 0x1p-16f, &k) + k.offset)
KERNEL(f64_i8_dithered, u8, f64, round64(heard64(x) * k.scale + (double)NOISE * 0x1p-16, &k) + k.offset)
KERNEL(f64_i16_dithered, u16, f64, round64(heard64(x) * k.scale + (double)NOISE * 0x1p-16, &k) + k.offset)

#ifdef FLOATS
/* For speed alone, for the pair that most people use: an instruction that narrows and saturates two vectors into one. */
TARGET static void LEVEL(f32_i16_packed)(const struct alsamm_converter *converter, char *restrict to,
                                         const char *restrict from, long samples, struct noise noise)
{
    typedef uint16_t shorts __attribute__((vector_size(sizeof(FLOATS))));
    enum { LANES = sizeof(FLOATS) / sizeof(float) };
    const FLOATS high = (FLOATS){0} + (float)converter->high;
    const float scale = (float)converter->scale;
    const uint16_t offset = (uint16_t)converter->offset;

    for (; samples >= 2 * LANES; samples -= 2 * LANES, from += 2 * sizeof(FLOATS), to += sizeof(FLOATS)) {
        FLOATS a, b;
        shorts both;
        memcpy(&a, from, sizeof a);
        memcpy(&b, from + sizeof a, sizeof b);
        both = (shorts)PACKED(WHOLE(a * scale, high), WHOLE(b * scale, high)) + offset;
        memcpy(to, &both, sizeof both);
    }
    LEVEL(f32_i16)(converter, to, from, samples, noise);
}
#define F32_I16 LEVEL(f32_i16_packed)
#else
#define F32_I16 LEVEL(f32_i16)
#endif

#undef KERNEL
#undef LEFT8
#undef LEFT16
#undef LEFT32
#undef NOISE

/* ---- samples of three bytes, apart, or in the other byte order: to and from words side by side ---- */

#define AT(type, address) (*(type *)(address))
#define FROM(type, address) (*(const type *)(address))

#define WITH_STEP(step, ...)                                        \
    for (long i = 0; i < samples; i++) {                            \
        const long at = i * (step);                                 \
        __VA_ARGS__;                                                \
    }

/* The step is a constant where that is worth it: only then are there vector instructions. */
#define EACH(bytes, step, ...)                                      \
    if (step == bytes)                                              \
        WITH_STEP(bytes, __VA_ARGS__)                               \
    else                                                            \
        WITH_STEP(step, __VA_ARGS__)

/* What is side by side was neither to be fetched nor to be stored; one of two channels is common. */
#define EACH_WORD(bytes, step, ...)                                 \
    if (step == 2 * bytes)                                          \
        WITH_STEP(2 * bytes, __VA_ARGS__)                           \
    else                                                            \
        WITH_STEP(step, __VA_ARGS__)

TARGET static void LEVEL(fetch)(char *restrict words, const char *restrict from, long step, long samples, int kind)
{
    switch (kind) {
    case KIND(1, 0):
    case KIND(1, 1): EACH_WORD(1, step, AT(u8, words + i) = FROM(u8, from + at)) break;
    case KIND(2, 0): EACH_WORD(2, step, AT(u16, words + 2 * i) = FROM(u16, from + at)) break;
    case KIND(2, 1): EACH(2, step, AT(u16, words + 2 * i) = __builtin_bswap16(FROM(u16, from + at))) break;
    case KIND(3, 0):
        if (step == 3) {
            long done = spread(words, from, samples, SHUFFLES);
            words += 4 * done, from += 3 * done, samples -= done;
        }
        EACH(3, step, AT(u32, words + 4 * i) = three(from + at, LOWEST))
        break;
    case KIND(3, 1): EACH(3, step, AT(u32, words + 4 * i) = three(from + at, 2 - LOWEST)) break;
    case KIND(4, 0): EACH_WORD(4, step, AT(u32, words + 4 * i) = FROM(u32, from + at)) break;
    case KIND(4, 1): EACH(4, step, AT(u32, words + 4 * i) = __builtin_bswap32(FROM(u32, from + at))) break;
    case KIND(8, 0): EACH_WORD(8, step, AT(u64, words + 8 * i) = FROM(u64, from + at)) break;
    case KIND(8, 1): EACH(8, step, AT(u64, words + 8 * i) = __builtin_bswap64(FROM(u64, from + at))) break;
    default: break;
    }
}

TARGET static void LEVEL(store)(char *restrict to, long step, const char *restrict words, long samples, int kind)
{
    switch (kind) {
    case KIND(1, 0):
    case KIND(1, 1): EACH_WORD(1, step, AT(u8, to + at) = FROM(u8, words + i)) break;
    case KIND(2, 0): EACH_WORD(2, step, AT(u16, to + at) = FROM(u16, words + 2 * i)) break;
    case KIND(2, 1): EACH(2, step, AT(u16, to + at) = __builtin_bswap16(FROM(u16, words + 2 * i))) break;
    case KIND(3, 0):
        if (step == 3) {
            long done = squeeze(to, words, samples, SHUFFLES);
            to += 3 * done, words += 4 * done, samples -= done;
        }
        EACH(3, step, put_three(to + at, FROM(u32, words + 4 * i), LOWEST))
        break;
    case KIND(3, 1): EACH(3, step, put_three(to + at, FROM(u32, words + 4 * i), 2 - LOWEST)) break;
    case KIND(4, 0): EACH_WORD(4, step, AT(u32, to + at) = FROM(u32, words + 4 * i)) break;
    case KIND(4, 1): EACH(4, step, AT(u32, to + at) = __builtin_bswap32(FROM(u32, words + 4 * i))) break;
    case KIND(8, 0): EACH_WORD(8, step, AT(u64, to + at) = FROM(u64, words + 8 * i)) break;
    case KIND(8, 1): EACH(8, step, AT(u64, to + at) = __builtin_bswap64(FROM(u64, words + 8 * i))) break;
    default: break;
    }
}

#undef EACH
#undef EACH_WORD
#undef WITH_STEP
#undef FROM
#undef AT

/* The one-byte pair is missing: none of the two is what numpy users hold. */
static const struct level LEVEL(level) = {
    .kernels = {
        [I8] = {NULL, LEVEL(i8_i16), LEVEL(i8_i32), LEVEL(i8_f32), LEVEL(i8_f64)},
        [I16] = {LEVEL(i16_i8), LEVEL(i16_i16), LEVEL(i16_i32), LEVEL(i16_f32), LEVEL(i16_f64)},
        [I32] = {LEVEL(i32_i8), LEVEL(i32_i16), LEVEL(i32_i32), LEVEL(i32_f32), LEVEL(i32_f64)},
        [F32] = {LEVEL(f32_i8), F32_I16, LEVEL(f32_i32), LEVEL(f32_f32), LEVEL(f32_f64)},
        [F64] = {LEVEL(f64_i8), LEVEL(f64_i16), LEVEL(f64_i32), LEVEL(f64_f32), LEVEL(f64_f64)},
    },
    .dithered = {
        [I16] = {LEVEL(i16_i8_dithered), NULL},
        [I32] = {LEVEL(i32_i8_dithered), LEVEL(i32_i16_dithered)},
        [F32] = {LEVEL(f32_i8_dithered), LEVEL(f32_i16_dithered)},
        [F64] = {LEVEL(f64_i8_dithered), LEVEL(f64_i16_dithered)},
    },
    .i32_i32_wider = LEVEL(i32_i32_wider),
    .fetch = LEVEL(fetch),
    .store = LEVEL(store),
};
#undef F32_I16

#undef LEVEL
#undef TARGET
#undef SHUFFLES
#undef FLOATS
#undef INTS
#undef MM
#undef PACKED
