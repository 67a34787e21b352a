/* A C function called for each period, with pointers into the ring itself: nothing is copied. One turn after the other. */
#include <poll.h>

#include "native.h"

/* So long it may sleep before it looks whether it is to stop. A software card's descriptor has no poll of the kernel's that
 * could take an eventfd as well; one road for both. */
#define NAP_MS 20

enum { LOOK_AGAIN = 1, ENDED = 2 };

struct side {
    struct alsamm_ring *ring;
    struct view now;
    int ask;                    /* the card itself, for nobody else has renewed hw_ptr */
    int woken;                  /* from a sleep: what SYNC_PTR said before it is old */
};

struct loop {
    struct alsamm_native *native;
    struct side sides[2];       /* playback before capture */
    int count;
    unsigned long period;
    long long moved;            /* when something last did; a card may stand still for a buffer and a second */
    int last;                   /* look, for the time is over */
};

static int stood_still(const struct loop *loop, const struct alsamm_ring *ring)
{
    return monotonic_ns() - loop->moved > ring->buffer_ns + 1000 * NS_PER_MS;
}

/* ---- one look ---- */

/* Of a duplex alsamm_recover mends the partner too. A system that is not awake yet: a nap, without poll, which a suspended
 * PCM does not keep asleep (rule I1). */
static int after_stop(struct loop *loop, struct alsamm_ring *ring, int error)
{
    if (!ring->recover)
        return error;
    error = alsamm_recover(ring);
    if (error == -EAGAIN) {
        if (stood_still(loop, ring))
            return -ESTRPIPE;
        poll(NULL, 0, NAP_MS);
        error = 0;
    } else {
        loop->moved = monotonic_ns();
    }
    return error < 0 ? error : LOOK_AGAIN;
}

/* Playback alone is filled by the callback first. A duplex has its silence already; of a linked pair, whoever is started
 * first starts the other. */
static int start_when_due(struct loop *loop, const struct side *side)
{
    int error;

    if (side->now.state != SNDRV_PCM_STATE_PREPARED ||
        (!side->ring->capture && loop->count == 1 && usable(side->ring, &side->now) > 0))
        return 0;
    error = direct_op(side->ring, ALSAMM_START);
    loop->moved = monotonic_ns();
    return error < 0 && error != -ESTRPIPE ? error : LOOK_AGAIN; /* which says of a suspend too, and what to do */
}

static int look_at(struct loop *loop, struct side *side)
{
    struct alsamm_ring *ring = side->ring;
    unsigned long avail_min;
    int error = direct_look_around(ring, side->ask || ring->no_period_wakeup, !side->woken, &side->now, &avail_min);

    if (error == 0 && !side->ask && may_be_late(ring, &side->now))
        error = look_afresh(ring, &side->now);
    side->ask = side->woken = 0;
    if (error == 0)
        error = may_transfer(ring, side->now.state);
    if (error == -EPIPE || error == -ESTRPIPE)
        return after_stop(loop, ring, error);
    if (error < 0)
        return error;
    if (side->now.state == SNDRV_PCM_STATE_DRAINING)
        return -EBADFD; /* a capture that somebody ended */
    if (side->now.state == SNDRV_PCM_STATE_PAUSED)
        loop->moved = monotonic_ns();
    return start_when_due(loop, side);
}

static int look_at_all(struct loop *loop)
{
    for (int i = 0; i < loop->count; i++) {
        int result = look_at(loop, &loop->sides[i]);

        if (result != 0)
            return result;
    }
    return 0;
}

/* ---- waiting ---- */

static int lacks(const struct loop *loop, const struct side *side)
{
    unsigned long wanted = side->now.state == SNDRV_PCM_STATE_PREPARED ? 1 : loop->period;

    return usable(side->ring, &side->now) < wanted;
}

/* Who has too little room or data: capture first, for it gives a duplex its time. NULL: nobody. Playback's interrupt may come
 * at another time than capture's, so its hw_ptr be old when capture has a period (rule H1): then the card is asked. */
static int find_lacking(struct loop *loop, struct side **lacking)
{
    struct side *playback = &loop->sides[0];

    *lacking = NULL;
    for (int i = loop->count - 1; i >= 0; i--)
        if (lacks(loop, &loop->sides[i])) {
            *lacking = &loop->sides[i];
            break;
        }
    if (loop->count == 2 && *lacking == playback) {
        int result;

        playback->ask = 1;
        result = look_at(loop, playback);
        if (result != 0)
            return result;
        if (!lacks(loop, playback))
            *lacking = NULL;
    }
    return 0;
}

/* Rule I6. */
static int sleep_until_woken(struct loop *loop, struct side *side)
{
    struct alsamm_ring *ring = side->ring;
    long long since = monotonic_ns();
    int ready, revents, nap = NAP_MS;

    if (stood_still(loop, ring)) {
        if (loop->last)
            return -EIO;
        /* Since the look the process may have been stopped, or the system asleep, for as long: one more. */
        loop->last = side->woken = side->ask = 1;
        return 0;
    }
    loop->last = 0;
    if (ring->no_period_wakeup && ring->half_period_ns < NAP_MS * NS_PER_MS) /* rule H6 */
        nap = (int)(ring->half_period_ns / NS_PER_MS) + 1;
    ready = alsamm_poll(ring->pages.fd, ring->capture ? POLLIN : POLLOUT, nap, &revents);
    direct_note_sleep(ring, since);
    if (ready < 0 && ready != -EINTR)
        return ready;
    for (int i = 0; i < loop->count; i++)
        loop->sides[i].woken = 1;
    side->ask = ready == 0; /* nobody woke us: perhaps nobody will */
    return ready > 0 && revents & POLLNVAL ? direct_gone(ring) : 0;
}

/* ---- the callback ---- */

/* The frames that lie side by side in all rings, of `frames` at the most, and where. */
static unsigned long next_run(const struct loop *loop, unsigned long frames, char **playback, char **capture)
{
    *playback = *capture = NULL;
    for (int i = 0; i < loop->count; i++) {
        const struct alsamm_ring *ring = loop->sides[i].ring;
        unsigned long offset = loop->sides[i].now.appl_ptr % ring->buffer_size;

        frames = ring_first_span(offset, frames, ring->buffer_size);
        *(ring->capture ? capture : playback) = ring->areas[0].base + offset * ring->areas[0].step;
    }
    return frames;
}

static int call(struct alsamm_native *native, char *playback, const char *capture, unsigned long frames)
{
    long long took, began = monotonic_ns();

    __atomic_store_n(&native->calling, 1, __ATOMIC_RELAXED);
    native->told = native->callback(playback, capture, frames, native->frames, native->user);
    __atomic_store_n(&native->calling, 0, __ATOMIC_RELAXED);
    took = monotonic_ns() - began;
    native->callbacks++;
    native->frames += (long long)frames;
    native->busy_ns += took;
    if (took > native->longest_callback_ns)
        native->longest_callback_ns = took;
    return native->told;
}

/* What happened while the callback worked: playback may have run dry, which a commit would hide (rule P15); and what nothing
 * stops (stop_threshold at the boundary) may have written over what was read (rule G5): as alsa-lib does, that stream is
 * stopped then, and the next look finds it. */
static int hand_over(struct side *side, unsigned long frames)
{
    struct alsamm_ring *ring = side->ring;
    struct view after;
    int error = ring->capture ? look_closely(ring, &after) : look_for(ring, frames, &after);

    if (error == 0)
        error = may_transfer(ring, after.state);
    if (error == 0 && ring->capture && available(ring, &after) > ring->buffer_size) {
        error = direct_op(ring, ALSAMM_XRUN);
        if (error == 0)
            error = -EPIPE;
    }
    if (error == 0) {
        long result = publish(ring, &side->now, frames);

        error = result < 0 ? (int)result : 0;
    }
    side->now.appl_ptr = ring_advance(side->now.appl_ptr, frames, ring->boundary);
    return error;
}

/* A period; several calls of it where a ring ends in between. */
static int turn(struct loop *loop)
{
    unsigned long left = loop->period;

    for (int i = 0; i < loop->count; i++) /* only a ring that is filled before its start may have less */
        if (usable(loop->sides[i].ring, &loop->sides[i].now) < left)
            left = usable(loop->sides[i].ring, &loop->sides[i].now);
    while (left > 0) {
        char *playback, *capture;
        unsigned long frames = next_run(loop, left, &playback, &capture);
        int told = call(loop->native, playback, capture, frames);

        if (told != 0 && told != 1)
            return ENDED;
        for (int i = 0; i < loop->count; i++) {
            int error = hand_over(&loop->sides[i], frames);

            if (error == -EPIPE || error == -ESTRPIPE)
                return told ? ENDED : LOOK_AGAIN; /* the look says the same, and what to do */
            if (error < 0)
                return error;
        }
        loop->moved = monotonic_ns();
        if (told)
            return ENDED;
        left -= frames;
    }
    return 0;
}

/* ---- turn after turn ---- */

static int serve(struct loop *loop)
{
    while (!native_asked_to_stop(loop->native)) {
        struct side *lacking;
        int result = look_at_all(loop);

        if (result == 0)
            result = find_lacking(loop, &lacking);
        if (result == 0)
            result = lacking ? sleep_until_woken(loop, lacking) : turn(loop);
        if (result < 0)
            return result;
        if (result == ENDED)
            return 0;
    }
    return 0;
}

int native_serve(struct alsamm_native *native)
{
    struct alsamm_ring *rings[2] = {native->playback, native->capture};
    struct loop loop = {.native = native, .moved = monotonic_ns()};

    for (int i = 0; i < 2; i++) {
        if (!rings[i])
            continue;
        loop.sides[loop.count++] = (struct side){.ring = rings[i], .woken = 1};
        if (loop.period == 0 || rings[i]->period_size < loop.period)
            loop.period = rings[i]->period_size;
    }
    /* poll must not be ready for less than a turn takes: it would never sleep. Nothing is heard sooner for it (rule I2). */
    for (int i = 0; i < loop.count; i++) {
        long long avail_min = fast_avail_min(&loop.sides[i].ring->pages);

        if (avail_min >= 0 && avail_min < (long long)loop.period)
            fast_set_avail_min(&loop.sides[i].ring->pages, loop.period);
    }
    return serve(&loop);
}
