/* The software card's kernel: how hw_ptr moves, and what that brings about. Follows sound/core/pcm_lib.c function by
 * function; all of it runs with the card's lock held. */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>

#include "sim_core.h"

/* Signed, as snd_pcm_playback_avail: appl_ptr comes from a page that the client may fill with anything (rule E2). */
unsigned long sim_avail(const struct sim_pcm *pcm)
{
    long boundary = (long)pcm->boundary;
    long avail = (long)(sim_hw(pcm) - sim_appl_ptr(pcm) + (pcm->capture ? 0 : pcm->buffer_size));

    if (avail < 0)
        avail += boundary;
    else if (!pcm->capture && avail >= boundary)
        avail -= boundary;
    return (unsigned long)avail;
}

long sim_hw_avail(const struct sim_pcm *pcm)
{
    return (long)(pcm->buffer_size - sim_avail(pcm));
}

void sim_gettime(const struct sim_pcm *pcm, struct timespec *out)
{
    static const clockid_t clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW};
    long long ns;

    if (pcm->card->config.clock == SIM_CLOCK_REALTIME) {
        clock_gettime(clocks[pcm->tstamp_type], out);
        return;
    }
    ns = sim_time(pcm->card) + pcm->card->clock_ahead[pcm->tstamp_type];
    out->tv_sec = (time_t)(ns / SIM_NS);
    out->tv_nsec = (long)(ns % SIM_NS);
}

void sim_set_state(struct sim_pcm *pcm, int state)
{
    pcm->state = state;
    __atomic_store_n(&pcm->status->state, state, __ATOMIC_RELEASE);
}

void sim_page_tstamp(struct sim_pcm *pcm, const struct timespec *now)
{
    pcm->status->tstamp.tv_sec = now->tv_sec;
    pcm->status->tstamp.tv_nsec = now->tv_nsec;
}

/* ---- snd_pcm_playback_silence (as of Linux 6.5): rules J1, J2 ---- */

static void move_silence(struct sim_pcm *pcm, unsigned long from, unsigned long to) /* update_silence_vars */
{
    long moved = (long)(to - from);

    if (moved == 0)
        return;
    if (moved < 0)
        moved += (long)pcm->boundary;
    pcm->silence_filled = (unsigned long)moved < pcm->silence_filled ? pcm->silence_filled - (unsigned long)moved : 0;
    pcm->silence_start = to;
}

static unsigned long ahead(const struct sim_pcm *pcm, unsigned long appl_ptr, unsigned long hw_ptr)
{
    long distance = (long)(appl_ptr - hw_ptr);
    return (unsigned long)(distance < 0 ? distance + (long)pcm->boundary : distance);
}

/* Threshold mode: the number of frames to silence behind appl_ptr, over whatever lies there uncommitted (J2). */
static unsigned long silence_to_top_up(struct sim_pcm *pcm, unsigned long new_hw_ptr)
{
    unsigned long appl_ptr = sim_appl_ptr(pcm), distance;

    move_silence(pcm, pcm->silence_start, appl_ptr);
    distance = ahead(pcm, appl_ptr, new_hw_ptr == SIM_INIT_SILENCE ? sim_hw(pcm) : new_hw_ptr) + pcm->silence_filled;
    if (distance >= pcm->silence_threshold)
        return 0;
    distance = pcm->silence_threshold - distance;
    return distance < pcm->silence_size ? distance : pcm->silence_size;
}

/* Free-running mode: what was played is silenced at once; silence_filled counts the client's frames too. */
static unsigned long silence_of_played(struct sim_pcm *pcm, unsigned long new_hw_ptr)
{
    if (new_hw_ptr == SIM_INIT_SILENCE) {
        unsigned long valid = ahead(pcm, sim_appl_ptr(pcm), sim_hw(pcm));
        pcm->silence_filled = valid > pcm->buffer_size ? 0 : valid;
        pcm->silence_start = sim_hw(pcm);
    } else {
        move_silence(pcm, sim_hw(pcm), new_hw_ptr);
    }
    return pcm->buffer_size - pcm->silence_filled;
}

void sim_silence(struct sim_pcm *pcm, unsigned long new_hw_ptr)
{
    unsigned long frames, offset;

    if (pcm->capture || pcm->silence_size == 0)
        return;
    if (pcm->silence_size < pcm->boundary)
        frames = silence_to_top_up(pcm, new_hw_ptr);
    else
        frames = silence_of_played(pcm, new_hw_ptr);
    if (frames > pcm->buffer_size) /* snd_BUG_ON */
        return;
    offset = (pcm->silence_start + pcm->silence_filled) % pcm->buffer_size;
    while (frames > 0) {
        unsigned long span = offset + frames > pcm->buffer_size ? pcm->buffer_size - offset : frames;
        sim_fill_ring_silence(pcm, offset, span);
        pcm->silence_filled += span;
        frames -= span;
        offset = 0;
    }
}

/* ---- the hardware pointer ---- */

int sim_update_state(struct sim_pcm *pcm) /* snd_pcm_update_state */
{
    unsigned long avail = sim_avail(pcm);

    if (avail > pcm->avail_max)
        pcm->avail_max = avail;
    if (pcm->state == SNDRV_PCM_STATE_DRAINING) {
        if (avail >= pcm->buffer_size) {
            struct sim_card *card = pcm->card;
            int linked = card->linked;
            card->linked = 0; /* snd_pcm_drain_done stops this stream only */
            sim_stop(pcm, SNDRV_PCM_STATE_SETUP);
            card->linked = linked;
            return -EPIPE;
        }
    } else if (avail >= pcm->stop_threshold) {
        sim_xrun(pcm);
        return -EPIPE;
    }
    sim_wake(pcm->card); /* sleepers look again whether it is enough for them */
    return 0;
}

/* Rules M4, K5: after hw_ptr, and only when the audio time moved. */
static void update_audio_tstamp(struct sim_pcm *pcm, const struct timespec *now)
{
    unsigned long long frames = pcm->hw_ptr_wrap + sim_hw(pcm);
    long long delay = pcm->card->config.delay;
    struct timespec audio;

    if (pcm->tstamp_mode != SNDRV_PCM_TSTAMP_ENABLE)
        return;
    if (pcm->audio_report_delay)
        frames += (unsigned long long)(pcm->capture ? delay : -delay);
    audio.tv_sec = (time_t)(frames / pcm->rate);
    audio.tv_nsec = (long)(frames % pcm->rate * SIM_NS / pcm->rate);
    if (pcm->status->audio_tstamp.tv_sec != audio.tv_sec || pcm->status->audio_tstamp.tv_nsec != audio.tv_nsec) {
        pcm->status->audio_tstamp.tv_sec = audio.tv_sec;
        pcm->status->audio_tstamp.tv_nsec = audio.tv_nsec;
        sim_page_tstamp(pcm, now);
    }
    sim_gettime(pcm, &pcm->driver_tstamp);
}

static unsigned long long readable(const struct sim_pcm *pcm, unsigned long long dma)
{
    unsigned long step = pcm->card->config.granularity ? pcm->card->config.granularity : pcm->period_size;
    return dma - dma % step;
}

/* snd_pcm_update_hw_ptr0. A position register tells only the place in the ring, so turns that pass between two readings
 * are lost (rule H4), as far as elapsed time does not give them away; the kernel's jiffies are here the frames moved. */
int sim_update_hw_ptr(struct sim_pcm *pcm, int in_interrupt)
{
    unsigned long old = sim_hw(pcm), base = pcm->hw_ptr_base, buffer = pcm->buffer_size, position, new;
    unsigned long long seen = readable(pcm, pcm->dma), elapsed = pcm->dma - pcm->dma_updated;
    struct timespec now;
    int crossed = 0;

    position = (unsigned long)(seen % buffer);
    sim_gettime(pcm, &now);
    if (pcm->bad_position) {
        pcm->bad_position = 0;
        position = 0; /* "invalid position": the kernel goes on with 0 (rule G3) */
    }
    new = base + position;
    if ((in_interrupt && pcm->hw_ptr_interrupt + pcm->period_size > new && elapsed > buffer / 2) || new < old) {
        base += buffer;
        if (base >= pcm->boundary) {
            base = 0;
            crossed = 1;
        }
        new = base + position;
    }
    if (pcm->no_period_wakeup && elapsed >= buffer / 2) { /* without interrupts the kernel repairs lost turns */
        long delta = (long)(new - old);
        if (delta < 0)
            delta += (long)pcm->boundary;
        while ((long long)elapsed - delta > (long long)(buffer / 2)) {
            delta += (long)buffer;
            base += buffer;
            if (base >= pcm->boundary) {
                base = 0;
                crossed = 1;
            }
            new = base + position;
        }
    }
    pcm->dma_updated = pcm->dma;
    pcm->dma_read = seen;
    if (new == old) {
        update_audio_tstamp(pcm, &now);
        return 0;
    }
    sim_silence(pcm, new);
    if (in_interrupt) {
        long delta = (long)(new - pcm->hw_ptr_interrupt);
        if (delta < 0)
            delta += (long)pcm->boundary;
        delta -= (long)((unsigned long)delta % pcm->period_size);
        pcm->hw_ptr_interrupt += (unsigned long)delta;
        if (pcm->hw_ptr_interrupt >= pcm->boundary)
            pcm->hw_ptr_interrupt -= pcm->boundary;
    }
    pcm->hw_ptr_base = base;
    sim_set_hw_ptr(pcm, new);
    if (crossed)
        pcm->hw_ptr_wrap += pcm->boundary;
    update_audio_tstamp(pcm, &now);
    return sim_update_state(pcm);
}

int sim_hwsync(struct sim_pcm *pcm) /* do_pcm_hwsync: rule D6 */
{
    switch (pcm->state) {
    case SNDRV_PCM_STATE_DRAINING:
        if (pcm->capture)
            return -EBADFD;
        return sim_update_hw_ptr(pcm, 0);
    case SNDRV_PCM_STATE_RUNNING: return sim_update_hw_ptr(pcm, 0);
    case SNDRV_PCM_STATE_PREPARED:
    case SNDRV_PCM_STATE_PAUSED: return 0;
    case SNDRV_PCM_STATE_SUSPENDED: return -ESTRPIPE;
    case SNDRV_PCM_STATE_XRUN: return -EPIPE;
    default: return -EBADFD;
    }
}
