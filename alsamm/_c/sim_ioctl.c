/* The software card's ioctls: the kernel's numbers, structs and answers (snd_pcm_common_ioctl). */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "sim_core.h"


static int info(const struct sim_pcm *pcm, struct snd_pcm_info *out)
{
    memset(out, 0, sizeof *out);
    out->card = -1; /* none that /proc/asound could name */
    out->stream = pcm->capture;
    out->subdevices_count = 1;
    snprintf((char *)out->id, sizeof out->id, "%.60s", pcm->card->config.name);
    snprintf((char *)out->name, sizeof out->name, "%.60s", pcm->card->config.name);
    snprintf((char *)out->subname, sizeof out->subname, "subdevice #0");
    return 0;
}

static long delay_of(const struct sim_pcm *pcm) /* snd_pcm_calc_delay: rule H5 */
{
    unsigned long frames = pcm->capture ? sim_avail(pcm) : (unsigned long)sim_hw_avail(pcm);
    return (long)(frames + (unsigned long)pcm->card->config.delay); /* by any appl_ptr (rule D4) */
}

/* snd_pcm_status64: rules M4, G2. */
static int status(struct sim_pcm *pcm, struct snd_pcm_status *out, int extended)
{
    unsigned int asked = extended ? out->audio_tstamp_data : 0;

    memset(out, 0, sizeof *out);
    pcm->audio_type_requested = (int)(asked & 0xf);
    pcm->audio_report_delay = (int)(asked >> 4 & 1);
    pcm->audio_report_valid = pcm->audio_type_requested != SNDRV_PCM_AUDIO_TSTAMP_TYPE_COMPAT;
    out->state = pcm->state;
    out->suspended_state = pcm->suspended_state;
    if (pcm->state == SNDRV_PCM_STATE_OPEN)
        return 0;
    out->trigger_tstamp = pcm->trigger_tstamp;
    if (sim_running(pcm)) {
        sim_update_hw_ptr(pcm, 0);
        if (pcm->tstamp_mode == SNDRV_PCM_TSTAMP_ENABLE) {
            out->tstamp.tv_sec = pcm->status->tstamp.tv_sec;
            out->tstamp.tv_nsec = (long)pcm->status->tstamp.tv_nsec;
            out->driver_tstamp = pcm->driver_tstamp;
            out->audio_tstamp.tv_sec = pcm->status->audio_tstamp.tv_sec;
            out->audio_tstamp.tv_nsec = (long)pcm->status->audio_tstamp.tv_nsec;
            if (pcm->audio_report_valid) /* valid, actual type DEFAULT, no accuracy */
                out->audio_tstamp_data = 1 | SNDRV_PCM_AUDIO_TSTAMP_TYPE_DEFAULT << 1;
        }
    } else if (pcm->tstamp_mode == SNDRV_PCM_TSTAMP_ENABLE) {
        sim_gettime(pcm, &out->tstamp);
    }
    out->appl_ptr = sim_appl_ptr(pcm);
    out->hw_ptr = sim_hw(pcm);
    out->avail = sim_avail(pcm);
    out->delay = sim_running(pcm) ? delay_of(pcm) : 0;
    out->avail_max = pcm->avail_max;
    out->overrange = pcm->overrange;
    pcm->avail_max = pcm->overrange = 0;
    return 0;
}

static int delay(struct sim_pcm *pcm, snd_pcm_sframes_t *out)
{
    int error = sim_hwsync(pcm);

    if (error == 0)
        *out = delay_of(pcm);
    return error;
}

/* snd_pcm_sync_ptr: rules D1-D9. Nothing is written back on an error, and only named fields otherwise. */
static int sync_ptr(struct sim_pcm *pcm, struct snd_pcm_sync_ptr *io)
{
    int error;

    if (io->flags & SNDRV_PCM_SYNC_PTR_HWSYNC) {
        error = sim_hwsync(pcm);
        if (error < 0)
            return error;
    }
    if (!(io->flags & SNDRV_PCM_SYNC_PTR_APPL)) {
        error = sim_apply_appl_ptr(pcm, io->c.control.appl_ptr);
        if (error < 0)
            return error;
    }
    if (!(io->flags & SNDRV_PCM_SYNC_PTR_AVAIL_MIN))
        __atomic_store_n(&pcm->control->avail_min, io->c.control.avail_min, __ATOMIC_RELAXED);
    io->c.control.appl_ptr = sim_appl_ptr(pcm);
    io->c.control.avail_min = pcm->control->avail_min;
    io->s.status.state = pcm->status->state;
    io->s.status.hw_ptr = pcm->status->hw_ptr;
    io->s.status.tstamp.tv_sec = pcm->status->tstamp.tv_sec;
    io->s.status.tstamp.tv_nsec = pcm->status->tstamp.tv_nsec;
    io->s.status.suspended_state = pcm->status->suspended_state;
    io->s.status.audio_tstamp.tv_sec = pcm->status->audio_tstamp.tv_sec;
    io->s.status.audio_tstamp.tv_nsec = pcm->status->audio_tstamp.tv_nsec;
    return 0;
}

/* snd_pcm_rewind, snd_pcm_forward: rule E7. */
static int shift(struct sim_pcm *pcm, snd_pcm_uframes_t *io, int back)
{
    unsigned long frames = *io, appl_ptr;
    long most;
    int error;

    *io = 0;
    if (frames == 0)
        return 0;
    error = sim_hwsync(pcm);
    if (error < 0) {
        *io = (snd_pcm_uframes_t)(long)error;
        return error;
    }
    most = !back ? (long)sim_avail(pcm) : sim_hw_avail(pcm);
    if (most <= 0)
        return 0;
    if (frames > (unsigned long)most)
        frames = (unsigned long)most;
    appl_ptr = sim_appl_ptr(pcm);
    if (back)
        appl_ptr = appl_ptr >= frames ? appl_ptr - frames : appl_ptr + pcm->boundary - frames;
    else
        appl_ptr = appl_ptr + frames >= pcm->boundary ? appl_ptr + frames - pcm->boundary : appl_ptr + frames;
    error = sim_apply_appl_ptr(pcm, appl_ptr);
    if (error < 0)
        return back ? 0 : error; /* "PulseAudio gets depressed", says the kernel */
    *io = frames;
    return 0;
}

static int link_with(struct sim_pcm *pcm, int fd)
{
    struct sim_pcm *other = sim_find(fd);
    int error = 0;

    if (!other)
        return -EBADFD;
    if (other == pcm)
        error = -EINVAL;
    else if (other->card != pcm->card || other->memfd < 0) /* across cards the kernel can, this card cannot */
        error = -EBADFD;
    else if (pcm->state == SNDRV_PCM_STATE_OPEN || pcm->state != other->state)
        error = -EBADFD;
    else if (pcm->card->linked)
        error = -EALREADY;
    else
        pcm->card->linked = 1;
    sim_put(other);
    return error;
}

static int unlink_all(struct sim_pcm *pcm)
{
    if (!pcm->card->linked)
        return -EALREADY;
    pcm->card->linked = 0;
    return 0;
}

static int ttstamp(struct sim_pcm *pcm, int type)
{
    if (type < 0 || type > SNDRV_PCM_TSTAMP_TYPE_LAST)
        return -EINVAL;
    pcm->tstamp_type = type;
    return 0;
}

static int transfer_one(struct sim_pcm *pcm, struct snd_xferi *io)
{
    long result;
    int error = sim_transfer(pcm, io->buf, NULL, io->frames, &result);

    io->result = result;
    return error;
}

static int transfer_many(struct sim_pcm *pcm, struct snd_xfern *io)
{
    void *channels[128];
    long result;
    int error;

    if (pcm->state == SNDRV_PCM_STATE_OPEN)
        return -EBADFD;
    if (pcm->channels > 128)
        return -EINVAL;
    memcpy(channels, io->bufs, pcm->channels * sizeof *channels);
    error = sim_transfer(pcm, NULL, channels, io->frames, &result);
    io->result = result;
    return error;
}

static int is_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && (flags & O_NONBLOCK);
}

static int dispatch(struct sim_pcm *pcm, int fd, unsigned long request, void *argument)
{
    switch (request) {
    case SNDRV_PCM_IOCTL_PVERSION: *(int *)argument = SNDRV_PCM_VERSION; return 0;
    case SNDRV_PCM_IOCTL_INFO: return info(pcm, argument);
    case SNDRV_PCM_IOCTL_TTSTAMP: return ttstamp(pcm, *(int *)argument);
    case SNDRV_PCM_IOCTL_USER_PVERSION: pcm->user_pversion = *(int *)argument; return 0;
    case SNDRV_PCM_IOCTL_HW_REFINE: return sim_do_hw_refine(pcm, argument);
    case SNDRV_PCM_IOCTL_HW_PARAMS: return sim_do_hw_params(pcm, argument);
    case SNDRV_PCM_IOCTL_HW_FREE: return sim_do_hw_free(pcm);
    case SNDRV_PCM_IOCTL_SW_PARAMS: return sim_do_sw_params(pcm, argument);
    case SNDRV_PCM_IOCTL_STATUS: return status(pcm, argument, 0);
    case SNDRV_PCM_IOCTL_STATUS_EXT: return status(pcm, argument, 1);
    case SNDRV_PCM_IOCTL_DELAY: return delay(pcm, argument);
    case SNDRV_PCM_IOCTL_HWSYNC: return sim_hwsync(pcm);
    case SNDRV_PCM_IOCTL_SYNC_PTR: return sync_ptr(pcm, argument);
    case SNDRV_PCM_IOCTL_CHANNEL_INFO: return sim_do_channel_info(pcm, argument);
    case SNDRV_PCM_IOCTL_PREPARE: return sim_prepare(pcm, is_nonblocking(fd));
    case SNDRV_PCM_IOCTL_RESET: return sim_reset(pcm);
    case SNDRV_PCM_IOCTL_START: return sim_start(pcm);
    case SNDRV_PCM_IOCTL_DROP:
        if (pcm->state == SNDRV_PCM_STATE_OPEN)
            return -EBADFD;
        sim_stop(pcm, SNDRV_PCM_STATE_SETUP);
        return 0;
    case SNDRV_PCM_IOCTL_DRAIN: return sim_drain(pcm, is_nonblocking(fd));
    case SNDRV_PCM_IOCTL_PAUSE: return sim_pause(pcm, argument != NULL);
    case SNDRV_PCM_IOCTL_REWIND: return shift(pcm, argument, 1);
    case SNDRV_PCM_IOCTL_FORWARD: return shift(pcm, argument, 0);
    /* The kernel would sleep here until the card has power again (rule A6); a test's only thread must not. */
    case SNDRV_PCM_IOCTL_RESUME: return pcm->card->powered_off ? -EAGAIN : sim_resume(pcm);
    case SNDRV_PCM_IOCTL_XRUN:
        if (pcm->state == SNDRV_PCM_STATE_RUNNING)
            sim_xrun(pcm);
        return pcm->state == SNDRV_PCM_STATE_XRUN ? 0 : -EBADFD;
    case SNDRV_PCM_IOCTL_LINK: return link_with(pcm, (int)(intptr_t)argument);
    case SNDRV_PCM_IOCTL_UNLINK: return unlink_all(pcm);
    case SNDRV_PCM_IOCTL_WRITEI_FRAMES: return pcm->capture ? -EINVAL : transfer_one(pcm, argument);
    case SNDRV_PCM_IOCTL_READI_FRAMES: return pcm->capture ? transfer_one(pcm, argument) : -EINVAL;
    case SNDRV_PCM_IOCTL_WRITEN_FRAMES: return pcm->capture ? -EINVAL : transfer_many(pcm, argument);
    case SNDRV_PCM_IOCTL_READN_FRAMES: return pcm->capture ? transfer_many(pcm, argument) : -EINVAL;
    default: return -ENOTTY;
    }
}

int sim_ioctl(struct sim_pcm *pcm, int fd, unsigned long request, void *argument)
{
    int error = sim_enter(pcm->card);

    if (error < 0)
        return error;
    sim_catch_up(pcm->card);
    error = pcm->memfd < 0 || pcm->shutdown ? -ENODEV : dispatch(pcm, fd, request, argument);
    sim_refresh_event(pcm);
    sim_unlock(pcm->card);
    return error;
}

int sim_call(struct sim_pcm *pcm, int fd, enum sim_call call, void *argument)
{
    static const unsigned long requests[] = {
        [SIM_CALL_HW_PARAMS] = SNDRV_PCM_IOCTL_HW_PARAMS, [SIM_CALL_HW_FREE] = SNDRV_PCM_IOCTL_HW_FREE,
        [SIM_CALL_SW_PARAMS] = SNDRV_PCM_IOCTL_SW_PARAMS, [SIM_CALL_PREPARE] = SNDRV_PCM_IOCTL_PREPARE,
        [SIM_CALL_START] = SNDRV_PCM_IOCTL_START, [SIM_CALL_DROP] = SNDRV_PCM_IOCTL_DROP,
        [SIM_CALL_DRAIN] = SNDRV_PCM_IOCTL_DRAIN, [SIM_CALL_PAUSE] = SNDRV_PCM_IOCTL_PAUSE,
        [SIM_CALL_RESUME] = SNDRV_PCM_IOCTL_RESUME, [SIM_CALL_DELAY] = SNDRV_PCM_IOCTL_DELAY,
    };
    return sim_ioctl(pcm, fd, requests[call], argument);
}

int sim_hw_ptr(struct sim_pcm *pcm, int fd, unsigned long *out)
{
    struct snd_pcm_sync_ptr sync;
    int error;

    memset(&sync, 0, sizeof sync);
    sync.flags = SNDRV_PCM_SYNC_PTR_HWSYNC | SNDRV_PCM_SYNC_PTR_APPL | SNDRV_PCM_SYNC_PTR_AVAIL_MIN;
    error = sim_ioctl(pcm, fd, SNDRV_PCM_IOCTL_SYNC_PTR, &sync);
    *out = sync.s.status.hw_ptr;
    return error;
}
