/* A stream that goes on where the card begins anew: PREPARE, xruns and suspends, with every frame counted.
 *
 * The kernel sets both pointers to 0 at PREPARE. What they had counted is kept in ring->anchor, so that the frames of a
 * stream have numbers that never go back: those that were committed or captured count, lost or not. */
#include <time.h>

#include "direct.h"

#define SPIN_NS 200000LL /* a sleep ends that late at the most, as a rule; the rest is waited for awake */

int direct_op(struct alsamm_ring *ring, enum alsamm_op op)
{
    long ignored;

    return alsamm_pcm_op(ring->pages.fd, op, 0, &ignored);
}

/* ---- the numbers of frames ---- */

/* Whoever reads it in another thread sees by the version that it was changing. */
void direct_anchor(struct alsamm_ring *ring, long long frame, unsigned long pointer)
{
    struct alsamm_anchor *anchor = &ring->anchor;

    __atomic_store_n(&anchor->version, anchor->version + 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    __atomic_store_n(&anchor->frame, frame, __ATOMIC_RELAXED);
    __atomic_store_n(&anchor->pointer, pointer, __ATOMIC_RELAXED);
    __atomic_store_n(&anchor->version, anchor->version + 1, __ATOMIC_RELEASE);
}

static long long frame_of(const struct alsamm_ring *ring, long long frame, unsigned long pointer, unsigned long appl_ptr)
{
    unsigned long distance = appl_ptr >= pointer ? appl_ptr - pointer : appl_ptr + (ring->boundary - pointer);

    return frame + (long long)distance;
}

long long direct_frame(const struct alsamm_ring *ring, unsigned long appl_ptr)
{
    return frame_of(ring, ring->anchor.frame, ring->anchor.pointer, appl_ptr);
}

/* From appl_ptr to hw_ptr: below 0 while frames are queued to be played, above it for what was captured, or played beyond
 * what was committed. */
static long long ahead(const struct alsamm_ring *ring, unsigned long hw_ptr, unsigned long appl_ptr)
{
    long long distance = (long long)hw_ptr - (long long)appl_ptr, half = (long long)(ring->boundary / 2);

    if (distance > half)
        distance -= (long long)ring->boundary;
    else if (distance < -half)
        distance += (long long)ring->boundary;
    return distance;
}

long long fast_frame(struct alsamm_ring *ring)
{
    long long appl_ptr = fast_appl_ptr(&ring->pages);

    return appl_ptr < 0 ? appl_ptr : direct_frame(ring, (unsigned long)appl_ptr);
}

int fast_set_frame(struct alsamm_ring *ring, long long frame)
{
    long long appl_ptr = fast_appl_ptr(&ring->pages);

    if (appl_ptr < 0)
        return (int)appl_ptr;
    direct_anchor(ring, frame, (unsigned long)appl_ptr);
    return 0;
}

/* Rule K5: position and time by one SYNC_PTR, that asks the card where the state lets it (rule D6). The answer is not kept,
 * for that is the ring's owner's. */
int fast_place(struct alsamm_ring *ring, struct alsamm_place *out)
{
    const struct alsamm_anchor *anchor = &ring->anchor;

    for (;;) {
        unsigned int version = __atomic_load_n(&anchor->version, __ATOMIC_ACQUIRE);
        long long frame = __atomic_load_n(&anchor->frame, __ATOMIC_RELAXED);
        unsigned long pointer = __atomic_load_n(&anchor->pointer, __ATOMIC_RELAXED);
        struct alsamm_snapshot now = {.state = 0};
        int error = ring->pages.fd < 0 ? -EBADF : fast_sync_ptr(ring->pages.fd, ALSAMM_QUERY | ALSAMM_SYNC_HWSYNC, &now);

        if (error == -EPIPE || error == -ESTRPIPE || error == -EBADFD)
            error = fast_sync_ptr(ring->pages.fd, ALSAMM_QUERY, &now);
        if (error < 0)
            return error;
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if ((version & 1) || version != __atomic_load_n(&anchor->version, __ATOMIC_RELAXED))
            continue;
        out->frame = frame_of(ring, frame, pointer, now.appl_ptr) + ahead(ring, now.hw_ptr, now.appl_ptr);
        out->time_ns = now.tstamp_ns;
        out->state = now.state;
        return 0;
    }
}

/* ---- beginning anew ---- */

struct account {                /* of one ring, taken before PREPARE forgets it */
    int state, ran;
    long long next, first_lost, when_ns;
    unsigned long lost;
};

/* STATUS tells pointers and the time of the stop together; in a state that has stopped it asks nothing of the card. */
static int take_account(struct alsamm_ring *ring, struct account *out)
{
    struct alsamm_status now;
    long long appl, hw;
    int error = alsamm_get_status(ring->pages.fd, &now);

    if (error < 0)
        return error;
    appl = direct_frame(ring, now.appl_ptr);
    hw = appl + ahead(ring, now.hw_ptr, now.appl_ptr);
    out->state = now.state;
    out->ran = now.state == SNDRV_PCM_STATE_XRUN || now.suspended_state == SNDRV_PCM_STATE_RUNNING;
    out->next = hw > appl ? hw : appl;
    out->first_lost = hw < appl ? hw : appl;
    out->lost = ring->capture ? (unsigned long)(out->next - appl) : (unsigned long)(out->next - hw);
    out->when_ns = now.trigger_tstamp_ns;
    return 0;
}

static int prepare_one(struct alsamm_ring *ring, long long next, int by_partner)
{
    int error = by_partner ? 0 : direct_op(ring, ALSAMM_PREPARE);

    if (error < 0)
        return error;
    ring->last.when_ns = 0;
    direct_anchor(ring, next, 0);
    return ring->capture ? 0 : alsamm_fill_silence(ring);
}

int alsamm_prepare(struct alsamm_ring *ring)
{
    struct account account, of_partner;
    int error = take_account(ring, &account);

    if (error == 0 && ring->linked)
        error = take_account(ring->partner, &of_partner);
    if (error == 0)
        error = prepare_one(ring, account.next, 0);
    if (error == 0 && ring->linked)
        error = prepare_one(ring->partner, of_partner.next, 1);
    return error;
}

void direct_interrupted(struct alsamm_ring *ring, const struct alsamm_interruption *what)
{
    if (what->suspended)
        ring->suspends++;
    else
        ring->xruns++;
    ring->lost += (long long)what->lost;
    ring->interruptions[ring->interrupted % ALSAMM_INTERRUPTIONS] = *what;
    __atomic_store_n(&ring->interrupted, ring->interrupted + 1, __ATOMIC_RELEASE);
}

static void note(struct alsamm_ring *ring, const struct account *before, int resumed, long long next)
{
    struct alsamm_interruption what = {.suspended = before->state == SNDRV_PCM_STATE_SUSPENDED,
                                       .time_ns = before->when_ns, .frame = before->first_lost, .resumed = next};
    struct alsamm_status now;

    if (resumed) {
        what.resumed = what.frame;
    } else {
        what.lost = before->lost;
        what.silence = ring->capture || !before->ran ? 0 : ring->refill;
    }
    if (alsamm_get_status(ring->pages.fd, &now) == 0 && now.trigger_tstamp_ns > what.time_ns)
        what.gap_ns = now.trigger_tstamp_ns - what.time_ns;
    direct_interrupted(ring, &what);
}

/* Silence is what the ring holds; it only has to be committed. */
static int refill(struct alsamm_ring *ring)
{
    return ring->capture || ring->refill == 0 ? 0 : direct_set_appl_ptr(ring, ring->refill);
}

static int begin_anew(struct alsamm_ring *ring, struct alsamm_ring *partner, const struct account accounts[2],
                      long long next)
{
    int error;

    if (partner && !ring->linked) { /* it may run still */
        error = direct_op(partner, ALSAMM_DROP);
        if (error < 0)
            return error;
    }
    error = prepare_one(ring, next, 0);
    if (error == 0)
        error = refill(ring);
    if (error == 0 && partner) {
        error = prepare_one(partner, next, ring->linked);
        if (error == 0)
            error = refill(partner);
    }
    if (error < 0 || !accounts[0].ran || !(ring->capture || ring->refill))
        return error;
    error = direct_op(ring, ALSAMM_START);
    if (error == 0 && partner && !ring->linked)
        error = direct_op(partner, ALSAMM_START);
    return error;
}

int alsamm_recover(struct alsamm_ring *ring)
{
    struct alsamm_ring *partner = ring->partner;
    struct account accounts[2];
    long long next;
    int resumed = 0, error = take_account(ring, &accounts[0]);

    if (error == 0 && partner)
        error = take_account(partner, &accounts[1]);
    if (error < 0)
        return error;
    if (accounts[0].state == SNDRV_PCM_STATE_SUSPENDED) { /* rule L7 */
        error = direct_op(ring, ALSAMM_RESUME);
        if (error == 0 && partner && !ring->linked)
            error = direct_op(partner, ALSAMM_RESUME);
        if (error < 0 && error != -ENOSYS)
            return error;
        resumed = error == 0;
        ring->last.when_ns = 0;
    } else if (accounts[0].state != SNDRV_PCM_STATE_XRUN) {
        return -EBADFD;
    }
    /* Of duplex, frame n of the one goes on beside frame n of the other. */
    next = partner && accounts[1].next > accounts[0].next ? accounts[1].next : accounts[0].next;
    error = resumed ? 0 : begin_anew(ring, partner, accounts, next);
    if (error < 0)
        return error;
    note(ring, &accounts[0], resumed, next);
    if (partner)
        note(partner, &accounts[1], resumed, next);
    return 0;
}

/* ---- beginning at a time ---- */

int alsamm_start_at(struct alsamm_ring *ring, long long when_ns)
{
    long long slept_until = when_ns - SPIN_NS, come_back = monotonic_ns() + SIGNAL_NS;
    struct timespec until;

    if (slept_until > come_back)
        slept_until = come_back;
    until = (struct timespec){.tv_sec = (time_t)(slept_until / 1000000000LL), .tv_nsec = (long)(slept_until % 1000000000LL)};
    if (slept_until > monotonic_ns() && clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) != 0)
        return -EINTR;
    if (slept_until < when_ns - SPIN_NS)
        return -EINTR;
    while (monotonic_ns() < when_ns)
        ;
    return direct_op(ring, ALSAMM_START);
}
