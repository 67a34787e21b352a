/* Samples into the kernel's ring and out of it. */
#include "convert.h"
#include "direct.h"

/* One channel. The width is a constant in each case so that the compiler makes plain loads and stores of it: the ring may
 * be device memory, which takes no unaligned or wide access (rule C11). */
static void copy_samples(char *to, long to_step, const char *from, long from_step, unsigned long frames,
                         unsigned int width)
{
#define COPY(type, n)                                                                              \
    case n:                                                                                        \
        for (; frames; frames--, to += to_step, from += from_step) {                               \
            type sample;                                                                           \
            memcpy(&sample, from, n);                                                              \
            memcpy(to, &sample, n);                                                                \
        }                                                                                          \
        break
    switch (width) {
    COPY(unsigned char, 1);
    COPY(unsigned short, 2);
    COPY(unsigned int, 4);
    COPY(unsigned long long, 8);
    case 3:
        for (; frames; frames--, to += to_step, from += from_step) {
            to[0] = from[0];
            to[1] = from[1];
            to[2] = from[2];
        }
        break;
    default:
        break;
    }
#undef COPY
}

/* Rule F6: of S24_LE and its kin the card gives the low bytes only; what is above them is anybody's, until here. */
static void set_padding(const struct alsamm_ring *ring, char *samples, unsigned long frames)
{
    const struct alsamm_block *block = &ring->block;
    int shift = 32 - ring->value_bits;

    for (unsigned int c = 0; c < ring->channels; c++) {
        char *sample = samples + (long)c * block->channel_stride;
        for (unsigned long f = 0; f < frames; f++, sample += block->frame_stride) {
            unsigned int bits;
            int value;
            memcpy(&bits, sample, sizeof bits);
            if (ring->swapped)
                bits = __builtin_bswap32(bits);
            value = ring->value_signed ? (int)(bits << shift) >> shift : (int)(bits << shift >> shift);
            bits = ring->swapped ? __builtin_bswap32((unsigned int)value) : (unsigned int)value;
            memcpy(sample, &bits, sizeof bits);
        }
    }
}

/* The run's samples, to or from one area, through the converter. `sample` numbers the run's first sample in the stream, and
 * `apart` the next one's distance, so that dither does not depend on how a stream was cut into calls. */
static void convert_samples(const struct alsamm_ring *ring, char *in_ring, long ring_step, char *in_block, long block_step,
                            unsigned long samples, unsigned long long sample, long apart)
{
    if (ring->capture)
        convert_run(ring->converter, in_block, block_step, in_ring, ring_step, (long)samples, sample, apart);
    else
        convert_run(ring->converter, in_ring, ring_step, in_block, block_step, (long)samples, sample, apart);
}

/* One span: frames from ring frame `offset` on, to or from the caller's block. `position` is the span's first frame as
 * appl_ptr counts. */
static void move_span(const struct alsamm_ring *ring, unsigned long offset, unsigned long position, unsigned long frames,
                      char *samples)
{
    const struct alsamm_area *areas = ring->areas;
    const struct alsamm_block *block = &ring->block;
    unsigned int channels = ring->channels;
    unsigned long long sample = (unsigned long long)position * channels;
    size_t width = ring->sample_bytes, frame_bytes = width * channels, item = ring->item_bytes;

    if (ring->contiguous && block->frame_stride == (long)(item * channels) &&
        (block->channel_stride == (long)item || channels == 1)) {
        char *at = areas[0].base + offset * frame_bytes;
        if (ring->converter)
            convert_samples(ring, at, (long)width, samples, (long)item, frames * channels, sample, 1);
        else if (ring->capture)
            memcpy(samples, at, frames * frame_bytes);
        else
            memcpy(at, samples, frames * frame_bytes);
        return;
    }
    for (unsigned int c = 0; c < channels; c++) {
        char *at = areas[c].base + offset * areas[c].step;
        char *of_channel = samples + (long)c * block->channel_stride;
        if (ring->converter)
            convert_samples(ring, at, (long)areas[c].step, of_channel, block->frame_stride, frames, sample + c, (long)channels);
        else if (ring->capture)
            copy_samples(of_channel, block->frame_stride, at, (long)areas[c].step, frames, ring->sample_bytes);
        else
            copy_samples(at, (long)areas[c].step, of_channel, block->frame_stride, frames, ring->sample_bytes);
    }
}

void direct_move(struct alsamm_ring *ring, unsigned long position, unsigned long frames)
{
    unsigned long offset = position % ring->buffer_size;
    unsigned long first = ring_first_span(offset, frames, ring->buffer_size);
    char *samples = ring->block.samples + ring->done * ring->block.frame_stride;

    move_span(ring, offset, position, first, samples);
    if (frames > first)
        move_span(ring, 0, ring_advance(position, first, ring->boundary), frames - first,
                  samples + (long)first * ring->block.frame_stride);
    if (ring->capture && ring->value_bits && !ring->converter)
        set_padding(ring, samples, frames);
}

/* A copy of more than this gives up the GIL: tens of microseconds at the least, so that 30 more do not matter. Samples that do
 * not lie side by side, which go one at a time, take that long for a quarter. */
#define LONG_COPY_BYTES (1 << 18)

static int too_long(const struct alsamm_ring *ring, unsigned long frames)
{
    size_t width = ring->item_bytes > ring->sample_bytes ? ring->item_bytes : ring->sample_bytes;

    if (!ring->contiguous || ring->block.frame_stride != (long)(ring->item_bytes * ring->channels))
        width *= 4;
    return frames * ring->channels * width > LONG_COPY_BYTES;
}

/* 0 for a whole block and nothing else to do, so that a caller's usual case is one test. */
static long told(const struct alsamm_ring *ring, long published)
{
    return published < 0 || ring->done == ring->block.frames ? published : published | ALSAMM_PARTIAL;
}

static long write_block(struct alsamm_ring *ring, int keeps_gil)
{
    struct view now;
    unsigned long frames = (unsigned long)ring->block.frames;
    long published;
    int error = look_for(ring, frames, &now);

    ring->done = 0;
    if (error < 0)
        return error;
    error = ring->capture ? -EBADFD : may_transfer(ring, now.state);
    if (error < 0)
        return error;
    if (frames > usable(ring, &now))
        frames = usable(ring, &now);
    if (keeps_gil && too_long(ring, frames))
        return -E2BIG;
    direct_move(ring, now.appl_ptr, frames);
    published = publish(ring, &now, frames);
    if (published >= 0)
        ring->done = (long)frames;
    return told(ring, published);
}

/* Rule G5: a capture ring can be overwritten while it is read, so avail is looked at before and after the copy. -EOVERFLOW:
 * the card was ahead by more than the ring, so that frames are lost. Nothing is committed then. */
int direct_read(struct alsamm_ring *ring, const struct view *now, unsigned long frames)
{
    struct view after;
    int error;

    direct_move(ring, now->appl_ptr, frames);
    __atomic_thread_fence(__ATOMIC_ACQUIRE); /* the copy before the second look */
    error = look_closely(ring, &after);
    if (error < 0)
        return error;
    return available(ring, &after) > ring->buffer_size ? -EOVERFLOW : 0;
}

static long read_block(struct alsamm_ring *ring, int keeps_gil, int commit)
{
    struct view now;
    unsigned long frames = (unsigned long)ring->block.frames, filled;
    long published = 0;
    int error = look_closely(ring, &now);

    ring->done = 0;
    if (error < 0)
        return error;
    error = ring->capture ? may_transfer(ring, now.state) : -EBADFD;
    if (error < 0)
        return error;
    filled = available(ring, &now);
    if (filled > ring->buffer_size)
        return -EOVERFLOW;
    if (frames > filled)
        frames = filled;
    if (keeps_gil && too_long(ring, frames))
        return -E2BIG;
    error = direct_read(ring, &now, frames);
    if (error < 0)
        return error;
    if (commit)
        published = publish(ring, &now, frames);
    if (published >= 0)
        ring->done = (long)frames;
    return told(ring, published);
}

#define ENTERED(call)                        \
    do {                                     \
        long result = direct_enter(ring);    \
        if (result < 0)                      \
            return result;                   \
        result = (call);                     \
        direct_leave(ring);                  \
        return result;                       \
    } while (0)

long fast_write(struct alsamm_ring *ring)
{
    ENTERED(direct_block_holds(ring) ? write_block(ring, 1) : -ESTALE);
}

static long of_array(struct alsamm_ring *ring, uintptr_t array, int read)
{
    void *old;
    long result = direct_enter(ring);

    if (result < 0)
        return result;
    if (direct_take(ring, array, &old) != 1)
        result = -ESTALE;
    else
        result = read ? read_block(ring, 1, 1) : write_block(ring, 1);
    direct_leave(ring);
    direct_forget(old);
    return result;
}

long fast_write_array(struct alsamm_ring *ring, uintptr_t array)
{
    return of_array(ring, array, 0);
}

long fast_read_array(struct alsamm_ring *ring, uintptr_t array)
{
    return of_array(ring, array, 1);
}

long fast_read(struct alsamm_ring *ring)
{
    ENTERED(direct_block_holds(ring) ? read_block(ring, 1, 1) : -ESTALE);
}

/* Without the GIL nobody may look into the array; the caller holds it so that it cannot change. */
long alsamm_write(struct alsamm_ring *ring, uintptr_t array)
{
    ENTERED(direct_is_block(ring, array) ? write_block(ring, 0) : -ESTALE);
}

long alsamm_read(struct alsamm_ring *ring, uintptr_t array)
{
    ENTERED(direct_is_block(ring, array) ? read_block(ring, 0, 1) : -ESTALE);
}

long alsamm_peek(struct alsamm_ring *ring, uintptr_t array)
{
    ENTERED(direct_is_block(ring, array) ? read_block(ring, 0, 0) : -ESTALE);
}

void direct_silence(struct alsamm_ring *ring, unsigned long position, unsigned long frames)
{
    unsigned long offset = position % ring->buffer_size;
    unsigned long first = ring_first_span(offset, frames, ring->buffer_size);
    const char *silence = (const char *)ring->silence;

    for (unsigned int c = 0; c < ring->channels; c++) {
        const struct alsamm_area *area = &ring->areas[c];
        copy_samples(area->base + offset * area->step, (long)area->step, silence, 0, first, ring->sample_bytes);
        copy_samples(area->base, (long)area->step, silence, 0, frames - first, ring->sample_bytes);
    }
}

/* Rule F7: hw_params leaves zeros, which U8 plays as a full-scale step. All that is not committed becomes silence. */
int alsamm_fill_silence(struct alsamm_ring *ring)
{
    struct view now;
    int error = look(ring, &now);

    if (error < 0)
        return error;
    if (ring->capture)
        return -EBADFD;
    direct_silence(ring, now.appl_ptr, usable(ring, &now));
    return 0;
}
