/* The software card's state machine: actions on a substream and the one linked to it (rule G). Follows the action_ops of
 * sound/core/pcm_native.c; all of it runs with the card's lock held. */
#define _GNU_SOURCE
#include <errno.h>

#include "sim_core.h"

int sim_group(struct sim_pcm *pcm, struct sim_pcm *members[2])
{
    members[0] = pcm;
    members[1] = pcm->card->linked ? pcm->card->pcm[!pcm->capture] : NULL;
    return members[1] ? 2 : 1;
}

static void set_appl_ptr(struct sim_pcm *pcm, unsigned long appl_ptr)
{
    __atomic_store_n(&pcm->control->appl_ptr, appl_ptr, __ATOMIC_RELEASE);
}

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
    sim_silence(pcm, SIM_INIT_SILENCE);
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

void sim_xrun(struct sim_pcm *pcm) /* __snd_pcm_xrun */
{
    pcm->card->xruns[pcm->capture]++;
    if (pcm->tstamp_mode == SNDRV_PCM_TSTAMP_ENABLE) {
        struct timespec now;
        sim_gettime(pcm, &now);
        sim_page_tstamp(pcm, &now);
    }
    sim_stop(pcm, SNDRV_PCM_STATE_XRUN);
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
        sim_set_hw_ptr(pcm, sim_hw(pcm) % pcm->buffer_size);
    } else {
        sim_set_hw_ptr(pcm, 0);
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
        sim_silence(members[i], SIM_INIT_SILENCE);
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
