/* Waiting for the card: whole loops, without the GIL, that come back for a signal. */
#include <fcntl.h>
#include <poll.h>
#include <time.h>

#include "direct.h"

#define NS_PER_MS 1000000LL

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
        int revents, nap, error = direct_query_fresh(&ring->pages, &now);

        if (error < 0)
            return error;
        error = may_transfer(ring, now.state);
        if (error < 0)
            return error;
        seen = (struct view){now.state, now.hw_ptr, now.appl_ptr};
        if (now.state == SNDRV_PCM_STATE_DRAINING) /* a capture's: what is there is all that will come */
            return available(ring, &seen) > 0 ? 1 : -EBADFD;
        if (available(ring, &seen) >= now.avail_min)
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
    int first_look = 1, error = direct_query(&ring->pages, &now);

    if (error < 0)
        return error;
    if (now.state == SNDRV_PCM_STATE_XRUN || now.state == SNDRV_PCM_STATE_SUSPENDED ||
        now.state == SNDRV_PCM_STATE_DISCONNECTED)
        return may_transfer(ring, now.state); /* DRAIN would make a SETUP of an xrun and say nothing (rule G) */
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

        error = direct_query_fresh(&ring->pages, &now);
        if (error < 0)
            return error;
        if (now.state == SNDRV_PCM_STATE_SETUP)
            return 0;
        if (now.state != SNDRV_PCM_STATE_DRAINING)
            return may_transfer(ring, now.state) < 0 ? may_transfer(ring, now.state) : -EBADFD;
        seen = (struct view){now.state, now.hw_ptr, now.appl_ptr};
        room = available(ring, &seen);
        if (room > ring->buffer_size)
            room = ring->buffer_size;
        if (room > silent) {
            direct_silence(ring, ring_advance(now.appl_ptr, silent, ring->boundary), room - silent);
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
