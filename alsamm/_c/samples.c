/* Samples into the kernel's ring and out of it. */
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
static void set_padding(const struct alsamm_ring *ring, char *block, unsigned long frames, long frame_stride,
                         long channel_stride)
{
    int shift = 32 - ring->value_bits;

    for (unsigned int c = 0; c < ring->channels; c++) {
        char *sample = block + (long)c * channel_stride;
        for (unsigned long f = 0; f < frames; f++, sample += frame_stride) {
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

/* One span: frames from ring frame `offset` on, to or from the caller's block. */
static void move_span(const struct alsamm_ring *ring, int reading, unsigned long offset, unsigned long frames,
                      char *block, long frame_stride, long channel_stride)
{
    const struct alsamm_area *areas = ring->areas;
    size_t width = ring->sample_bytes, frame_bytes = width * ring->channels;

    if (ring->contiguous && frame_stride == (long)frame_bytes &&
        (channel_stride == (long)width || ring->channels == 1)) {
        char *at = areas[0].base + offset * frame_bytes;
        if (reading) /* memmove: the block may be a view of this very ring */
            memmove(block, at, frames * frame_bytes);
        else
            memmove(at, block, frames * frame_bytes);
        return;
    }
    for (unsigned int c = 0; c < ring->channels; c++) {
        char *at = areas[c].base + offset * areas[c].step;
        char *samples = block + (long)c * channel_stride;
        if (reading)
            copy_samples(samples, frame_stride, at, (long)areas[c].step, frames, ring->sample_bytes);
        else
            copy_samples(at, (long)areas[c].step, samples, frame_stride, frames, ring->sample_bytes);
    }
}

static void move(const struct alsamm_ring *ring, int reading, unsigned long position, unsigned long frames,
                 char *block, long frame_stride, long channel_stride)
{
    unsigned long offset = position % ring->buffer_size;
    unsigned long first = ring_first_span(offset, frames, ring->buffer_size);

    move_span(ring, reading, offset, first, block, frame_stride, channel_stride);
    if (frames > first)
        move_span(ring, reading, 0, frames - first, block + (long)first * frame_stride, frame_stride, channel_stride);
}

static long write_block(struct alsamm_ring *ring, const char *block, long frames, long frame_stride, long channel_stride)
{
    struct view now;
    unsigned long room;
    int error;

    if (frames < 0)
        return -EINVAL;
    error = look(&ring->pages, 0, &now);
    if (error < 0)
        return error;
    error = ring->capture ? -EBADFD : may_transfer(ring, now.state);
    if (error < 0)
        return error;
    room = available(ring, &now);
    if (room > ring->buffer_size)
        room = ring->buffer_size;
    if (room > (unsigned long)frames)
        room = (unsigned long)frames;
    move(ring, 0, now.appl_ptr, room, (char *)block, frame_stride, channel_stride);
    return publish(ring, &now, room);
}

/* Rule G5: a capture ring can be overwritten while it is read, so avail is looked at before and after the copy. -EOVERFLOW:
 * the card was ahead by more than the ring, so that frames are lost. Nothing is committed then. */
static long read_block(struct alsamm_ring *ring, char *block, long frames, long frame_stride, long channel_stride, int commit)
{
    struct view now, after;
    unsigned long filled;
    int error;

    if (frames < 0)
        return -EINVAL;
    error = look_closely(ring, &now);
    if (error < 0)
        return error;
    error = ring->capture ? may_transfer(ring, now.state) : -EBADFD;
    if (error < 0)
        return error;
    filled = available(ring, &now);
    if (filled > ring->buffer_size)
        return -EOVERFLOW;
    if (filled > (unsigned long)frames)
        filled = (unsigned long)frames;
    move(ring, 1, now.appl_ptr, filled, block, frame_stride, channel_stride);
    __atomic_thread_fence(__ATOMIC_ACQUIRE); /* the copy before the second look */
    error = look_closely(ring, &after);
    if (error < 0)
        return error;
    if (available(ring, &after) > ring->buffer_size)
        return -EOVERFLOW;
    if (ring->value_bits)
        set_padding(ring, block, filled, frame_stride, channel_stride);
    return commit ? publish(ring, &now, filled) : (long)filled;
}

long fast_write(struct alsamm_ring *ring, const char *block, long frames, long frame_stride, long channel_stride)
{
    return write_block(ring, block, frames, frame_stride, channel_stride);
}

long alsamm_write(struct alsamm_ring *ring, const char *block, long frames, long frame_stride, long channel_stride)
{
    return write_block(ring, block, frames, frame_stride, channel_stride);
}

long fast_read(struct alsamm_ring *ring, char *block, long frames, long frame_stride, long channel_stride, int commit)
{
    return read_block(ring, block, frames, frame_stride, channel_stride, commit);
}

long alsamm_read(struct alsamm_ring *ring, char *block, long frames, long frame_stride, long channel_stride, int commit)
{
    return read_block(ring, block, frames, frame_stride, channel_stride, commit);
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
    unsigned long room;
    int error = look(&ring->pages, 0, &now);

    if (error < 0)
        return error;
    if (ring->capture)
        return -EBADFD;
    room = available(ring, &now);
    direct_silence(ring, now.appl_ptr, room < ring->buffer_size ? room : ring->buffer_size);
    return 0;
}
