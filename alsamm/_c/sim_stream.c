/* The software card's kernel: how pointers and states move. Follows sound/core/pcm_lib.c and the actions of
 * sound/core/pcm_native.c function by function; all of it runs with the card's lock held. */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>

#include "sim_core.h"

#define INIT_SILENCE ULONG_MAX

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

    clock_gettime(clocks[pcm->tstamp_type], out);
}

void sim_set_state(struct sim_pcm *pcm, int state)
{
    pcm->state = state;
    __atomic_store_n(&pcm->status->state, state, __ATOMIC_RELEASE);
}

static void set_hw_ptr(struct sim_pcm *pcm, unsigned long hw_ptr)
{
    __atomic_store_n(&pcm->status->hw_ptr, hw_ptr, __ATOMIC_RELEASE);
}

static void set_appl_ptr(struct sim_pcm *pcm, unsigned long appl_ptr)
{
    __atomic_store_n(&pcm->control->appl_ptr, appl_ptr, __ATOMIC_RELEASE);
}

static void page_tstamp(struct sim_pcm *pcm, const struct timespec *now)
{
    pcm->status->tstamp.tv_sec = now->tv_sec;
    pcm->status->tstamp.tv_nsec = now->tv_nsec;
}

int sim_group(struct sim_pcm *pcm, struct sim_pcm *members[2])
{
    members[0] = pcm;
    members[1] = pcm->card->linked ? pcm->card->pcm[!pcm->capture] : NULL;
    return members[1] ? 2 : 1;
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
    distance = ahead(pcm, appl_ptr, new_hw_ptr == INIT_SILENCE ? sim_hw(pcm) : new_hw_ptr) + pcm->silence_filled;
    if (distance >= pcm->silence_threshold)
        return 0;
    distance = pcm->silence_threshold - distance;
    return distance < pcm->silence_size ? distance : pcm->silence_size;
}

/* Free-running mode: what was played is silenced at once; silence_filled counts the client's frames too. */
static unsigned long silence_of_played(struct sim_pcm *pcm, unsigned long new_hw_ptr)
{
    if (new_hw_ptr == INIT_SILENCE) {
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

void sim_xrun(struct sim_pcm *pcm) /* __snd_pcm_xrun */
{
    pcm->xruns++;
    if (pcm->tstamp_mode == SNDRV_PCM_TSTAMP_ENABLE) {
        struct timespec now;
        sim_gettime(pcm, &now);
        page_tstamp(pcm, &now);
    }
    sim_stop(pcm, SNDRV_PCM_STATE_XRUN);
}

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
        page_tstamp(pcm, now);
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
    set_hw_ptr(pcm, new);
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

/* ---- actions on a substream and those linked to it: rule G ---- */

static void trigger_time(struct sim_pcm *pcm)
{
    sim_gettime(pcm, &pcm->trigger_tstamp);
}

static void post_start(struct sim_pcm *pcm, int state)
{
    trigger_time(pcm);
    sim_stamp_tick(pcm);
    pcm->dma_updated = pcm->dma;
    sim_set_state(pcm, state);
    sim_silence(pcm, INIT_SILENCE);
    sim_kick(pcm->card);
}

static int has_data(const struct sim_pcm *pcm) /* snd_pcm_playback_data: rule G4 */
{
    return pcm->capture || pcm->stop_threshold >= pcm->boundary || sim_avail(pcm) < pcm->buffer_size;
}

int sim_start(struct sim_pcm *pcm)
{
    struct sim_pcm *members[2];
    int count = sim_group(pcm, members);

    for (int i = 0; i < count; i++) {
        if (members[i]->state != SNDRV_PCM_STATE_PREPARED)
            return -EBADFD;
        if (!has_data(members[i]))
            return -EPIPE;
    }
    for (int i = 0; i < count; i++)
        post_start(members[i], SNDRV_PCM_STATE_RUNNING);
    return 0;
}

static void stop_one(struct sim_pcm *pcm, int state)
{
    if (pcm->state != state) {
        trigger_time(pcm);
        sim_set_state(pcm, state);
    }
}

void sim_stop(struct sim_pcm *pcm, int state)
{
    struct sim_pcm *members[2];
    int count = sim_group(pcm, members);

    for (int i = 0; i < count; i++)
        if (members[i]->state == SNDRV_PCM_STATE_OPEN)
            return; /* snd_pcm_pre_stop refuses for all */
    for (int i = 0; i < count; i++)
        stop_one(members[i], state);
    sim_wake(pcm->card);
}

int sim_pause(struct sim_pcm *pcm, int push)
{
    struct sim_pcm *members[2];
    int count = sim_group(pcm, members);

    for (int i = 0; i < count; i++) {
        if (!(members[i]->info & SNDRV_PCM_INFO_PAUSE))
            return -ENOSYS;
        if (members[i]->state != (push ? SNDRV_PCM_STATE_RUNNING : SNDRV_PCM_STATE_PAUSED))
            return -EBADFD;
    }
    for (int i = 0; i < count; i++) {
        trigger_time(members[i]);
        sim_stamp_tick(members[i]);
        sim_set_state(members[i], push ? SNDRV_PCM_STATE_PAUSED : SNDRV_PCM_STATE_RUNNING);
    }
    sim_kick(pcm->card);
    return 0;
}

/* do_reset: a stream that runs keeps its place in the ring, one that does not begins at 0 (snd_pcm_lib_ioctl_reset). */
static void reset_hw(struct sim_pcm *pcm)
{
    if (sim_running(pcm) && sim_update_hw_ptr(pcm, 0) >= 0) {
        set_hw_ptr(pcm, sim_hw(pcm) % pcm->buffer_size);
    } else {
        set_hw_ptr(pcm, 0);
        pcm->hw_ptr_wrap = 0;
    }
    pcm->hw_ptr_base = 0;
    pcm->hw_ptr_interrupt = sim_hw(pcm) - sim_hw(pcm) % pcm->period_size;
    pcm->silence_start = sim_hw(pcm);
    pcm->silence_filled = 0;
}

int sim_reset(struct sim_pcm *pcm)
{
    struct sim_pcm *members[2];
    int count = sim_group(pcm, members);

    for (int i = 0; i < count; i++)
        switch (members[i]->state) {
        case SNDRV_PCM_STATE_RUNNING:
        case SNDRV_PCM_STATE_PREPARED:
        case SNDRV_PCM_STATE_PAUSED:
        case SNDRV_PCM_STATE_SUSPENDED: break;
        default: return -EBADFD;
        }
    for (int i = 0; i < count; i++) {
        reset_hw(members[i]);
        set_appl_ptr(members[i], sim_hw(members[i]));
        sim_silence(members[i], INIT_SILENCE);
    }
    return 0;
}

int sim_prepare(struct sim_pcm *pcm, int nonblock)
{
    struct sim_pcm *members[2];
    int count = sim_group(pcm, members);

    if (pcm->state == SNDRV_PCM_STATE_PAUSED || pcm->state == SNDRV_PCM_STATE_SUSPENDED)
        sim_stop(pcm, SNDRV_PCM_STATE_SETUP);
    for (int i = 0; i < count; i++) {
        if (members[i]->state == SNDRV_PCM_STATE_OPEN || members[i]->state == SNDRV_PCM_STATE_DISCONNECTED)
            return -EBADFD;
        if (sim_running(members[i]))
            return -EBUSY;
        members[i]->nonblock = nonblock;
    }
    for (int i = 0; i < count; i++) {
        members[i]->dma = members[i]->dma_updated = members[i]->dma_read = 0;
        reset_hw(members[i]);
        set_appl_ptr(members[i], sim_hw(members[i]));
        sim_set_state(members[i], SNDRV_PCM_STATE_PREPARED);
    }
    return 0;
}

static void drain_init(struct sim_pcm *pcm)
{
    if (pcm->capture) {
        if (pcm->state == SNDRV_PCM_STATE_RUNNING)
            stop_one(pcm, sim_avail(pcm) > 0 ? SNDRV_PCM_STATE_DRAINING : SNDRV_PCM_STATE_SETUP);
        return;
    }
    switch (pcm->state) {
    case SNDRV_PCM_STATE_PREPARED:
        if (sim_avail(pcm) < pcm->buffer_size)
            post_start(pcm, SNDRV_PCM_STATE_DRAINING);
        else
            sim_set_state(pcm, SNDRV_PCM_STATE_SETUP);
        break;
    case SNDRV_PCM_STATE_RUNNING: sim_set_state(pcm, SNDRV_PCM_STATE_DRAINING); break;
    case SNDRV_PCM_STATE_XRUN: sim_set_state(pcm, SNDRV_PCM_STATE_SETUP); break;
    default: break;
    }
}

static struct sim_pcm *still_draining(struct sim_pcm *pcm)
{
    struct sim_pcm *members[2];
    int count = sim_group(pcm, members);

    for (int i = 0; i < count; i++)
        if (!members[i]->capture && members[i]->state == SNDRV_PCM_STATE_DRAINING)
            return members[i];
    return NULL;
}

/* snd_pcm_drain: rules G (drain), J3, J4, H6. */
int sim_drain(struct sim_pcm *pcm, int nonblock)
{
    struct sim_pcm *members[2], *busy;
    int count = sim_group(pcm, members), error;

    if (pcm->state == SNDRV_PCM_STATE_OPEN)
        return -EBADFD;
    if (pcm->state == SNDRV_PCM_STATE_PAUSED)
        sim_pause(pcm, 0);
    for (int i = 0; i < count; i++)
        if (members[i]->state == SNDRV_PCM_STATE_OPEN || members[i]->state == SNDRV_PCM_STATE_DISCONNECTED ||
            members[i]->state == SNDRV_PCM_STATE_SUSPENDED)
            return -EBADFD;
    for (int i = 0; i < count; i++)
        drain_init(members[i]);
    sim_wake(pcm->card);
    if (nonblock)
        return -EAGAIN;
    while ((busy = still_draining(pcm)) != NULL) {
        long long left = (long long)(busy->buffer_size * 1100 / busy->rate);
        left = busy->no_period_wakeup ? -1 : (left > 100 ? left : 100) * 1000000LL;
        error = sim_sleep(busy, &left);
        if (pcm->memfd < 0 || pcm->shutdown)
            return -ENODEV;
        if (error == -EINTR)
            return -EINTR;
        if (error == -ETIMEDOUT) {
            if (pcm->state == SNDRV_PCM_STATE_SUSPENDED)
                return -ESTRPIPE;
            sim_stop(pcm, SNDRV_PCM_STATE_SETUP);
            return -EIO;
        }
    }
    return 0;
}

/* What the kernel does to a stream when the system goes to sleep; -EBUSY: nothing there to suspend. */
int sim_suspend(struct sim_pcm *pcm)
{
    struct sim_pcm *members[2];
    int count = sim_group(pcm, members);

    for (int i = 0; i < count; i++)
        switch (members[i]->state) {
        case SNDRV_PCM_STATE_SUSPENDED:
        case SNDRV_PCM_STATE_OPEN:
        case SNDRV_PCM_STATE_SETUP:
        case SNDRV_PCM_STATE_DISCONNECTED: return -EBUSY;
        default: break;
        }
    for (int i = 0; i < count; i++) {
        trigger_time(members[i]);
        members[i]->suspended_state = members[i]->state;
        members[i]->status->suspended_state = members[i]->state;
        sim_set_state(members[i], SNDRV_PCM_STATE_SUSPENDED);
    }
    sim_wake(pcm->card);
    return 0;
}

int sim_resume(struct sim_pcm *pcm)
{
    struct sim_pcm *members[2];
    int count = sim_group(pcm, members);

    for (int i = 0; i < count; i++) {
        if (members[i]->state != SNDRV_PCM_STATE_SUSPENDED)
            return -EBADFD;
        if (!(members[i]->info & SNDRV_PCM_INFO_RESUME))
            return -ENOSYS;
    }
    for (int i = 0; i < count; i++) {
        trigger_time(members[i]);
        sim_stamp_tick(members[i]);
        sim_set_state(members[i], members[i]->suspended_state);
    }
    sim_kick(pcm->card);
    return 0;
}
