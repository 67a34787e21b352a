/* Both pointers of a ring: how far apart they are, and moving ours. */
#include <limits.h>

#include "direct.h"

/* A period service is avail, write, avail: the second of them is told by the write's own SYNC_PTR, the first one after a
 * wait by that one's. */
long fast_avail(struct alsamm_ring *ring)
{
    struct alsamm_answer *last = &ring->last;
    struct view now;
    unsigned long avail;
    int error;

    if (!both_mapped(&ring->pages) && !last->avail_told && direct_answer_holds(ring)) {
        now = (struct view){last->state, last->hw_ptr, last->appl_ptr};
    } else {
        error = look(ring, &now);
        if (error < 0)
            return error;
    }
    last->avail_told = 1;
    avail = available(ring, &now);
    return avail > LONG_MAX ? LONG_MAX : (long)avail;
}

/* 1: poll would be ready, and the mapped pages say so; 0: ask alsamm_wait, which may sleep. */
int fast_ready(struct alsamm_ring *ring)
{
    struct view now;
    const struct alsamm_pages *pages = &ring->pages;

    if (!both_mapped(pages) || ring->no_period_wakeup)
        return 0;
    look_at_pages(pages, &now);
    return now.state == SNDRV_PCM_STATE_RUNNING &&
           available(ring, &now) >= direct_avail_min(pages);
}

int fast_spans(struct alsamm_ring *ring, struct alsamm_spans *out)
{
    struct view now;
    unsigned long frames;
    int error = ring->capture ? look_closely(ring, &now) : look(ring, &now);

    if (error == 0 && may_be_late(ring, &now))
        error = look_afresh(ring, &now);
    if (error < 0)
        return error;
    error = may_transfer(ring, now.state);
    if (error < 0)
        return error;
    out->avail = available(ring, &now);
    out->offset = now.appl_ptr % ring->buffer_size;
    frames = usable(ring, &now);
    out->first = ring_first_span(out->offset, frames, ring->buffer_size);
    out->second = frames - out->first;
    return 0;
}

/* Rule E4. More than avail is refused: the kernel would take it and play what was never written (S3). */
long fast_commit(struct alsamm_ring *ring, long frames)
{
    struct view now;
    int error = look_for(ring, frames < 0 ? 0 : (unsigned long)frames, &now);

    if (error < 0)
        return error;
    error = may_transfer(ring, now.state);
    if (error < 0)
        return error;
    if (frames < 0 || (unsigned long)frames > usable(ring, &now))
        return -EINVAL;
    return publish(ring, &now, (unsigned long)frames);
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
