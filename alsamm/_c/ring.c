/* The hot path: pointers in the kernel's pages, samples in the kernel's ring.
 *
 * Order (rule K1): samples first, then appl_ptr with release; hw_ptr with acquire, then samples. Where a page is refused,
 * SYNC_PTR and the stream lock inside it do the same. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <time.h>
#include <sound/asound.h>

#include "shim.h"
#include "ring.h"

typedef const struct snd_pcm_mmap_status status_page;
typedef struct snd_pcm_mmap_control control_page;

#define NS(t) ((long long)(t).tv_sec * 1000000000LL + (long long)(t).tv_nsec)
#define NS_PER_MS 1000000LL

struct view { /* both pointers and the state at one time, as far as the road allows */
    int state;
    unsigned long hw_ptr, appl_ptr;
};

static int query(struct alsamm_pages *pages, struct alsamm_snapshot *now)
{
    memset(now, 0, sizeof *now);
    return pages->fd < 0 ? -EBADF : fast_sync_ptr(pages->fd, ALSAMM_QUERY, now);
}

/* Rules D6, D10: with HWSYNC the capture data behind hw_ptr are valid on cards that need it; when the state does not
 * allow it the struct stays unwritten, so ask again without. */
static int query_fresh(struct alsamm_pages *pages, struct alsamm_snapshot *now)
{
    int error;

    if (pages->fd < 0)
        return -EBADF;
    memset(now, 0, sizeof *now);
    error = fast_sync_ptr(pages->fd, ALSAMM_QUERY | ALSAMM_SYNC_HWSYNC, now);
    if (error == -EPIPE || error == -ESTRPIPE || error == -EBADFD)
        error = query(pages, now);
    return error;
}

static inline int both_mapped(const struct alsamm_pages *pages)
{
    return pages->status && pages->control;
}

/* By load, or one SYNC_PTR for all when either page is refused or, both NULL, the ring is closed. */
static inline int look(struct alsamm_pages *pages, int fresh, struct view *out)
{
    struct alsamm_snapshot now;
    int error;

    if (both_mapped(pages)) {
        status_page *status = pages->status;
        control_page *control = pages->control;

        out->state = (int)__atomic_load_n(&status->state, __ATOMIC_RELAXED);
        out->hw_ptr = __atomic_load_n(&status->hw_ptr, __ATOMIC_ACQUIRE);
        out->appl_ptr = __atomic_load_n(&control->appl_ptr, __ATOMIC_RELAXED);
        return 0;
    }
    error = fresh ? query_fresh(pages, &now) : query(pages, &now);
    if (error < 0)
        return error;
    out->state = now.state;
    out->hw_ptr = now.hw_ptr;
    out->appl_ptr = now.appl_ptr;
    return 0;
}

/* ---- one value at a time ---- */

/* A field of the mapped page, or of SYNC_PTR's answer where the page is refused. */
#define FROM_PAGE(type, page, mapped, asked)                \
    do {                                                    \
        struct alsamm_snapshot now;                         \
        type *at = pages->page;                             \
        int error;                                          \
        if (at)                                             \
            return mapped;                                  \
        error = query(pages, &now);                         \
        return error < 0 ? error : (long long)(asked);      \
    } while (0)

long long fast_hw_ptr(struct alsamm_pages *pages)
{
    FROM_PAGE(status_page, status, (long long)__atomic_load_n(&at->hw_ptr, __ATOMIC_ACQUIRE), now.hw_ptr);
}

long long fast_state(struct alsamm_pages *pages)
{
    FROM_PAGE(status_page, status, __atomic_load_n(&at->state, __ATOMIC_ACQUIRE), now.state);
}

/* Two words, so a mapped read may be torn (rule K5); SyncPtrStatus has the consistent pair. */
long long fast_tstamp_ns(struct alsamm_pages *pages)
{
    FROM_PAGE(const volatile struct snd_pcm_mmap_status, status, NS(at->tstamp), now.tstamp_ns);
}

long long fast_audio_tstamp_ns(struct alsamm_pages *pages)
{
    FROM_PAGE(const volatile struct snd_pcm_mmap_status, status, NS(at->audio_tstamp), now.audio_tstamp_ns);
}

long long fast_appl_ptr(struct alsamm_pages *pages)
{
    FROM_PAGE(control_page, control, (long long)__atomic_load_n(&at->appl_ptr, __ATOMIC_RELAXED), now.appl_ptr);
}

long long fast_avail_min(struct alsamm_pages *pages)
{
    FROM_PAGE(control_page, control, (long long)__atomic_load_n(&at->avail_min, __ATOMIC_RELAXED), now.avail_min);
}

int fast_set_appl_ptr(struct alsamm_pages *pages, unsigned long value)
{
    struct alsamm_snapshot set = {.appl_ptr = value};

    if (pages->control) {
#if defined(__x86_64__) || defined(__i386__)
        __builtin_ia32_sfence(); /* the ring may be write-combining, which a release store does not order (rule K2) */
#endif
        __atomic_store_n(&((control_page *)pages->control)->appl_ptr, value, __ATOMIC_RELEASE);
        return 0;
    }
    /* avail_min's flag set: get it, leave it. appl_ptr's clear: the kernel takes ours and tells the driver (D2, D4). */
    return pages->fd < 0 ? -EBADF : fast_sync_ptr(pages->fd, ALSAMM_SYNC_GET_AVAIL_MIN, &set);
}

int fast_set_avail_min(struct alsamm_pages *pages, unsigned long value)
{
    struct alsamm_snapshot set = {.avail_min = value};

    if (pages->control) {
        __atomic_store_n(&((control_page *)pages->control)->avail_min, value, __ATOMIC_RELEASE);
        return 0;
    }
    return pages->fd < 0 ? -EBADF : fast_sync_ptr(pages->fd, ALSAMM_SYNC_GET_APPL, &set);
}

/* ---- both pointers ---- */

/* What a transfer may do in a state: the kernel would take an appl_ptr in any (rule D8), so we refuse (N). */
static int may_transfer(const struct alsamm_ring *ring, int state)
{
    switch (state) {
    case SNDRV_PCM_STATE_PREPARED:
    case SNDRV_PCM_STATE_RUNNING:
    case SNDRV_PCM_STATE_PAUSED: return 0;
    case SNDRV_PCM_STATE_DRAINING: return ring->capture ? 0 : -EBADFD;
    case SNDRV_PCM_STATE_XRUN: return -EPIPE;
    case SNDRV_PCM_STATE_SUSPENDED: return -ESTRPIPE;
    case SNDRV_PCM_STATE_DISCONNECTED: return -ENODEV;
    default: return -EBADFD;
    }
}

static inline unsigned long available(const struct alsamm_ring *ring, const struct view *now)
{
    return ring_avail(ring->capture, now->hw_ptr, now->appl_ptr, ring->buffer_size, ring->boundary);
}

long fast_avail(struct alsamm_ring *ring)
{
    struct view now;
    int error = look(&ring->pages, 0, &now);

    return error < 0 ? error : (long)available(ring, &now);
}

int fast_spans(struct alsamm_ring *ring, struct alsamm_spans *out)
{
    struct view now;
    unsigned long usable;
    int error = look(&ring->pages, ring->capture, &now);

    if (error < 0)
        return error;
    error = may_transfer(ring, now.state);
    if (error < 0)
        return error;
    out->avail = available(ring, &now);
    out->offset = now.appl_ptr % ring->buffer_size;
    usable = out->avail < ring->buffer_size ? out->avail : ring->buffer_size;
    out->first = ring_first_span(out->offset, usable, ring->buffer_size);
    out->second = usable - out->first;
    return 0;
}

/* Rule G6: the kernel starts nothing when appl_ptr moves by mmap. */
static inline long start_due(const struct alsamm_ring *ring, const struct view *before, unsigned long committed)
{
    unsigned long avail, filled;

    if (before->state != SNDRV_PCM_STATE_PREPARED || ring->capture)
        return 0;
    avail = available(ring, before);
    filled = avail < ring->buffer_size ? ring->buffer_size - avail : 0;
    filled += committed;
    return filled > 0 && filled >= ring->start_threshold ? ALSAMM_START_DUE : 0;
}

static long publish(struct alsamm_ring *ring, const struct view *now, unsigned long frames)
{
    int error;

    if (frames == 0)
        return 0;
    error = fast_set_appl_ptr(&ring->pages, ring_advance(now->appl_ptr, frames, ring->boundary));
    return error < 0 ? error : (long)frames | start_due(ring, now, frames);
}

/* Rule E4. More than avail is refused: the kernel would take it and play what was never written (S3). */
long fast_commit(struct alsamm_ring *ring, long frames)
{
    struct view now;
    unsigned long avail;
    int error = look(&ring->pages, 0, &now);

    if (error < 0)
        return error;
    error = may_transfer(ring, now.state);
    if (error < 0)
        return error;
    avail = available(ring, &now);
    if (frames < 0 || (unsigned long)frames > (avail < ring->buffer_size ? avail : ring->buffer_size))
        return -EINVAL;
    return publish(ring, &now, (unsigned long)frames);
}

/* ---- samples ---- */

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

/* Rule F6: of S24_LE and its kin the card gives the low bytes only; what is above them is anybody's. */
static void extend_signs(const struct alsamm_ring *ring, char *block, unsigned long frames, long frame_stride,
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
            value = (int)(bits << shift) >> shift;
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

    if (frame_stride == (long)frame_bytes && (channel_stride == (long)width || ring->channels == 1) &&
        areas[0].step == frame_bytes &&
        (ring->channels == 1 || areas[ring->channels - 1].base == areas[0].base + frame_bytes - width)) {
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
    error = look(&ring->pages, 1, &now);
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
    error = look(&ring->pages, 0, &after);
    if (error < 0)
        return error;
    after.appl_ptr = now.appl_ptr;
    if (after.state != SNDRV_PCM_STATE_XRUN && available(ring, &after) > ring->buffer_size)
        return -EOVERFLOW;
    if (ring->value_bits)
        extend_signs(ring, block, filled, frame_stride, channel_stride);
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

/* ---- silence, waiting, draining: these may take long and give up the GIL ---- */

static void silence_from(struct alsamm_ring *ring, unsigned long position, unsigned long frames)
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
    silence_from(ring, now.appl_ptr, room < ring->buffer_size ? room : ring->buffer_size);
    return 0;
}

static long long monotonic_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return NS(now);
}

/* How long poll may sleep before we look ourselves: for ever where the card interrupts, half a period where it was told
 * not to and so nothing wakes us (rule H6). */
static long long nap_ns(const struct alsamm_ring *ring)
{
    long long half = (long long)ring->period_size * 500000000LL / (long long)(ring->rate ? ring->rate : 1);
    return half > NS_PER_MS ? half : NS_PER_MS;
}

static int ms_until(long long deadline, long long most_ns)
{
    long long left = deadline - monotonic_ns();

    if (left > most_ns)
        left = most_ns;
    if (left <= 0)
        return 0;
    left = (left + NS_PER_MS - 1) / NS_PER_MS;
    return left > 0x7fffffff ? 0x7fffffff : (int)left;
}

/* Rule I6: state, then a fresh avail, then poll, then the state again. 1: at least avail_min frames can be moved (or, for
 * a capture that drains, the last ones); 0: not in time; -EINTR: a signal, which Python must see. */
int alsamm_wait(struct alsamm_ring *ring, int timeout_ms)
{
    long long deadline = monotonic_ns() + timeout_ms * NS_PER_MS;

    for (;;) {
        struct alsamm_snapshot now;
        struct view seen;
        int revents, nap, error = query_fresh(&ring->pages, &now);

        if (error < 0)
            return error;
        error = may_transfer(ring, now.state);
        if (error < 0)
            return error;
        seen.hw_ptr = now.hw_ptr;
        seen.appl_ptr = now.appl_ptr;
        if (available(ring, &seen) >= now.avail_min || now.state == SNDRV_PCM_STATE_DRAINING)
            return 1;
        nap = ms_until(deadline, ring->no_period_wakeup ? nap_ns(ring) : 0x7fffffffLL * NS_PER_MS);
        if (nap == 0)
            return 0;
        error = alsamm_poll(ring->pages.fd, ring->capture ? POLLIN : POLLOUT, nap, &revents);
        if (error < 0)
            return error;
        if (revents & POLLNVAL)
            return -ENODEV;
    }
}

/* DRAIN looks at O_NONBLOCK of the file (rule A1) and answers EAGAIN once it has entered DRAINING (J4). */
static int enter_drain(int fd)
{
    long ignored;
    int error, flags = fcntl(fd, F_GETFL);

    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return -errno;
    error = alsamm_pcm_op(fd, ALSAMM_DRAIN, 0, &ignored);
    if (fcntl(fd, F_SETFL, flags) < 0)
        return -errno;
    return error == -EAGAIN ? 0 : error;
}

/* Rules J3-J5. The card stops at the end of a period only, so what lies behind the last frame is heard: room that the card
 * frees is made silent while it drains. DRAIN is entered without blocking, for the kernel's own wait lets nobody write.
 * 0: drained (state SETUP); -EIO: the card stood still for timeout_ms; -EINTR: a signal; then call again to go on. */
int alsamm_drain(struct alsamm_ring *ring, int timeout_ms)
{
    struct alsamm_snapshot now;
    struct view seen;
    long long deadline = monotonic_ns() + timeout_ms * NS_PER_MS;
    unsigned long last = 0, silent = 0;
    int first_look = 1, error = query(&ring->pages, &now);

    if (error < 0)
        return error;
    if (now.state != SNDRV_PCM_STATE_DRAINING) {
        error = alsamm_fill_silence(ring);
        if (error < 0)
            return error;
        error = enter_drain(ring->pages.fd);
        if (error < 0)
            return error;
    }
    for (;;) {
        unsigned long room;
        int revents, nap;

        error = query_fresh(&ring->pages, &now);
        if (error < 0)
            return error;
        if (now.state == SNDRV_PCM_STATE_SETUP)
            return 0;
        if (now.state != SNDRV_PCM_STATE_DRAINING)
            return may_transfer(ring, now.state) < 0 ? may_transfer(ring, now.state) : -EBADFD;
        seen.hw_ptr = now.hw_ptr;
        seen.appl_ptr = now.appl_ptr;
        room = available(ring, &seen);
        if (room > ring->buffer_size)
            room = ring->buffer_size;
        if (room > silent) {
            silence_from(ring, ring_advance(now.appl_ptr, silent, ring->boundary), room - silent);
            silent = room;
        }
        if (first_look || now.hw_ptr != last) {
            first_look = 0;
            last = now.hw_ptr;
            deadline = monotonic_ns() + timeout_ms * NS_PER_MS;
        }
        nap = ms_until(deadline, nap_ns(ring));
        if (nap == 0)
            return -EIO;
        error = alsamm_poll(ring->pages.fd, POLLOUT, nap, &revents);
        if (error < 0)
            return error;
        if (revents & POLLNVAL)
            return -ENODEV;
    }
}

/* ---- for the tests of ring.h ---- */

unsigned long fast_ring_advance(unsigned long pointer, unsigned long frames, unsigned long boundary)
{
    return ring_advance(pointer, frames, boundary);
}

unsigned long fast_ring_avail(int capture, unsigned long hw_ptr, unsigned long appl_ptr,
                              unsigned long buffer_size, unsigned long boundary)
{
    return ring_avail(capture, hw_ptr, appl_ptr, buffer_size, boundary);
}
