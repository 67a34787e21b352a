/* How a client of the software card sleeps, and what poll tells it. */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sim_core.h"

#ifndef SYS_futex /* 32-bit machines that never had 32-bit time */
#define SYS_futex SYS_futex_time64
#endif

/* ---- sleeping and waking ---- */

void sim_futex_wake(atomic_uint *word)
{
    atomic_fetch_add_explicit(word, 1, memory_order_release);
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

/* Where the kernel wakes a wait queue. */
void sim_wake(struct sim_card *card)
{
    if (card->sleepers)
        sim_futex_wake(&card->changes);
    for (int i = 0; i < 2; i++)
        if (card->pcm[i])
            sim_refresh_event(card->pcm[i]);
}

/* The clock's thread has to look again when its next interrupt is due. */
void sim_kick(struct sim_card *card)
{
    if (card->threaded)
        sim_futex_wake(&card->kicks);
    sim_wake(card);
}

/* A futex rather than a condition variable: a signal must end the sleep with EINTR, as it ends a system call. */
int sim_futex_sleep(atomic_uint *word, unsigned int seen, long long ns)
{
    struct timespec left = {.tv_sec = (time_t)(ns / SIM_NS), .tv_nsec = (long)(ns % SIM_NS)};

    if (syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, seen, ns < 0 ? NULL : &left, NULL, 0) == 0)
        return 0;
    return errno == EINTR ? -EINTR : errno == ETIMEDOUT ? -ETIMEDOUT : 0;
}

/* Auto: the time a client would sleep is time that the card runs. */
static int sleep_by_advancing(struct sim_card *card, long long *left_ns)
{
    unsigned long step = sim_to_interrupt(card);
    long long before = sim_time(card);

    if (*left_ns >= 0) {
        unsigned long long left = sim_ticks((long long)((double)*left_ns * card->speed), sim_fastest(card, 1)->rate);
        if (left < step) {
            sim_run(card, left);
            *left_ns = 0;
            return -ETIMEDOUT;
        }
    }
    sim_run(card, step);
    if (*left_ns >= 0) {
        *left_ns -= sim_time(card) - before;
        *left_ns = *left_ns < 0 ? 0 : *left_ns;
    }
    return 0;
}

int sim_sleep(struct sim_pcm *pcm, long long *left_ns)
{
    struct sim_card *card = pcm->card;
    unsigned int seen = atomic_load_explicit(&card->changes, memory_order_acquire);
    long long before;
    int error;

    if (*left_ns == 0)
        return -ETIMEDOUT;
    if (card->config.clock == SIM_CLOCK_AUTO && !sim_frozen(card) && sim_to_period_end(card) != ULONG_MAX &&
        (*left_ns > 0 || sim_to_interrupt(card) != ULONG_MAX))
        return sleep_by_advancing(card, left_ns);
    card->sleepers++;
    sim_unlock(card);
    before = sim_monotonic_ns();
    error = sim_futex_sleep(&card->changes, seen, *left_ns);
    if (*left_ns > 0) {
        *left_ns -= sim_monotonic_ns() - before;
        if (*left_ns <= 0)
            *left_ns = 0;
    }
    sim_lock(card);
    card->sleepers--;
    sim_catch_up(card);
    return error;
}

/* ---- poll ---- */

int sim_poll_mask(const struct sim_pcm *pcm) /* snd_pcm_poll: rule I1 */
{
    int ok = pcm->capture ? POLLIN | POLLRDNORM : POLLOUT | POLLWRNORM;

    if (pcm->memfd < 0 || pcm->shutdown)
        return POLLERR | POLLNVAL; /* snd_disconnect_poll */
    switch (pcm->state) {
    case SNDRV_PCM_STATE_RUNNING:
    case SNDRV_PCM_STATE_PREPARED:
    case SNDRV_PCM_STATE_PAUSED:
        return sim_avail(pcm) >= __atomic_load_n(&pcm->control->avail_min, __ATOMIC_RELAXED) ? ok : 0;
    case SNDRV_PCM_STATE_DRAINING:
        if (!pcm->capture)
            return 0;
        return sim_avail(pcm) ? ok : ok | POLLERR;
    default: return ok | POLLERR;
    }
}

/* alsa-lib's poll descriptor: readable while poll has something to tell. A client's store into the control page changes
 * that without our knowing, so it may be readable too long; sim_poll_event looks again. */
static void set_event(struct sim_pcm *pcm, int set)
{
    eventfd_t drop;

    if (pcm->event_fd < 0 || set == pcm->event_set)
        return;
    pcm->event_set = set;
    if (set)
        eventfd_write(pcm->event_fd, 1);
    else
        eventfd_read(pcm->event_fd, &drop);
}

void sim_refresh_event(struct sim_pcm *pcm)
{
    pcm->asked = 0;
    set_event(pcm, sim_poll_mask(pcm) != 0 ||
                       (pcm->card->config.clock == SIM_CLOCK_AUTO && sim_to_interrupt(pcm->card) != ULONG_MAX));
}

int sim_poll(struct sim_pcm *pcm, int events, int timeout_ms, int *revents)
{
    struct sim_card *card = pcm->card;
    long long left = timeout_ms < 0 ? -1 : timeout_ms * 1000000LL;
    int error = sim_enter(card);

    *revents = POLLERR;
    if (error < 0)
        return 1;
    sim_catch_up(card);
    for (;;) {
        *revents = sim_poll_mask(pcm) & (events | POLLERR);
        if (*revents || error == -EINTR || error == -ETIMEDOUT)
            break;
        error = sim_sleep(pcm, &left);
    }
    sim_refresh_event(pcm);
    sim_unlock(card);
    return *revents ? 1 : error == -EINTR ? -EINTR : 0;
}

/* For alsa-lib's poll_revents. A client of an auto card that waits with a select or poll of its own sleeps where the card
 * cannot see it; so there the descriptor is always readable, and the card moves on when it is asked why. But not for ever,
 * for a wait that finds it readable never looks at its timeout: a card that stands still, or has been asked for PATIENCE
 * interrupts in vain, lets it sleep in earnest, until anything else happens to it. */
enum { PATIENCE = 1 << 14 };

int sim_poll_event(struct sim_pcm *pcm, int *revents)
{
    struct sim_card *card = pcm->card;
    unsigned int asked;

    *revents = POLLERR;
    if (sim_enter(card) < 0)
        return 0;
    sim_catch_up(card);
    asked = pcm->asked;
    if (sim_poll_mask(pcm) == 0 && card->config.clock == SIM_CLOCK_AUTO && asked < PATIENCE && !sim_frozen(card) &&
        sim_to_interrupt(card) != ULONG_MAX) {
        sim_run(card, sim_to_interrupt(card));
        asked++;
    } else {
        asked = PATIENCE;
    }
    *revents = sim_poll_mask(pcm) & (POLLIN | POLLOUT | POLLERR);
    sim_refresh_event(pcm);
    if (*revents == 0) {
        pcm->asked = asked;
        if (asked == PATIENCE)
            set_event(pcm, 0);
    }
    sim_unlock(card);
    return 0;
}
