/* What the files of the hot path share: a look at both pointers, and the publishing of ours. C only.
 *
 * Order (rule K1): samples first, then appl_ptr with release; hw_ptr with acquire, then samples. Where a page is refused,
 * SYNC_PTR and the stream lock inside it do the same. */
#ifndef ALSAMM_DIRECT_H
#define ALSAMM_DIRECT_H

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <sound/asound.h>

#include "shim.h"
#include "moves.h"
#include "ring.h"

typedef const struct snd_pcm_mmap_status status_page;
typedef struct snd_pcm_mmap_control control_page;

#define NS(t) ((long long)(t).tv_sec * 1000000000LL + (long long)(t).tv_nsec)
#define NS_PER_MS 1000000LL

/* A signal that is handed to another thread, or comes while we are not in poll, does not wake us: so often who waits looks
 * whether one came, or lets Python look. */
#define SIGNAL_NS (50 * NS_PER_MS)

struct view { /* both pointers and the state at one time, as far as the road allows */
    int state;
    unsigned long hw_ptr, appl_ptr;
};

/* pages.c: SYNC_PTR, without and with a question to the card; whether its last answer will do */
int direct_query(const struct alsamm_pages *pages, struct alsamm_snapshot *now);
int direct_ask(struct alsamm_ring *ring, int fresh, struct alsamm_snapshot *now);
int direct_answer_holds(const struct alsamm_ring *ring);
unsigned long direct_avail_min(const struct alsamm_pages *pages); /* of the mapped control page */
int direct_set_appl_ptr(struct alsamm_ring *ring, unsigned long value);

/* pages.c: both pointers, the state, and avail_min, at which poll wakes. `fresh` asks the card itself; `kept`: SYNC_PTR's last
 * answer will do. */
int direct_look_around(struct alsamm_ring *ring, int fresh, int kept, struct view *now, unsigned long *avail_min);

/* The block is one caller's at a time: a ring has one owner, but who forgets that must not have samples copied by the length
 * or the strides of another's array. */
static inline int direct_enter(struct alsamm_ring *ring)
{
    return __atomic_exchange_n(&ring->in_use, 1, __ATOMIC_ACQUIRE) ? -EALREADY : 0;
}

static inline void direct_leave(struct alsamm_ring *ring)
{
    __atomic_store_n(&ring->in_use, 0, __ATOMIC_RELEASE);
}

/* Whether nobody took another array, between Python's taking this one and now: another thread, or a signal's handler. */
static inline int direct_is_block(const struct alsamm_ring *ring, uintptr_t array)
{
    return array && ring->block.array == (void *)array;
}

/* array.c, entered: fast_take. The end of the array that was the block's may run anything of Python's, which may want the ring:
 * so direct_forget comes after direct_leave. And whether the block's array is what it was. */
int direct_take(struct alsamm_ring *ring, uintptr_t array, void **old);
void direct_forget(void *old);
int direct_block_holds(const struct alsamm_ring *ring);

/* samples.c: frames of the block, from ring->done on, into the ring or out of it; the format's silence. At most the buffer. */
void direct_move(struct alsamm_ring *ring, unsigned long position, unsigned long frames);
void direct_silence(struct alsamm_ring *ring, unsigned long position, unsigned long frames);
int direct_read(struct alsamm_ring *ring, const struct view *now, unsigned long frames);

/* recovery.c */
int direct_gone(const struct alsamm_ring *ring); /* what POLLNVAL means */
int direct_op(struct alsamm_ring *ring, enum alsamm_op op);
void direct_unanchor(struct alsamm_ring *ring); /* before appl_ptr goes back; direct_anchor after it */
void direct_anchor(struct alsamm_ring *ring, long long frame, unsigned long pointer);
void direct_interrupted(struct alsamm_ring *ring, const struct alsamm_interruption *what);
long long direct_frame(const struct alsamm_ring *ring, unsigned long appl_ptr);

static inline long long monotonic_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return NS(now);
}

long long direct_now(int fd); /* kernel.c: of CLOCK_MONOTONIC, or of a software card that has a time of its own */

static inline int both_mapped(const struct alsamm_pages *pages)
{
    return pages->status && pages->control;
}

static inline void look_at_pages(const struct alsamm_pages *pages, struct view *out)
{
    status_page *status = pages->status;
    control_page *control = pages->control;

    out->state = (int)__atomic_load_n(&status->state, __ATOMIC_RELAXED);
    out->hw_ptr = __atomic_load_n(&status->hw_ptr, __ATOMIC_ACQUIRE);
    out->appl_ptr = __atomic_load_n(&control->appl_ptr, __ATOMIC_RELAXED);
}

/* By load, or one SYNC_PTR for all when either page is refused or, both NULL, the ring is closed. */
static inline int look(struct alsamm_ring *ring, struct view *out)
{
    struct alsamm_snapshot now;
    int error;

    if (both_mapped(&ring->pages)) {
        look_at_pages(&ring->pages, out);
        return 0;
    }
    error = direct_ask(ring, 0, &now);
    if (error < 0)
        return error;
    *out = (struct view){now.state, now.hw_ptr, now.appl_ptr};
    return 0;
}

/* What a transfer may do in a state: the kernel would take an appl_ptr in any (rule D8), so we refuse (N). */
static inline int may_transfer(const struct alsamm_ring *ring, int state)
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

/* Frames that can be moved: of what is late only the ring itself. */
static inline unsigned long usable(const struct alsamm_ring *ring, const struct view *now)
{
    unsigned long avail = available(ring, now);
    return avail < ring->buffer_size ? avail : ring->buffer_size;
}

/* Rule P15: hw_ptr may be a period old (rule H1), so with less than that queued the card may be past appl_ptr already. A
 * commit then takes the underrun away before the kernel sees it, and nobody would ever tell of the frames that came too
 * late: so before one the card itself is asked, which finds the underrun. A writer that keeps up never pays. */
static inline int may_be_late(const struct alsamm_ring *ring, const struct view *now)
{
    return !ring->capture && ring->stops && now->state == SNDRV_PCM_STATE_RUNNING &&
           available(ring, now) + ring->period_size > ring->buffer_size;
}

/* Both pointers, once the card was asked. */
static inline int look_afresh(struct alsamm_ring *ring, struct view *out)
{
    struct alsamm_snapshot now;
    int error = direct_ask(ring, 1, &now);

    if (error < 0)
        return error;
    *out = (struct view){now.state, now.hw_ptr, now.appl_ptr};
    return 0;
}

/* For moving `frames`: SYNC_PTR's last answer will do if by it there is room or data for them, for both only grow. */
static inline int look_for(struct alsamm_ring *ring, unsigned long frames, struct view *out)
{
    int error;

    if (!both_mapped(&ring->pages) && direct_answer_holds(ring)) {
        *out = (struct view){ring->last.state, ring->last.hw_ptr, ring->last.appl_ptr};
        if (frames <= usable(ring, out) && !may_be_late(ring, out))
            return 0;
    }
    error = look(ring, out);
    return error == 0 && may_be_late(ring, out) ? look_afresh(ring, out) : error;
}

/* For reading: a mapped hw_ptr may be a period old (rule H1), so when less than that is left until the card writes over the
 * oldest frame, or when nothing renews it, the card itself is asked (rule G5). */
static inline int look_closely(struct alsamm_ring *ring, struct view *out)
{
    if (both_mapped(&ring->pages)) {
        look_at_pages(&ring->pages, out);
        if (!ring->no_period_wakeup && available(ring, out) + ring->period_size <= ring->buffer_size)
            return 0;
    }
    return look_afresh(ring, out);
}

/* For a stream's statistics: how long the blocking calls slept, and how late they looked. */
static inline void direct_note_sleep(struct alsamm_ring *ring, long long since_ns)
{
    long long slept = monotonic_ns() - since_ns;

    ring->waited_ns += slept;
    if (slept > ring->longest_wait_ns)
        ring->longest_wait_ns = slept;
}

static inline void direct_note_lateness(struct alsamm_ring *ring, const struct view *now, unsigned long avail_min)
{
    unsigned long avail = available(ring, now);

    if (avail > avail_min && avail - avail_min > ring->latest)
        ring->latest = avail - avail_min;
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

/* 0, or ALSAMM_START_DUE. */
static inline long publish(struct alsamm_ring *ring, const struct view *now, unsigned long frames)
{
    unsigned long next = ring_advance(now->appl_ptr, frames, ring->boundary);
    int error;

    if (frames == 0)
        return 0;
    if (next < now->appl_ptr) {
        long long number = (long long)((unsigned long long)direct_frame(ring, now->appl_ptr) + frames); /* as frame_of */

        direct_unanchor(ring);
        error = direct_set_appl_ptr(ring, next);
        direct_anchor(ring, number, next);
    } else {
        error = direct_set_appl_ptr(ring, next);
    }
    if (error == 0 && !ring->capture && !ring->pages.control) /* taken in any state (rule D8), and told which */
        error = may_transfer(ring, ring->last.state);
    return error < 0 ? error : start_due(ring, now, frames);
}

#endif
