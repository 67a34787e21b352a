/* Both pointers of a ring: how far apart they are, and moving ours. */
#include "direct.h"

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
    int error = ring->capture ? look_closely(ring, &now) : look(&ring->pages, 0, &now);

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
