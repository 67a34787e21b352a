/* A stream that goes on where the card begins anew: PREPARE, xruns and suspends, with every frame counted.
 *
 * The kernel sets both pointers to 0 at PREPARE. What they had counted is kept in ring->anchor, so that the frames of a
 * stream have numbers that never go back: those that were committed or captured count, lost or not. */
#include <fcntl.h>
#include <time.h>

#include "direct.h"

#define SPIN_NS 200000LL /* a sleep ends that late at the most, as a rule; the rest is waited for awake */

/* Of an unplugged card poll says NVAL too (rule I1); of a number that somebody closed it says nothing else. */
int direct_gone(const struct alsamm_ring *ring)
{
    return fcntl(ring->pages.fd, F_GETFD) < 0 ? -EBADF : -ENODEV;
}

int direct_op(struct alsamm_ring *ring, enum alsamm_op op)
{
    long ignored;

    return fast_refusal(ring->pages.fd, alsamm_pcm_op(ring->pages.fd, op, 0, &ignored));
}

/* ---- the numbers of frames ---- */

/* Whoever reads pointers and anchor in another thread sees by the version that they are changing, from before appl_ptr goes
 * back until the anchor fits it again. */
void direct_unanchor(struct alsamm_ring *ring)
{
    __atomic_store_n(&ring->anchor.version, ring->anchor.version | 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

void direct_anchor(struct alsamm_ring *ring, long long frame, unsigned long pointer)
{
    struct alsamm_anchor *anchor = &ring->anchor;

    direct_unanchor(ring);
    __atomic_store_n(&anchor->frame, frame, __ATOMIC_RELAXED);
    __atomic_store_n(&anchor->pointer, pointer, __ATOMIC_RELAXED);
    __atomic_store_n(&anchor->version, anchor->version + 1, __ATOMIC_RELEASE);
}

static long long frame_of(const struct alsamm_ring *ring, long long frame, unsigned long pointer, unsigned long appl_ptr)
{
    unsigned long distance = appl_ptr >= pointer ? appl_ptr - pointer : appl_ptr + (ring->boundary - pointer);

    return (long long)((unsigned long long)frame + distance); /* after 2^63 frames from below again */
}

long long direct_frame(const struct alsamm_ring *ring, unsigned long appl_ptr)
{
    return frame_of(ring, ring->anchor.frame, ring->anchor.pointer, appl_ptr);
}

/* From appl_ptr to hw_ptr: below 0 while frames are queued to be played, above it for what was captured, or played beyond
 * what was committed. */
static long long ahead(const struct alsamm_ring *ring, unsigned long hw_ptr, unsigned long appl_ptr)
{
    long long distance = (long)(hw_ptr - appl_ptr), half = (long long)(ring->boundary / 2);

    if (distance > half)
        distance -= (long long)ring->boundary;
    else if (distance < -half)
        distance += (long long)ring->boundary;
    return distance;
}

/* The frame that the card is at; as frame_of beyond 2^63. */
static long long card_frame(const struct alsamm_ring *ring, long long appl, unsigned long hw_ptr, unsigned long appl_ptr)
{
    return (long long)((unsigned long long)appl + (unsigned long long)ahead(ring, hw_ptr, appl_ptr));
}

/* Any thread. -EAGAIN: the owner is changing the numbers, which PREPARE can make long. */
static int read_anchor(const struct alsamm_ring *ring, struct alsamm_anchor *out)
{
    const struct alsamm_anchor *anchor = &ring->anchor;

    out->version = __atomic_load_n(&anchor->version, __ATOMIC_ACQUIRE);
    out->frame = __atomic_load_n(&anchor->frame, __ATOMIC_RELAXED);
    out->pointer = __atomic_load_n(&anchor->pointer, __ATOMIC_RELAXED);
    return out->version & 1 ? -EAGAIN : 0;
}

/* After the pointers were read: 0, or -EAGAIN where they do not belong to the anchor. */
static int still_anchored(const struct alsamm_ring *ring, const struct alsamm_anchor *seen)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return seen->version == __atomic_load_n(&ring->anchor.version, __ATOMIC_RELAXED) ? 0 : -EAGAIN;
}

/* A number may be below 0, where a capture was rewound to before its first frame: so it is no result. */
int fast_frame(struct alsamm_ring *ring, long long *frame)
{
    struct alsamm_anchor anchor;
    long long appl_ptr;
    int error = ring->pages.fd < 0 ? -EBADF : read_anchor(ring, &anchor); /* a child's would be changing for ever */

    if (error < 0)
        return error;
    appl_ptr = fast_appl_ptr(&ring->pages);
    error = still_anchored(ring, &anchor);
    if (error < 0 || appl_ptr < 0)
        return error < 0 ? error : (int)appl_ptr;
    *frame = frame_of(ring, anchor.frame, anchor.pointer, (unsigned long)appl_ptr);
    return 0;
}

int fast_set_frame(struct alsamm_ring *ring, long long frame)
{
    long long appl_ptr = fast_appl_ptr(&ring->pages);

    if (frame < -(1LL << 62) || frame > 1LL << 62)
        return -EINVAL;
    if (appl_ptr < 0)
        return (int)appl_ptr;
    direct_anchor(ring, frame, (unsigned long)appl_ptr);
    return 0;
}

/* The kernel's time is that of the last movement (rule M4). Where it tells none, or nothing moves, it is that of the question:
 * not of the answer, since when the card may have moved, and told when. Of a stream that goes on from where it was said to
 * be still it is no earlier than that. Callers hold the GIL. */
static long long time_of(struct alsamm_ring *ring, const struct alsamm_snapshot *now, long long frame, long long asked)
{
    int moves = now->state == SNDRV_PCM_STATE_RUNNING || now->state == SNDRV_PCM_STATE_DRAINING ||
                now->state == SNDRV_PCM_STATE_XRUN;

    if (!moves || now->tstamp_ns == 0) {
        ring->still.frame = frame;
        ring->still.time_ns = asked;
        return asked;
    }
    return frame == ring->still.frame && ring->still.time_ns > now->tstamp_ns ? ring->still.time_ns : now->tstamp_ns;
}

/* Rule K5: position and time by one SYNC_PTR, that asks the card where the state lets it (rule D6). The answer is not kept,
 * for that is the ring's owner's. */
int fast_place(struct alsamm_ring *ring, struct alsamm_place *out)
{
    long long asked = direct_now(ring->pages.fd);
    struct alsamm_anchor anchor;
    struct alsamm_snapshot now = {.state = 0};
    int changing = read_anchor(ring, &anchor);
    int error = ring->pages.fd < 0 ? -EBADF : fast_sync_ptr(ring->pages.fd, ALSAMM_QUERY | ALSAMM_SYNC_HWSYNC, &now);

    if (error == -EPIPE || error == -ESTRPIPE || error == -EBADFD)
        error = fast_sync_ptr(ring->pages.fd, ALSAMM_QUERY, &now);
    if (error < 0)
        return error;
    if (changing < 0 || still_anchored(ring, &anchor) < 0)
        return -EAGAIN;
    out->frame = card_frame(ring, frame_of(ring, anchor.frame, anchor.pointer, now.appl_ptr), now.hw_ptr, now.appl_ptr);
    out->time_ns = time_of(ring, &now, out->frame, asked);
    return 0;
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
    hw = card_frame(ring, appl, now.hw_ptr, now.appl_ptr);
    out->state = now.state;
    out->ran = now.state == SNDRV_PCM_STATE_XRUN || now.suspended_state == SNDRV_PCM_STATE_RUNNING;
    out->next = hw > appl ? hw : appl;
    out->first_lost = hw < appl ? hw : appl;
    out->lost = (unsigned long)out->next - (unsigned long)(ring->capture ? appl : hw);
    out->when_ns = now.trigger_tstamp_ns;
    return 0;
}

/* PREPARE of a linked ring is its partner's too, which by_partner is to be told of next, whatever else comes of it. */
static int prepare_one(struct alsamm_ring *ring, long long next, int by_partner)
{
    int error;

    direct_unanchor(ring);
    if (ring->linked && !by_partner)
        direct_unanchor(ring->partner);
    error = by_partner ? 0 : direct_op(ring, ALSAMM_PREPARE);
    ring->last.when_ns = 0;
    if (error < 0) {
        direct_anchor(ring, ring->anchor.frame, ring->anchor.pointer);
        if (ring->linked)
            direct_anchor(ring->partner, ring->partner->anchor.frame, ring->partner->anchor.pointer);
        return error;
    }
    direct_anchor(ring, next, 0);
    return 0;
}

static int silence(struct alsamm_ring *ring)
{
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
    if (error == 0)
        error = silence(ring);
    return error == 0 && ring->linked ? silence(ring->partner) : error;
}

static void note(struct alsamm_ring *ring, const struct account *before, int suspended, int resumed, long long next)
{
    struct alsamm_interruption what = {.suspended = suspended, .time_ns = before->when_ns, .frame = before->first_lost,
                                       .resumed = before->first_lost};

    if (!resumed) {
        what.resumed = next;
        what.lost = before->lost;
        what.silence = ring->capture || !before->ran ? 0 : ring->refill;
    }
    direct_interrupted(ring, &what);
}

/* What was noted last, once it runs again. */
static void note_gap(struct alsamm_ring *ring)
{
    struct alsamm_interruption *what = &ring->interruptions[(ring->interrupted - 1) % ALSAMM_INTERRUPTION_SLOTS];
    struct alsamm_status now;

    if (alsamm_get_status(ring->pages.fd, &now) == 0 && now.trigger_tstamp_ns > what->time_ns)
        __atomic_store_n(&what->gap_ns, now.trigger_tstamp_ns - what->time_ns, __ATOMIC_RELAXED); /* beside readers */
}

/* Silence is what the ring holds then; it only has to be committed. */
static int refill(struct alsamm_ring *ring)
{
    int error = silence(ring);

    return error < 0 || ring->capture || ring->refill == 0 ? error : direct_set_appl_ptr(ring, ring->refill);
}

static int stop(struct alsamm_ring *ring, int state)
{
    return state == SNDRV_PCM_STATE_RUNNING || state == SNDRV_PCM_STATE_PAUSED || state == SNDRV_PCM_STATE_DRAINING
               ? direct_op(ring, ALSAMM_DROP) : 0;
}

/* What was lost is noted as soon as it is lost, whatever comes of the rest. */
static int begin_anew(struct alsamm_ring *ring, struct alsamm_ring *partner, const struct account accounts[2],
                      int suspended)
{
    /* Of duplex, frame n of the one goes on beside frame n of the other. */
    long long next = partner && accounts[1].next > accounts[0].next ? accounts[1].next : accounts[0].next;
    int error = stop(ring, accounts[0].state);

    if (error == 0 && partner && !ring->linked)
        error = stop(partner, accounts[1].state);
    if (error == 0)
        error = prepare_one(ring, next, 0);
    if (error < 0)
        return error;
    note(ring, &accounts[0], suspended, 0, next);
    error = refill(ring);
    if (partner) {
        int of_partner = prepare_one(partner, next, ring->linked);

        note(partner, &accounts[1], suspended, 0, next);
        if (error == 0)
            error = of_partner < 0 ? of_partner : refill(partner);
    }
    if (error < 0 || !accounts[0].ran || !(ring->capture || ring->refill))
        return error;
    error = direct_op(ring, ALSAMM_START);
    if (error == 0 && partner && !ring->linked)
        error = direct_op(partner, ALSAMM_START);
    return error;
}

/* What slept between a commit and its START (rule G6) is PREPARED again, and nobody else would start it. */
static int start_what_is_due(struct alsamm_ring *ring)
{
    struct alsamm_snapshot now;
    struct view seen;
    int error = direct_ask(ring, 0, &now);

    if (error < 0)
        return error;
    seen = (struct view){now.state, now.hw_ptr, now.appl_ptr};
    return start_due(ring, &seen, 0) ? direct_op(ring, ALSAMM_START) : 0;
}

static int stopped(int state)
{
    return state == SNDRV_PCM_STATE_XRUN || state == SNDRV_PCM_STATE_SUSPENDED;
}

/* Rule L7. 1: went on as if nothing had been; 0: it cannot. Of two cards that are no group both must have been asleep, else
 * they are out of step. */
static int try_resume(struct alsamm_ring *ring, struct alsamm_ring *partner, struct account accounts[2])
{
    int error = direct_op(ring, ALSAMM_RESUME);

    ring->last.when_ns = 0;
    if (error < 0)
        return error == -ENOSYS ? 0 : error;
    accounts[0].state = SNDRV_PCM_STATE_RUNNING;
    if (!partner || ring->linked)
        return 1;
    error = direct_op(partner, ALSAMM_RESUME);
    partner->last.when_ns = 0;
    if (error < 0)
        return error == -ENOSYS ? 0 : error;
    accounts[1].state = SNDRV_PCM_STATE_RUNNING;
    return 1;
}

int alsamm_recover(struct alsamm_ring *ring)
{
    struct alsamm_ring *partner = ring->partner;
    struct account accounts[2];
    int suspended, resumed = 0, error = take_account(ring, &accounts[0]);

    if (error == 0 && partner)
        error = take_account(partner, &accounts[1]);
    if (error < 0)
        return error;
    if (!stopped(accounts[0].state) && !(partner && stopped(accounts[1].state)))
        return -EBADFD;
    if (partner) { /* the one that runs still has not stopped at any time: it stops now, with the other */
        int other = stopped(accounts[0].state);

        if (!stopped(accounts[other].state))
            accounts[other].when_ns = accounts[!other].when_ns;
        accounts[0].ran |= accounts[1].ran;
    }
    suspended = accounts[0].state == SNDRV_PCM_STATE_SUSPENDED || (partner && accounts[1].state == SNDRV_PCM_STATE_SUSPENDED);
    if (accounts[0].state == SNDRV_PCM_STATE_SUSPENDED && (!partner || accounts[1].state == SNDRV_PCM_STATE_SUSPENDED))
        resumed = try_resume(ring, partner, accounts);
    if (resumed < 0)
        return resumed;
    if (resumed) {
        note(ring, &accounts[0], 1, 1, 0);
        if (partner)
            note(partner, &accounts[1], 1, 1, 0);
        else
            error = start_what_is_due(ring);
    } else {
        error = begin_anew(ring, partner, accounts, suspended);
    }
    if (error < 0)
        return error;
    note_gap(ring);
    if (partner)
        note_gap(partner);
    return 0;
}

/* ---- beginning at a time ---- */

int alsamm_start_at(struct alsamm_ring *ring, long long when_ns)
{
    long long now = monotonic_ns(), come_back = now + SIGNAL_NS, slept_until;
    struct timespec until;

    if (when_ns > now) {
        slept_until = when_ns - SPIN_NS < come_back ? when_ns - SPIN_NS : come_back;
        until = (struct timespec){.tv_sec = (time_t)(slept_until / 1000000000LL),
                                  .tv_nsec = (long)(slept_until % 1000000000LL)};
        if (slept_until > now && clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) != 0)
            return -EINTR;
        if (slept_until == come_back)
            return -EINTR;
    }
    while (monotonic_ns() < when_ns)
        ;
    return direct_op(ring, ALSAMM_START);
}
