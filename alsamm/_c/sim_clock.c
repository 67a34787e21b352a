/* The software card's hardware: its clock, its DMA, its interrupts, and how a client sleeps. */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sim_core.h"

#ifndef SYS_futex /* 32-bit machines that never had 32-bit time */
#define SYS_futex SYS_futex_time64
#endif

static long long monotonic_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * SIM_NS + now.tv_nsec;
}

static struct sim_pcm *moving(const struct sim_card *card, int capture)
{
    struct sim_pcm *pcm = card->pcm[capture];
    return pcm && sim_running(pcm) ? pcm : NULL;
}

/* ---- DMA ---- */

static void record(struct sim_card *card, const char *frames, size_t bytes)
{
    struct sim_tape *tape = &card->tape;
    ssize_t done = tape->fd < 0 ? -1 : pwrite(tape->fd, frames, bytes, (off_t)tape->bytes);

    if (done > 0)
        tape->bytes += done;
    if (done != (ssize_t)bytes)
        tape->lost += (long long)bytes - (done > 0 ? done : 0);
}

/* What the microphone hears when the card does not loop: the rest of what was fed, then silence. */
static void listen(struct sim_card *card, struct sim_pcm *in, unsigned long frames)
{
    size_t wanted = frames * in->frame_bytes, got = 0;

    if (card->feed_end > card->feed_read) {
        long long left = card->feed_end - card->feed_read;
        size_t take = (unsigned long long)left < wanted ? (size_t)left : wanted;
        ssize_t done = pread(card->feed_fd, card->scratch, take, (off_t)card->feed_read);
        if (done > 0) {
            got = (size_t)done;
            card->feed_read += done;
        }
    }
    if (got < wanted) {
        size_t whole = got / in->sample_bytes * in->sample_bytes;
        sim_fill_silence(card->scratch + whole, in->format, (wanted - whole) / in->sample_bytes);
    }
}

/* Frames of both streams at the same card time, playback first, so that a loop is exact to the frame. */
static void move(struct sim_card *card, struct sim_pcm *out, struct sim_pcm *in, unsigned long frames)
{
    int looped = out && in && card->loop && out->format == in->format && out->channels == in->channels &&
                 out->rate == in->rate;

    while (frames > 0) {
        unsigned long n = frames;
        struct sim_pcm *both[2] = {out, in};

        for (int i = 0; i < 2; i++)
            if (both[i]) {
                unsigned long room = both[i]->buffer_size - (unsigned long)(both[i]->dma % both[i]->buffer_size);
                unsigned long scratch = SIM_SCRATCH / both[i]->frame_bytes;
                n = room < n ? room : n;
                n = scratch < n ? scratch : n;
            }
        if (out && (card->config.record || looped)) {
            sim_gather(out, (unsigned long)(out->dma % out->buffer_size), n, card->scratch);
            if (card->config.record)
                record(card, card->scratch, n * out->frame_bytes);
        }
        if (in) {
            if (!looped)
                listen(card, in, n);
            sim_scatter(in, (unsigned long)(in->dma % in->buffer_size), n, card->scratch);
        }
        for (int i = 0; i < 2; i++)
            if (both[i]) {
                both[i]->dma += n;
                card->moved[i] += n;
            }
        frames -= n;
    }
}

/* ---- interrupts ---- */

static unsigned long pcm_to_interrupt(const struct sim_pcm *pcm)
{
    return pcm->period_size - (unsigned long)(pcm->dma % pcm->period_size);
}

/* Frames until the next period ends, whether its interrupt will be delivered or not. */
static unsigned long to_period_end(const struct sim_card *card)
{
    unsigned long nearest = ULONG_MAX;

    for (int i = 0; i < 2; i++)
        if (moving(card, i) && pcm_to_interrupt(card->pcm[i]) < nearest)
            nearest = pcm_to_interrupt(card->pcm[i]);
    return nearest;
}

/* Frames until the next interrupt, ULONG_MAX when none will come (rule H6). */
unsigned long sim_to_interrupt(const struct sim_card *card)
{
    unsigned long nearest = ULONG_MAX;

    for (int i = 0; i < 2; i++)
        if (moving(card, i) && !card->pcm[i]->no_period_wakeup && pcm_to_interrupt(card->pcm[i]) < nearest)
            nearest = pcm_to_interrupt(card->pcm[i]);
    return nearest;
}

static void interrupt(struct sim_pcm *pcm) /* snd_pcm_period_elapsed */
{
    if (pcm->no_period_wakeup || pcm->dma % pcm->period_size != 0)
        return;
    if (pcm->late > 0) {
        pcm->late--;
        return;
    }
    pcm->interrupts++;
    sim_update_hw_ptr(pcm, 1);
    sim_wake(pcm->card);
}

/* Let the hardware move, stopping at every period's end for its interrupt; the lock is held. */
void sim_run(struct sim_card *card, unsigned long long frames)
{
    while (frames > 0) {
        unsigned long step = to_period_end(card);

        if (step == ULONG_MAX)
            return;
        if (step > frames)
            step = (unsigned long)frames;
        move(card, moving(card, 0), moving(card, 1), step);
        frames -= step;
        for (int i = 0; i < 2; i++)
            if (moving(card, i))
                interrupt(card->pcm[i]);
    }
}

/* ---- card time ---- */

static int frozen(const struct sim_card *card)
{
    return card->frozen || card->powered_off || card->unplugged;
}

static long long card_ns(const struct sim_card *card, long long real)
{
    if (frozen(card))
        return card->card_base;
    return card->card_base + (long long)((double)(real - card->real_base) * card->speed);
}

/* To be called before what card_ns() depends on changes. */
void sim_rebase(struct sim_card *card)
{
    long long real = monotonic_ns();

    card->card_base = card_ns(card, real);
    card->real_base = real;
}

static unsigned long long ticks(long long ns, unsigned int rate) /* frames in ns, without overflow for years */
{
    return (unsigned long long)(ns / SIM_NS) * rate + (unsigned long long)(ns % SIM_NS) * rate / SIM_NS;
}

/* A stream that starts does so at the time up to which all others are done: those of one rate stay together. */
void sim_stamp_tick(struct sim_pcm *pcm)
{
    pcm->tick = ticks(pcm->card->caught_up, pcm->rate);
}

/* Realtime: bring the hardware to now. Interrupts that are overdue happen one after the other, as if in time, so a late
 * thread loses no turn of the ring. Streams of different rates go in steps that no interrupt of either lies in. */
void sim_catch_up(struct sim_card *card)
{
    if (card->config.clock != SIM_CLOCK_REALTIME || card->closed)
        return;
    card->caught_up = card_ns(card, monotonic_ns());
    for (;;) {
        struct sim_pcm *due[2] = {NULL, NULL};
        unsigned long step = ULONG_MAX;

        for (int i = 0; i < 2; i++) {
            struct sim_pcm *pcm = moving(card, i);
            unsigned long long now = pcm ? ticks(card->caught_up, pcm->rate) : 0;
            if (!pcm || now <= pcm->tick)
                continue;
            due[i] = pcm;
            step = now - pcm->tick < step ? (unsigned long)(now - pcm->tick) : step;
            step = pcm_to_interrupt(pcm) < step ? pcm_to_interrupt(pcm) : step;
        }
        if (step == ULONG_MAX)
            return;
        move(card, due[0], due[1], step);
        for (int i = 0; i < 2; i++)
            if (due[i]) {
                due[i]->tick += step;
                if (moving(card, i))
                    interrupt(due[i]);
            }
    }
}

/* ---- sleeping and waking ---- */

static void futex_wake(atomic_uint *word)
{
    atomic_fetch_add_explicit(word, 1, memory_order_release);
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

/* Where the kernel wakes a wait queue. */
void sim_wake(struct sim_card *card)
{
    if (card->sleepers)
        futex_wake(&card->changes);
    for (int i = 0; i < 2; i++)
        if (card->pcm[i])
            sim_refresh_event(card->pcm[i]);
}

/* The clock's thread has to look again when its next interrupt is due. */
void sim_kick(struct sim_card *card)
{
    if (card->threaded)
        futex_wake(&card->kicks);
    sim_wake(card);
}

/* A futex rather than a condition variable: a signal must end the sleep with EINTR, as it ends a system call. */
static int futex_sleep(atomic_uint *word, unsigned int seen, long long ns)
{
    struct timespec left = {.tv_sec = (time_t)(ns / SIM_NS), .tv_nsec = (long)(ns % SIM_NS)};

    if (syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, seen, ns < 0 ? NULL : &left, NULL, 0) == 0)
        return 0;
    return errno == EINTR ? -EINTR : errno == ETIMEDOUT ? -ETIMEDOUT : 0;
}

/* Auto: the time a client would sleep is time that the card runs. */
static int sleep_by_advancing(struct sim_pcm *pcm, long long *left_ns)
{
    struct sim_card *card = pcm->card;
    unsigned long step = sim_to_interrupt(card);
    unsigned int rate = pcm->rate ? pcm->rate : 1;

    if (*left_ns >= 0) {
        unsigned long long left = (ticks(*left_ns, rate));
        if (left < step) {
            sim_run(card, left);
            *left_ns = 0;
            return -ETIMEDOUT;
        }
        *left_ns -= (long long)step * SIM_NS / rate;
    }
    sim_run(card, step);
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
    if (card->config.clock == SIM_CLOCK_AUTO && !frozen(card) && to_period_end(card) != ULONG_MAX &&
        (*left_ns > 0 || sim_to_interrupt(card) != ULONG_MAX))
        return sleep_by_advancing(pcm, left_ns);
    card->sleepers++;
    sim_unlock(card);
    before = monotonic_ns();
    error = futex_sleep(&card->changes, seen, *left_ns);
    if (*left_ns > 0) {
        *left_ns -= monotonic_ns() - before;
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
void sim_refresh_event(struct sim_pcm *pcm)
{
    eventfd_t drop;
    int set;

    if (pcm->event_fd < 0)
        return;
    set = sim_poll_mask(pcm) != 0 || (pcm->card->config.clock == SIM_CLOCK_AUTO && sim_to_interrupt(pcm->card) != ULONG_MAX);
    if (set == pcm->event_set)
        return;
    pcm->event_set = set;
    if (set)
        eventfd_write(pcm->event_fd, 1);
    else
        eventfd_read(pcm->event_fd, &drop);
}

int sim_poll(struct sim_pcm *pcm, int events, int timeout_ms, int *revents)
{
    struct sim_card *card = pcm->card;
    long long left = timeout_ms < 0 ? -1 : timeout_ms * 1000000LL;
    int error = 0;

    sim_lock(card);
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
 * cannot see it; so there the descriptor is always readable, and the card moves on when it is asked why. */
int sim_poll_event(struct sim_pcm *pcm, int *revents)
{
    struct sim_card *card = pcm->card;

    sim_lock(card);
    sim_catch_up(card);
    if (sim_poll_mask(pcm) == 0 && card->config.clock == SIM_CLOCK_AUTO && !frozen(card) &&
        sim_to_interrupt(card) != ULONG_MAX)
        sim_run(card, sim_to_interrupt(card));
    *revents = sim_poll_mask(pcm) & (POLLIN | POLLOUT | POLLERR);
    sim_refresh_event(pcm);
    sim_unlock(card);
    return 0;
}

/* ---- the realtime card's thread ---- */

static long long next_wake_ns(struct sim_card *card) /* until the next interrupt; -1: none to come */
{
    long long real = monotonic_ns(), ns = card_ns(card, real), nearest = -1;

    if (frozen(card))
        return -1;
    for (int i = 0; i < 2; i++) {
        struct sim_pcm *pcm = moving(card, i);
        unsigned long long target;
        long long wait;
        if (!pcm)
            continue;
        target = pcm->tick + pcm_to_interrupt(pcm);
        wait = (long long)(target / pcm->rate) * SIM_NS +
               (long long)((target % pcm->rate * SIM_NS + pcm->rate - 1) / pcm->rate) - ns;
        wait = wait <= 0 ? 0 : (long long)((double)wait / card->speed) + 1;
        if (nearest < 0 || wait < nearest)
            nearest = wait;
    }
    return nearest;
}

static void *tick(void *argument)
{
    struct sim_card *card = argument;

    sim_lock(card);
    while (!card->closed) {
        unsigned int seen = atomic_load_explicit(&card->kicks, memory_order_acquire);
        long long wait;

        sim_catch_up(card);
        wait = next_wake_ns(card);
        if (wait == 0)
            continue;
        sim_unlock(card);
        futex_sleep(&card->kicks, seen, wait);
        sim_lock(card);
    }
    sim_unlock(card);
    return NULL;
}

/* Signals stay with the program's own threads, which expect them. */
int sim_thread_start(struct sim_card *card)
{
    sigset_t all, old;
    int error;

    card->real_base = monotonic_ns();
    if (card->config.clock != SIM_CLOCK_REALTIME)
        return 0;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    error = pthread_create(&card->thread, NULL, tick, card);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (error)
        return -error;
    card->threaded = 1;
    pthread_setname_np(card->thread, "alsamm-sim");
    return 0;
}

void sim_thread_stop(struct sim_card *card) /* without the lock, once card->closed is set */
{
    if (!card->threaded)
        return;
    futex_wake(&card->kicks);
    pthread_join(card->thread, NULL);
    card->threaded = 0;
}
