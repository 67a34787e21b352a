/* Waiting for the card: whole loops, without the GIL, that come back for a signal. */
#include <fcntl.h>
#include <poll.h>

#include "direct.h"

/* How long poll may sleep before we look ourselves: for ever where the card interrupts, half a period where it was told
 * not to and so nothing wakes us (rule H6). */
static long long nap_ns(const struct alsamm_ring *ring)
{
    return ring->half_period_ns > NS_PER_MS ? ring->half_period_ns : NS_PER_MS;
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

/* The state and avail against avail_min: 1, there is enough; 0, not yet. */
static int enough(struct alsamm_ring *ring, int fresh, int kept)
{
    struct view seen;
    unsigned long avail_min;
    int error = direct_look_around(ring, fresh, kept, &seen, &avail_min);

    if (error < 0)
        return error;
    error = may_transfer(ring, seen.state);
    if (error < 0)
        return error;
    if (ring->capture && seen.state == SNDRV_PCM_STATE_PREPARED)
        return -EDEADLK; /* it would never wake (rule I5) */
    if (seen.state == SNDRV_PCM_STATE_RUNNING)
        direct_note_lateness(ring, &seen, avail_min);
    if (seen.state == SNDRV_PCM_STATE_DRAINING) /* a capture's: what is there is all that will come */
        return available(ring, &seen) > 0 ? 1 : -EBADFD;
    return available(ring, &seen) >= avail_min;
}

/* Rule I6: state and avail, then poll, then both again. poll itself looks at the hw_ptr that the last interrupt left, so the
 * card is asked only where no interrupt comes (rule H6) or none came in time. 1: at least avail_min frames can be moved (or,
 * for a capture that drains, the last ones); 0: not in time; -EINTR: a signal, or time to look whether one came
 * (SIGNAL_NS): call again to go on. */
int alsamm_wait(struct alsamm_ring *ring, int timeout_ms)
{
    long long now = monotonic_ns(), deadline = now + timeout_ms * NS_PER_MS, come_back = now + SIGNAL_NS;

    for (int first = 1;; first = 0) {
        int revents, ready, last = now >= deadline || now >= come_back;
        int result = enough(ring, last || ring->no_period_wakeup, first);

        if (result != 0)
            return result;
        if (last)
            return now >= deadline ? 0 : -EINTR;
        ready = alsamm_poll(ring->pages.fd, ring->capture ? POLLIN : POLLOUT,
                            ms_until(deadline < come_back ? deadline : come_back,
                                     ring->no_period_wakeup ? nap_ns(ring) : SIGNAL_NS), &revents);
        direct_note_sleep(ring, now);
        if (ready < 0)
            return ready;
        if (revents & POLLNVAL)
            return direct_gone(ring);
        now = monotonic_ns();
    }
}

int alsamm_wait_patiently(struct alsamm_ring *ring)
{
    return alsamm_wait(ring, (int)(ring->buffer_ns / NS_PER_MS) + 1000);
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
    return error == -EAGAIN ? 0 : fast_refusal(fd, error);
}

/* Rules J3-J5. The card stops at the end of a period only, so what lies behind the last frame is heard: room that the card
 * frees is made silent while it drains. DRAIN is entered without blocking, for the kernel's own wait lets nobody write.
 * 0: drained (state SETUP); -EIO: the card stood still for timeout_ms; -EINTR: as alsamm_wait; call again to go on. */
int alsamm_drain(struct alsamm_ring *ring, int timeout_ms)
{
    struct alsamm_snapshot now;
    struct view seen;
    long long come_back = monotonic_ns() + SIGNAL_NS, deadline = 0;
    unsigned long last = 0, silent = 0;
    int first_look = 1, last_look = 0, error = direct_ask(ring, 0, &now);

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

        error = direct_ask(ring, 1, &now);
        if (error < 0)
            return error;
        if (now.state == SNDRV_PCM_STATE_SETUP)
            return 0;
        if (now.state != SNDRV_PCM_STATE_DRAINING) {
            error = may_transfer(ring, now.state);
            return error < 0 ? error : -EBADFD;
        }
        seen = (struct view){now.state, now.hw_ptr, now.appl_ptr};
        room = usable(ring, &seen);
        if (room > silent) {
            direct_silence(ring, ring_advance(now.appl_ptr, silent, ring->boundary), room - silent);
            silent = room;
        }
        if (first_look || now.hw_ptr != last) {
            first_look = last_look = 0;
            last = now.hw_ptr;
            deadline = monotonic_ns() + timeout_ms * NS_PER_MS;
        }
        if (ms_until(deadline, SIGNAL_NS) == 0) {
            if (last_look)
                return -EIO;
            last_look = 1; /* since this one the process may have been stopped, or the system asleep, for as long */
            continue;
        }
        nap = ms_until(deadline < come_back ? deadline : come_back, nap_ns(ring));
        if (nap == 0)
            return -EINTR;
        error = alsamm_poll(ring->pages.fd, POLLOUT, nap, &revents);
        if (error < 0)
            return error;
        if (revents & POLLNVAL)
            return direct_gone(ring);
    }
}
