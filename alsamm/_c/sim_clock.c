/* The software card's time, and the thread that keeps it on a realtime card. Card time is what its crystal tells, in ns of
 * its nominal rate; streams are where it says, each by its own rate. */
#define _GNU_SOURCE
#include <limits.h>
#include <signal.h>

#include "sim_core.h"

static long long clock_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * SIM_NS + now.tv_nsec;
}

long long sim_monotonic_ns(void) { return clock_ns(CLOCK_MONOTONIC); }

/* ---- card time ---- */

int sim_frozen(const struct sim_card *card)
{
    return card->frozen || card->powered_off || card->unplugged;
}

int sim_speed_can_be(double speed)
{
    return speed >= 1e-3 && speed <= 1e3; /* NaN is neither */
}

/* 2^61 ns are 73 years, of card time and of CLOCK_MONOTONIC; the sums of two such are no matter. */
int sim_too_far(const struct sim_card *card, unsigned long long frames)
{
    const struct sim_pcm *fastest = sim_fastest(card, 0);
    double seconds = fastest ? (double)frames / fastest->rate : 0, most = 0x1p61 / (double)SIM_NS;

    return seconds > most || seconds / card->speed > most || sim_time(card) > 1LL << 61 || card->caught_up > 1LL << 61;
}

static long long card_ns(const struct sim_card *card, long long real)
{
    if (sim_frozen(card))
        return card->card_base;
    return card->card_base + (long long)((double)(real - card->real_base) * card->speed);
}

/* CLOCK_MONOTONIC as this card has it. Without a clock thread it is the time that the hardware has done, by its crystal:
 * always computed from the whole way since the last rebase, so that no rounding adds up. */
long long sim_time(const struct sim_card *card)
{
    if (card->config.clock == SIM_CLOCK_REALTIME)
        return sim_monotonic_ns();
    return card->real_base + (long long)((double)(card->caught_up - card->card_base) / card->speed);
}

/* To be called before what card_ns() and sim_time() depend on changes. */
void sim_rebase(struct sim_card *card)
{
    long long real = sim_time(card);

    card->card_base = card->config.clock == SIM_CLOCK_REALTIME ? card_ns(card, real) : card->caught_up;
    card->real_base = real;
}

unsigned long long sim_ticks(long long ns, unsigned int rate) /* frames in ns, without overflow for years */
{
    return (unsigned long long)(ns / SIM_NS) * rate + (unsigned long long)(ns % SIM_NS) * rate / SIM_NS;
}

long long sim_tick_ns(unsigned long long tick, unsigned int rate) /* the first ns in which sim_ticks() is that */
{
    return (long long)(tick / rate) * SIM_NS + (long long)((tick % rate * SIM_NS + rate - 1) / rate);
}

/* A stream that starts does so at the time up to which all others are done: those of one rate stay together. */
void sim_stamp_tick(struct sim_pcm *pcm)
{
    pcm->tick = sim_ticks(pcm->card->caught_up, pcm->rate);
}

/* The stream of the highest rate among those that run, or else those that are configured; NULL: there is none. */
struct sim_pcm *sim_fastest(const struct sim_card *card, int running)
{
    struct sim_pcm *fastest = NULL;

    for (int i = 0; i < 2; i++) {
        struct sim_pcm *pcm = running ? sim_moving(card, i) : card->pcm[i];
        if (pcm && pcm->rate && (!fastest || pcm->rate > fastest->rate))
            fastest = pcm;
    }
    return fastest;
}

/* Bring the hardware to card->caught_up. Interrupts that are overdue happen one after the other, as if in time, so a late
 * thread loses no turn of the ring. Streams of different rates go in steps that no interrupt of either lies in. */
static void do_what_is_due(struct sim_card *card)
{
    for (;;) {
        struct sim_pcm *due[2] = {NULL, NULL};
        unsigned long step = ULONG_MAX;

        for (int i = 0; i < 2; i++) {
            struct sim_pcm *pcm = sim_moving(card, i);
            unsigned long long now = pcm ? sim_ticks(card->caught_up, pcm->rate) : 0;
            if (!pcm || now <= pcm->tick)
                continue;
            due[i] = pcm;
            step = now - pcm->tick < step ? (unsigned long)(now - pcm->tick) : step;
            step = sim_pcm_to_interrupt(pcm) < step ? sim_pcm_to_interrupt(pcm) : step;
        }
        if (step == ULONG_MAX)
            return;
        sim_move(card, due[0], due[1], step);
        for (int i = 0; i < 2; i++)
            if (due[i])
                due[i]->tick += step;
        for (int i = 0; i < 2; i++)
            if (due[i] && sim_moving(card, i))
                sim_interrupt(due[i]);
    }
}

void sim_catch_up(struct sim_card *card) /* realtime: bring the hardware to now */
{
    if (card->config.clock != SIM_CLOCK_REALTIME || card->closed)
        return;
    card->caught_up = card_ns(card, sim_monotonic_ns());
    do_what_is_due(card);
}

/* Manual and auto: let time go on by frames of the fastest stream, stopping at every period's end for its interrupt. When
 * the hardware stands still time passes without it. */
void sim_run(struct sim_card *card, unsigned long long frames)
{
    something_moved();
    while (frames > 0) {
        const struct sim_pcm *fastest = sim_frozen(card) ? NULL : sim_fastest(card, 1);
        unsigned long step;

        if (!fastest) {
            fastest = sim_fastest(card, 0);
            if (fastest)
                card->real_base += (long long)((double)sim_tick_ns(frames, fastest->rate) / card->speed);
            return;
        }
        step = sim_to_period_end(card);
        if (step > frames)
            step = (unsigned long)frames;
        card->caught_up = sim_tick_ns(fastest->tick + step, fastest->rate);
        frames -= step;
        do_what_is_due(card);
    }
}

/* ---- the realtime card's thread ---- */

static long long next_wake_ns(struct sim_card *card) /* until the next interrupt; -1: none to come */
{
    long long real = sim_monotonic_ns(), ns = card_ns(card, real), nearest = -1;

    if (sim_frozen(card))
        return -1;
    for (int i = 0; i < 2; i++) {
        struct sim_pcm *pcm = sim_moving(card, i);
        long long wait;
        if (!pcm)
            continue;
        wait = sim_tick_ns(pcm->tick + sim_pcm_to_interrupt(pcm), pcm->rate) - ns;
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
        sim_futex_sleep(&card->kicks, seen, wait);
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

    card->real_base = clock_ns(CLOCK_MONOTONIC);
    card->clock_ahead[SNDRV_PCM_TSTAMP_TYPE_GETTIMEOFDAY] = clock_ns(CLOCK_REALTIME) - card->real_base;
    card->clock_ahead[SNDRV_PCM_TSTAMP_TYPE_MONOTONIC_RAW] = clock_ns(CLOCK_MONOTONIC_RAW) - card->real_base;
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
    sim_futex_wake(&card->kicks);
    pthread_join(card->thread, NULL);
    card->threaded = 0;
}
