/* fast_converter and fast_convert: any description of samples, any steps, in memory of just the size that they name. The
 * edge: of steps and pointers C believes Python (conversion.py), of everything else nothing. */
#include "kit.h"

enum { MOST_SAMPLES = 700, MOST_STEP = 40 };

/* Memory from the first to the last byte that the samples touch, and where the first sample is in it. */
static char *make(long samples, long step, long bytes, char **first)
{
    long reach = samples > 0 ? (samples - 1) * labs(step) + bytes : 0;
    char *memory = malloc(reach > 0 ? (size_t)reach : 1);

    MUST(memory);
    memset(memory, 0x5a, reach > 0 ? (size_t)reach : 1);
    *first = step < 0 ? memory + (samples > 0 ? (samples - 1) * -step : 0) : memory;
    return memory;
}

static struct alsamm_sample sample_of(struct bytes *in)
{
    static const struct alsamm_sample usual[] = {
        {1, 8, 0, 1, 0}, {2, 16, 0, 1, 0}, {2, 16, 0, 0, 1}, {3, 24, 0, 1, 0}, {3, 18, 0, 0, 1},
        {4, 24, 0, 1, 0}, {4, 32, 0, 1, 0}, {4, 20, 0, 0, 0}, {4, 32, 1, 1, 0}, {8, 64, 1, 1, 0}, {8, 64, 1, 1, 1}};
    unsigned int kind = byte(in);

    if (kind < 240)
        return usual[kind % (sizeof usual / sizeof *usual)];
    return (struct alsamm_sample){(int)number(in), (int)number(in), (int)number(in), (int)number(in), (int)number(in)};
}

static long step_of(struct bytes *in, long bytes)
{
    unsigned int kind = byte(in);

    return kind < 128 ? bytes : (long)(kind % (2 * MOST_STEP)) - MOST_STEP;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = {data, data + size};
    struct alsamm_converter converter = {.from = sample_of(&in), .to = sample_of(&in), .dither = byte(&in) & 1}, plain;
    long samples = byte(&in) * 3, index_step = (long)number(&in), from_step, to_step;
    unsigned long long index = (unsigned long long)number(&in);
    char *source, *target, *other, *from, *to, *too;

    if (fast_converter(&converter, (int)number(&in)) < 0) {
        MUST(fast_convert(&converter, NULL, 0, NULL, 0, 0, 0, 0) < 0);
        return 0;
    }
    samples = samples > MOST_SAMPLES ? MOST_SAMPLES : samples;
    from_step = step_of(&in, converter.from.bytes);
    to_step = step_of(&in, converter.to.bytes);
    if (labs(to_step) < converter.to.bytes) /* they would lie over one another: what comes out is not said */
        to_step = converter.to.bytes;
    source = make(samples, from_step, converter.from.bytes, &from);
    target = make(samples, to_step, converter.to.bytes, &to);
    other = make(samples, to_step, converter.to.bytes, &too);
    for (long i = 0; i < samples; i++)
        for (int b = 0; b < converter.from.bytes; b++)
            from[i * from_step + b] = (char)byte(&in);
    plain = converter;
    MUST(fast_converter(&plain, 0) == 0);
    if (fast_convert(&converter, to, to_step, from, from_step, samples, index, index_step) == 0) {
        MUST(fast_convert(&plain, too, to_step, from, from_step, samples, index, index_step) == 0);
        for (long i = 0; i < samples; i++)
            MUST(memcmp(to + i * to_step, too + i * to_step, (size_t)converter.to.bytes) == 0);
    }
    MUST(fast_convert(&converter, to, to_step, from, from_step, -samples - 1, index, index_step) < 0);
    free(source);
    free(target);
    free(other);
    return 0;
}
