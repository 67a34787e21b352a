/* The software card's time, and the thread that keeps it on a realtime card. */
#define _GNU_SOURCE
#include <limits.h>
#include <signal.h>

#include "sim_core.h"

long long sim_monotonic_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * SIM_NS + now.tv_nsec;
}

/* ---- card time ---- */

int sim_frozen(const struct sim_card *card)
{
    return card->frozen || card->powered_off || card->unplugged;
}

static long long card_ns(const struct sim_card *card, long long real)
{
    if (sim_frozen(card))
        return card->card_base;
    return card->card_base + (long long)((double)(real - card->real_base) * card->speed);
}

/* To be called before what card_ns() depends on changes. */
void sim_rebase(struct sim_card *card)
{
    long long real = sim_monotonic_ns();

    card->card_base = card_ns(card, real);
    card->real_base = real;
}

unsigned long long sim_ticks(long long ns, unsigned int rate) /* frames in ns, without overflow for years */
{
    return (unsigned long long)(ns / SIM_NS) * rate + (unsigned long long)(ns % SIM_NS) * rate / SIM_NS;
}

/* A stream that starts does so at the time up to which all others are done: those of one rate stay together. */
void sim_stamp_tick(struct sim_pcm *pcm)
{
    pcm->tick = sim_ticks(pcm->card->caught_up, pcm->rate);
}

/* Realtime: bring the hardware to now. Interrupts that are overdue happen one after the other, as if in time, so a late
 * thread loses no turn of the ring. Streams of different rates go in steps that no interrupt of either lies in. */
void sim_catch_up(struct sim_card *card)
{
    if (card->config.clock != SIM_CLOCK_REALTIME || card->closed)
        return;
    card->caught_up = card_ns(card, sim_monotonic_ns());
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
            if (due[i]) {
                due[i]->tick += step;
                if (sim_moving(card, i))
                    sim_interrupt(due[i]);
            }
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
        unsigned long long target;
        long long wait;
        if (!pcm)
            continue;
        target = pcm->tick + sim_pcm_to_interrupt(pcm);
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

    card->real_base = sim_monotonic_ns();
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
