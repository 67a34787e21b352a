/* Writing and filling whole blocks: the wait, the copy, the commit, and again, without the GIL from the first frame to the
 * last, so that a busy Python thread costs no period. Nothing here is Python's but the signals, for which we come back. */
#include <limits.h>
#include <poll.h>

#include "direct.h"

struct loop {
    struct alsamm_ring *ring;
    int signal_fd;                          /* readable when Python has a signal to handle; -1: not in this thread */
    long long deadline, looked_for_signal;
    long long moved;                        /* when something last did; a card may stand still for a buffer and a second */
    int woken;                              /* from a sleep: what was known before it is old */
    int ask;                                /* the card itself: nobody else has renewed hw_ptr */
    int moving;                             /* since it was woken */
    int recovered;                          /* since something moved */
    int last;                               /* look, for the time is over */
};

static struct loop begin(struct alsamm_ring *ring, int signal_fd, int timeout_ms)
{
    long long now = monotonic_ns();

    return (struct loop){.ring = ring, .signal_fd = signal_fd, .looked_for_signal = now, .moved = now,
                         .deadline = timeout_ms < 0 ? LLONG_MAX : now + timeout_ms * NS_PER_MS};
}

static long long earlier(long long a, long long b)
{
    return a < b ? a : b;
}

/* Rule I6. 0: look again; -ETIMEDOUT, -EIO, -EINTR, or what poll says. */
static int sleep_until_woken(struct loop *loop)
{
    struct alsamm_ring *ring = loop->ring;
    long long now = monotonic_ns(), stands_still = loop->moved + ring->buffer_ns + 1000 * NS_PER_MS, wake;
    int revents, ready;

    if (loop->signal_fd >= 0 && now - loop->looked_for_signal >= SIGNAL_NS) {
        struct pollfd signal = {.fd = loop->signal_fd, .events = POLLIN};

        if (poll(&signal, 1, 0) > 0)
            return -EINTR;
        loop->looked_for_signal = now;
    }
    wake = earlier(loop->deadline, stands_still);
    if (now >= wake) {
        if (loop->last)
            return now >= loop->deadline ? -ETIMEDOUT : -EIO;
        /* Since the look the process may have been stopped, or the system asleep, for as long: one more. */
        loop->last = loop->woken = loop->ask = 1;
        return 0;
    }
    loop->last = 0;
    if (loop->signal_fd >= 0)
        wake = earlier(wake, now + SIGNAL_NS);
    if (ring->no_period_wakeup) /* rule H6 */
        wake = earlier(wake, now + ring->half_period_ns);
    ready = alsamm_poll(ring->pages.fd, ring->capture ? POLLIN : POLLOUT, (int)((wake - now) / NS_PER_MS) + 1, &revents);
    direct_note_sleep(ring, now);
    if (ready < 0)
        return ready;
    loop->woken = 1;
    loop->moving = 0;
    loop->ask = ready == 0; /* nobody woke us: perhaps nobody will */
    return revents & POLLNVAL ? direct_gone(ring) : 0;
}

/* A system that is not awake yet: a nap, without poll, which a suspended PCM does not keep asleep (rule I1). */
static int nap(struct loop *loop)
{
    struct pollfd signal = {.fd = loop->signal_fd, .events = POLLIN};
    long long now = monotonic_ns();

    if (now >= loop->deadline)
        return -ETIMEDOUT;
    if (now >= loop->moved + loop->ring->buffer_ns + 1000 * NS_PER_MS)
        return -ESTRPIPE;
    return poll(&signal, 1, (int)(SIGNAL_NS / NS_PER_MS)) > 0 ? -EINTR : 0;
}

/* An xrun or a suspend: over, or what the stream's policy says. -ERESTART: gone on from it, and Python is to hear of it. */
static int after_stop(struct loop *loop, int error)
{
    struct alsamm_ring *ring = loop->ring;

    if (!ring->recover)
        return error;
    error = alsamm_recover(ring);
    if (error == -EAGAIN)
        return nap(loop);
    if (!loop->recovered) /* a card that stops again before anything moved stands still */
        loop->moved = monotonic_ns();
    loop->recovered = 1;
    return error == 0 && ring->recover == ALSAMM_RECOVER_AND_TELL ? -ERESTART : error;
}

/* 0: by the state frames may be moved, if need be after an interruption. */
static int look_until_movable(struct loop *loop, struct view *now, unsigned long *avail_min)
{
    for (;;) {
        int error = direct_look_around(loop->ring, loop->ask, !loop->woken, now, avail_min);

        if (error == 0 && !loop->ask && may_be_late(loop->ring, now))
            error = look_afresh(loop->ring, now);
        loop->woken = loop->ask = 0;
        if (error == 0)
            error = may_transfer(loop->ring, now->state);
        if (error == 0 && now->state == SNDRV_PCM_STATE_RUNNING)
            direct_note_lateness(loop->ring, now, *avail_min);
        if (error != -EPIPE && error != -ESTRPIPE)
            return error;
        error = after_stop(loop, error);
        if (error < 0)
            return error;
    }
}

enum { MOST_SKIPPED = 1 << 22 }; /* a second or two of calls; hours of sound */

/* Rule D4: a card that knows no rewinds takes no step of more than the ring. -ERANGE, and nothing is done: too many of them. */
static int skip_to(struct alsamm_ring *ring, unsigned long from, unsigned long to)
{
    unsigned long left = ring_avail(1, to, from, ring->buffer_size, ring->boundary), step;
    int error = direct_set_appl_ptr(ring, to);

    if (error != -EINVAL)
        return error;
    if (left / ring->buffer_size > MOST_SKIPPED)
        return -ERANGE;
    do {
        step = left < ring->buffer_size ? left : ring->buffer_size;
        left -= step;
        from = ring_advance(from, step, ring->boundary);
        error = direct_set_appl_ptr(ring, from);
    } while (error == 0 && left > 0);
    return error;
}

/* A capture that nothing stops (stop_threshold at the boundary) wrote over what we had not read: all of it is lost. */
static int after_overrun(struct loop *loop)
{
    struct alsamm_ring *ring = loop->ring;
    struct alsamm_interruption what;
    struct alsamm_snapshot now;
    int error;

    if (!ring->recover)
        return -EOVERFLOW;
    error = direct_ask(ring, 1, &now);
    if (error < 0)
        return error;
    if (now.state == SNDRV_PCM_STATE_XRUN)
        return 0; /* the next look finds it, and counts it */
    what = (struct alsamm_interruption){.time_ns = now.tstamp_ns, .frame = direct_frame(ring, now.appl_ptr),
                                        .lost = ring_avail(1, now.hw_ptr, now.appl_ptr, ring->buffer_size, ring->boundary)};
    if (what.lost > ring->boundary - ring->buffer_size)
        return direct_op(ring, ALSAMM_XRUN); /* appl_ptr is ahead of hw_ptr, which nothing forbids (rule D4) */
    what.resumed = what.frame + (long long)what.lost;
    direct_unanchor(ring);
    error = skip_to(ring, now.appl_ptr, now.hw_ptr);
    if (error < 0) {
        direct_anchor(ring, ring->anchor.frame, ring->anchor.pointer);
        return error == -ERANGE ? direct_op(ring, ALSAMM_XRUN) : error;
    }
    direct_anchor(ring, what.resumed, now.hw_ptr);
    direct_interrupted(ring, &what);
    return ring->recover == ALSAMM_RECOVER_AND_TELL ? -ERESTART : 0;
}

/* The frames to move now: a period at the most, so that the card has them early. 0: sleep, for less than avail_min is there;
 * once it was there, every whole period goes, so that avail_min says how often we wake and not how full the ring is. */
static unsigned long portion(const struct loop *loop, unsigned long frames, unsigned long avail_min)
{
    const struct alsamm_ring *ring = loop->ring;
    unsigned long left = (unsigned long)(ring->block.frames - ring->done);

    if (avail_min > ring->buffer_size)
        avail_min = ring->buffer_size; /* more never comes, but poll is ready when a card is late by more */
    if (loop->moving && avail_min > ring->period_size)
        avail_min = ring->period_size;
    if (frames < left && frames < avail_min)
        return 0;
    if (frames > left)
        frames = left;
    return frames < ring->period_size ? frames : ring->period_size;
}

static int start(struct loop *loop)
{
    int error = direct_op(loop->ring, ALSAMM_START);

    loop->moved = monotonic_ns();
    return error == -ESTRPIPE ? 0 : error; /* the look says the same, and what to do */
}

static int write_all(struct alsamm_ring *ring, int signal_fd, int timeout_ms)
{
    struct loop loop = begin(ring, signal_fd, timeout_ms);

    if (ring->capture || !ring->block.array)
        return -EBADFD;
    for (;;) {
        struct view now;
        unsigned long frames, avail_min;
        long result;
        int error = look_until_movable(&loop, &now, &avail_min);

        if (error < 0)
            return error;
        if (start_due(ring, &now, 0)) {
            error = start(&loop);
            if (error < 0)
                return error;
            continue;
        }
        if (ring->done == ring->block.frames)
            return 0;
        frames = portion(&loop, usable(ring, &now), now.state == SNDRV_PCM_STATE_PREPARED ? 1 : avail_min);
        if (frames > 0) {
            direct_move(ring, now.appl_ptr, frames);
            result = publish(ring, &now, frames);
            if (result == -EPIPE)
                continue; /* the look says the same, and what to do */
            if (result < 0)
                return (int)result;
            ring->done += (long)frames;
            loop.moved = monotonic_ns();
            loop.moving = 1;
            loop.recovered = 0;
            continue;
        }
        if (now.state == SNDRV_PCM_STATE_PREPARED)
            return -EDEADLK; /* full, and start_threshold is more than that */
        error = sleep_until_woken(&loop);
        if (error < 0)
            return error;
    }
}

static int fill(struct alsamm_ring *ring, int signal_fd, int timeout_ms)
{
    struct loop loop = begin(ring, signal_fd, timeout_ms);

    if (!ring->capture || !ring->block.array)
        return -EBADFD;
    while (ring->done < ring->block.frames) {
        struct view now;
        unsigned long frames, avail_min;
        int error = look_until_movable(&loop, &now, &avail_min);

        if (error < 0)
            return error;
        if (now.state == SNDRV_PCM_STATE_PREPARED) {
            error = start(&loop);
            if (error < 0)
                return error;
            continue;
        }
        if (now.state == SNDRV_PCM_STATE_DRAINING) { /* what is there is all that will come */
            avail_min = 1;
            if (available(ring, &now) == 0)
                return -EBADFD;
        }
        frames = portion(&loop, available(ring, &now), avail_min);
        if (frames > 0) {
            error = available(ring, &now) > ring->buffer_size ? -EOVERFLOW : direct_read(ring, &now, frames);
            if (error == -EOVERFLOW) {
                error = after_overrun(&loop);
                if (error < 0)
                    return error;
                continue;
            }
            if (error == 0)
                error = (int)publish(ring, &now, frames);
            if (error == -EPIPE)
                continue; /* the look says the same, and what to do */
            if (error < 0)
                return error;
            ring->done += (long)frames;
            loop.moved = monotonic_ns();
            loop.moving = 1;
            loop.recovered = 0;
            continue;
        }
        error = sleep_until_woken(&loop);
        if (error < 0)
            return error;
    }
    return 0;
}

int alsamm_write_all(struct alsamm_ring *ring, uintptr_t array, int signal_fd, int timeout_ms)
{
    int error = direct_enter(ring);

    if (error < 0)
        return error;
    error = direct_is_block(ring, array) ? write_all(ring, signal_fd, timeout_ms) : -ESTALE;
    direct_leave(ring);
    return error;
}

int alsamm_fill(struct alsamm_ring *ring, uintptr_t array, int signal_fd, int timeout_ms)
{
    int error = direct_enter(ring);

    if (error < 0)
        return error;
    error = direct_is_block(ring, array) ? fill(ring, signal_fd, timeout_ms) : -ESTALE;
    direct_leave(ring);
    return error;
}
