/* The last interruptions, written by a ring's owner and read by any thread: one slot more than are told, so that what is
 * being written is never among them. */
#include "direct.h"

/* One by one, for what a reader copies may be being written, and is then dropped by it. */
static void copy_interruption(struct alsamm_interruption *to, const struct alsamm_interruption *from)
{
#define COPY(field) __atomic_store_n(&to->field, __atomic_load_n(&from->field, __ATOMIC_RELAXED), __ATOMIC_RELAXED)
    COPY(suspended);
    COPY(time_ns);
    COPY(gap_ns);
    COPY(frame);
    COPY(resumed);
    COPY(lost);
    COPY(silence);
#undef COPY
}

void direct_interrupted(struct alsamm_ring *ring, const struct alsamm_interruption *what)
{
    if (what->suspended)
        ring->suspends++;
    else
        ring->xruns++;
    ring->lost += (long long)what->lost;
    __atomic_thread_fence(__ATOMIC_RELEASE); /* the last one's number is seen before any of this one */
    copy_interruption(&ring->interruptions[ring->interrupted % ALSAMM_INTERRUPTION_SLOTS], what);
    __atomic_store_n(&ring->interrupted, ring->interrupted + 1, __ATOMIC_RELEASE);
}

/* A reader may be so slow that the oldest are written over meanwhile: those it is not told. */
int fast_interruptions(struct alsamm_ring *ring, struct alsamm_told *out)
{
    unsigned long now;

    out->end = __atomic_load_n(&ring->interrupted, __ATOMIC_ACQUIRE);
    if (out->end > ALSAMM_INTERRUPTIONS && out->first < out->end - ALSAMM_INTERRUPTIONS)
        out->first = out->end - ALSAMM_INTERRUPTIONS;
    for (unsigned long n = out->first; n < out->end; n++)
        copy_interruption(&out->of[n % ALSAMM_INTERRUPTIONS], &ring->interruptions[n % ALSAMM_INTERRUPTION_SLOTS]);
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    now = __atomic_load_n(&ring->interrupted, __ATOMIC_RELAXED);
    if (now > ALSAMM_INTERRUPTIONS && out->first < now - ALSAMM_INTERRUPTIONS)
        out->first = now - ALSAMM_INTERRUPTIONS;
    return 0;
}
