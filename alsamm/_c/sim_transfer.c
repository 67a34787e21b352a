/* The RW accesses: the kernel copies (__snd_pcm_lib_xfer), and here start_threshold starts the stream (rule G6). */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>

#include "sim_core.h"

#define WAIT_NS (10 * SIM_NS) /* wait_for_avail gives up after 10 s */

/* pcm_lib_apply_appl_ptr: rule D4. Nothing holds appl_ptr against avail. */
int sim_apply_appl_ptr(struct sim_pcm *pcm, unsigned long appl_ptr)
{
    unsigned long old = sim_appl_ptr(pcm);
    long forward = (long)(appl_ptr - old);

    if (old == appl_ptr)
        return 0;
    if (appl_ptr >= pcm->boundary)
        return -EINVAL;
    if (forward < 0)
        forward += (long)pcm->boundary;
    if ((pcm->info & SNDRV_PCM_INFO_NO_REWINDS) && (unsigned long)forward > pcm->buffer_size)
        return -EINVAL;
    __atomic_store_n(&pcm->control->appl_ptr, appl_ptr, __ATOMIC_RELEASE);
    return 0;
}

static int accessible(const struct sim_pcm *pcm) /* pcm_accessible_state */
{
    switch (pcm->state) {
    case SNDRV_PCM_STATE_PREPARED:
    case SNDRV_PCM_STATE_RUNNING:
    case SNDRV_PCM_STATE_PAUSED: return 0;
    case SNDRV_PCM_STATE_XRUN: return -EPIPE;
    case SNDRV_PCM_STATE_SUSPENDED: return -ESTRPIPE;
    default: return -EBADFD;
    }
}

/* wait_for_avail; *avail 0 without an error: a draining capture. */
static int wait_for(struct sim_pcm *pcm, unsigned long wanted, unsigned long *avail)
{
    long long left = pcm->no_period_wakeup ? -1 : WAIT_NS;

    for (;;) {
        int error;

        *avail = sim_avail(pcm);
        if (*avail >= wanted)
            return 0;
        error = sim_sleep(pcm, &left);
        if (pcm->memfd < 0 || pcm->shutdown)
            return -ENODEV;
        if (error == -EINTR)
            return -EINTR;
        switch (pcm->state) {
        case SNDRV_PCM_STATE_SUSPENDED: return -ESTRPIPE;
        case SNDRV_PCM_STATE_XRUN: return -EPIPE;
        case SNDRV_PCM_STATE_DRAINING:
            *avail = 0;
            return pcm->capture ? 0 : -EPIPE;
        case SNDRV_PCM_STATE_RUNNING:
        case SNDRV_PCM_STATE_PREPARED: break;
        case SNDRV_PCM_STATE_PAUSED: continue;
        default: return -EBADFD;
        }
        if (error == -ETIMEDOUT)
            return -EIO;
    }
}

/* Samples of channel c of the ring's frame `at` on, to or from the client's block. */
static void copy_span(struct sim_pcm *pcm, unsigned long at, unsigned long frames, char *block, void **channels)
{
    if (block) {
        if (pcm->capture)
            sim_gather(pcm, at, frames, block);
        else
            sim_scatter(pcm, at, frames, block);
        return;
    }
    for (unsigned int c = 0; c < pcm->channels; c++) {
        unsigned long offset, first, step;
        char *ring, *samples = channels[c];

        sim_channel_place(pcm, c, &offset, &first, &step);
        ring = pcm->data + offset + first / 8 + at * (step / 8);
        if (samples && pcm->capture)
            memcpy(samples, ring, frames * pcm->sample_bytes);
        else if (samples)
            memcpy(ring, samples, frames * pcm->sample_bytes);
        else if (!pcm->capture)
            sim_fill_silence(ring, pcm->format, frames);
    }
}

static int copy_some(struct sim_pcm *pcm, unsigned long frames, char *block, void **channels)
{
    unsigned long appl_ptr = sim_appl_ptr(pcm);

    copy_span(pcm, appl_ptr % pcm->buffer_size, frames, block, channels);
    appl_ptr += frames;
    if (appl_ptr >= pcm->boundary)
        appl_ptr -= pcm->boundary;
    return sim_apply_appl_ptr(pcm, appl_ptr);
}

static int transfer(struct sim_pcm *pcm, char *block, void **channels, unsigned long size, unsigned long *done)
{
    unsigned long avail, most = pcm->control->avail_min ? pcm->control->avail_min : 1;
    int error = accessible(pcm);

    if (error < 0)
        return error;
    if (pcm->state == SNDRV_PCM_STATE_RUNNING)
        sim_update_hw_ptr(pcm, 0);
    if (pcm->capture && pcm->state == SNDRV_PCM_STATE_PREPARED && size >= pcm->start_threshold) {
        error = sim_start(pcm);
        if (error < 0)
            return error;
    }
    avail = sim_avail(pcm);
    while (size > 0) {
        unsigned long frames, room;

        if (!avail) {
            if (pcm->capture && pcm->state == SNDRV_PCM_STATE_DRAINING) {
                sim_stop(pcm, SNDRV_PCM_STATE_SETUP);
                return 0;
            }
            if (pcm->nonblock)
                return -EAGAIN;
            error = wait_for(pcm, size < most ? size : most, &avail);
            if (error < 0)
                return error;
            if (!avail)
                continue;
        }
        frames = size < avail ? size : avail;
        room = pcm->buffer_size - sim_appl_ptr(pcm) % pcm->buffer_size;
        frames = frames < room ? frames : room;
        error = copy_some(pcm, frames, block, channels);
        if (error < 0)
            return error;
        error = accessible(pcm);
        if (error < 0)
            return error;
        if (block)
            block += frames * pcm->frame_bytes;
        for (unsigned int c = 0; channels && c < pcm->channels; c++)
            if (channels[c])
                channels[c] = (char *)channels[c] + frames * pcm->sample_bytes;
        size -= frames;
        avail -= frames;
        *done += frames;
        if (!pcm->capture && pcm->state == SNDRV_PCM_STATE_PREPARED &&
            sim_hw_avail(pcm) >= (long)pcm->start_threshold) {
            error = sim_start(pcm);
            if (error < 0)
                return error;
        }
    }
    return 0;
}

/* One of block and channels is given; `channels` is moved on. */
int sim_transfer(struct sim_pcm *pcm, void *block, void **channels, unsigned long frames, long *result)
{
    unsigned long done = 0;
    int error;

    *result = 0;
    if (pcm->state == SNDRV_PCM_STATE_OPEN)
        return -EBADFD;
    *result = -EINVAL;
    if (channels ? pcm->access != SNDRV_PCM_ACCESS_RW_NONINTERLEAVED
                 : pcm->access != SNDRV_PCM_ACCESS_RW_INTERLEAVED && pcm->channels > 1)
        return -EINVAL; /* rule G7 */
    *result = 0;
    if (frames == 0)
        return 0;
    error = transfer(pcm, block, channels, frames, &done);
    if (done > 0 && error >= 0 && pcm->memfd >= 0)
        sim_update_state(pcm);
    *result = done > 0 ? (long)done : error;
    return done > 0 ? 0 : error;
}
