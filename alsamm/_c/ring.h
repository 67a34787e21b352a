/* The ring's arithmetic, pure: no I/O, no memory of the card, no kernel header. direct/ring.py is the same in unbounded
 * Python integers; tests/unit/test_ring.py holds one against the other at the wrap.
 *
 * Pointers run from 0 to boundary - 1; the ring's frame is pointer % buffer_size; boundary is a multiple of buffer_size
 * (rule E1). All values stay below LONG_MAX - buffer_size, so signed long is enough for their differences. */
#ifndef ALSAMM_RING_H
#define ALSAMM_RING_H

/* Rule E4; snd_pcm_mmap_appl_forward. */
static inline unsigned long ring_advance(unsigned long pointer, unsigned long frames, unsigned long boundary)
{
    unsigned long next = pointer + frames;
    return next >= boundary ? next - boundary : next;
}

/* Rule E2; snd_pcm_playback_avail and snd_pcm_capture_avail. Larger than the buffer when late (rule E3). */
static inline unsigned long ring_avail(int capture, unsigned long hw_ptr, unsigned long appl_ptr,
                                       unsigned long buffer_size, unsigned long boundary)
{
    long avail = (long)(hw_ptr - appl_ptr + (capture ? 0 : buffer_size)); /* the control page may hold any number (D4) */

    if (avail < 0)
        avail += (long)boundary;
    else if ((unsigned long)avail >= boundary)
        avail -= (long)boundary;
    return (unsigned long)avail;
}

/* Rule E6: the frames of `wanted` that lie before the ring's end. */
static inline unsigned long ring_first_span(unsigned long offset, unsigned long wanted, unsigned long buffer_size)
{
    unsigned long to_end = buffer_size - offset;
    return wanted < to_end ? wanted : to_end;
}

#endif
