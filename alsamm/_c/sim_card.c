/* A software card as its maker sees it: made, fed, listened to, broken on demand and closed. */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sim_core.h"

/* Of what HW_PARAMS holds against it, so that nothing is divided by zero; and of what is reckoned with, so that nothing
 * overflows. The rest only says what cannot be configured. */
static int can_be(const struct sim_config *config)
{
    if (!sim_speed_can_be(config->speed) || config->rate_count > SIM_RATES || config->channels_min == 0 ||
        config->channels_max > 128 || config->delay < 0 || config->delay > INT_MAX || config->boundary > LONG_MAX)
        return 0;
    for (unsigned int i = 0; i < config->rate_count; i++)
        if (config->rates[i] == 0)
            return 0;
    return config->rate_count > 0 || config->rate_min > 0;
}

int sim_card_new(const struct sim_config *config, struct sim_card **out)
{
    struct sim_card *card;
    int error;

    if (!can_be(config))
        return -EINVAL;
    card = calloc(1, sizeof *card);
    if (!card)
        return -ENOMEM;
    card->scratch = malloc(SIM_SCRATCH);
    pthread_mutex_init(&card->lock, NULL);
    card->config = *config;
    card->config.name[sizeof card->config.name - 1] = 0;
    card->speed = config->speed;
    card->tape.fd = card->feed_fd = -1;
    card->generation = atomic_load(&sim_generation);
    card->references = 1;
    error = card->scratch ? sim_thread_start(card) : -ENOMEM;
    if (error < 0) {
        free(card->scratch);
        free(card);
        return error;
    }
    *out = card;
    return 0;
}

/* What clients hold goes on answering, as an unplugged card. */
int sim_card_close(struct sim_card *card)
{
    if (sim_enter(card) < 0)
        return 0;
    if (card->closed) {
        sim_unlock(card);
        return 0;
    }
    sim_catch_up(card);
    card->closed = 1;
    for (int i = 0; i < 2; i++)
        if (card->pcm[i])
            sim_finish(card->pcm[i], SNDRV_PCM_STATE_DISCONNECTED);
    sim_unlock(card);
    sim_thread_stop(card);
    sim_lock(card);
    free(card->scratch);
    card->scratch = NULL;
    sim_close_fd(&card->tape.fd);
    sim_close_fd(&card->feed_fd);
    sim_unlock(card);
    return 0;
}

/* Its maker's last call, of all that has `card`: snd_card_free_when_closed. */
void sim_card_free(struct sim_card *card)
{
    sim_card_close(card);
    sim_card_put(card);
}

const struct sim_config *sim_config_of(const struct sim_pcm *pcm)
{
    return &pcm->card->config;
}

/* ---- time ---- */

int sim_advance(struct sim_card *card, unsigned long long frames)
{
    int error = sim_enter(card);

    if (error < 0)
        return error;
    if (card->closed)
        error = -ENODEV;
    else if (card->config.clock == SIM_CLOCK_REALTIME)
        error = -EINVAL;
    else if (sim_too_far(card, frames))
        error = -EOVERFLOW;
    else
        sim_run(card, frames);
    sim_unlock(card);
    return error;
}

int sim_next_interrupt(struct sim_card *card, unsigned long *out)
{
    int error = sim_enter(card);

    if (error < 0)
        return error;
    *out = sim_to_interrupt(card);
    sim_unlock(card);
    return 0;
}

int sim_time_of(struct sim_card *card, long long *out)
{
    int error = sim_enter(card);

    if (error < 0)
        return error;
    *out = sim_time(card);
    sim_unlock(card);
    return 0;
}

void sim_now(struct sim_pcm *pcm, long long *ns)
{
    sim_time_of(pcm->card, ns);
}

int sim_set_speed(struct sim_card *card, double speed)
{
    int error = sim_speed_can_be(speed) ? sim_enter(card) : -EINVAL;

    if (error < 0)
        return error;
    sim_catch_up(card);
    sim_rebase(card);
    card->speed = speed;
    sim_kick(card);
    sim_unlock(card);
    return 0;
}

/* ---- sound in and out ---- */

void sim_tape_restart(struct sim_pcm *pcm)
{
    struct sim_tape *tape = &pcm->card->tape;

    if (pcm->capture || !pcm->card->config.record)
        return;
    if (tape->fd < 0)
        tape->fd = memfd_create("alsamm-played", MFD_CLOEXEC);
    if (tape->fd >= 0 && ftruncate(tape->fd, 0) < 0)
        sim_close_fd(&tape->fd);
    tape->format = pcm->format;
    tape->channels = pcm->channels;
    tape->rate = pcm->rate;
    tape->bytes = tape->lost = 0;
}

int sim_tape_of(struct sim_card *card, struct sim_tape *out)
{
    int error = sim_enter(card);

    if (error < 0)
        return error;
    sim_catch_up(card);
    *out = card->tape;
    error = card->closed ? -ENODEV : 0;
    sim_unlock(card);
    return error;
}

static int append(int fd, const char *bytes, size_t count, long long at)
{
    while (count > 0) {
        ssize_t done = pwrite(fd, bytes, count, (off_t)at);
        if (done < 0)
            return -errno;
        bytes += done;
        at += done;
        count -= (size_t)done;
    }
    return 0;
}

int sim_feed(struct sim_card *card, const void *frames, size_t bytes)
{
    int error = sim_enter(card);

    if (error < 0)
        return error;
    sim_catch_up(card); /* what was captured until now was silence */
    if (card->closed)
        error = -ENODEV;
    if (!error && card->feed_fd < 0) {
        card->feed_fd = memfd_create("alsamm-feed", MFD_CLOEXEC);
        error = card->feed_fd < 0 ? -errno : 0;
    }
    if (!error)
        error = append(card->feed_fd, frames, bytes, card->feed_end);
    if (!error)
        card->feed_end += (long long)bytes;
    sim_unlock(card);
    return error;
}

/* ---- faults ---- */

static void unplug(struct sim_card *card) /* snd_pcm_dev_disconnect */
{
    sim_rebase(card);
    card->unplugged = 1;
    for (int i = 0; i < 2; i++)
        if (card->pcm[i]) {
            if (sim_running(card->pcm[i]))
                sim_stop(card->pcm[i], SNDRV_PCM_STATE_DISCONNECTED);
            sim_set_state(card->pcm[i], SNDRV_PCM_STATE_DISCONNECTED);
            card->pcm[i]->shutdown = 1;
        }
    sim_kick(card);
    for (int i = 0; i < 2; i++)
        if (card->pcm[i])
            sim_refresh_event(card->pcm[i]);
}

/* A new card at the old place: who holds the old one goes on holding a dead one. */
static void replug(struct sim_card *card)
{
    for (int i = 0; i < 2; i++)
        if (card->pcm[i] && card->pcm[i]->shutdown)
            sim_finish(card->pcm[i], SNDRV_PCM_STATE_DISCONNECTED);
    sim_rebase(card);
    card->unplugged = 0;
}

static void set_power(struct sim_card *card, int off)
{
    for (int i = 0; off && i < 2; i++)
        if (card->pcm[i])
            sim_suspend(card->pcm[i]);
    sim_rebase(card);
    card->powered_off = off;
    sim_kick(card);
}

static int on_pcm(struct sim_pcm *pcm, enum sim_fault fault, long value)
{
    if (!pcm)
        return -ENODEV;
    if (fault == SIM_FAULT_XRUN && !sim_running(pcm))
        return -EBADFD;
    if (fault == SIM_FAULT_XRUN)
        sim_xrun(pcm);
    else if (fault == SIM_FAULT_LATE)
        pcm->late = value;
    else
        pcm->bad_position = 1;
    return 0;
}

int sim_fault(struct sim_card *card, enum sim_fault fault, int capture, long value)
{
    int error = sim_enter(card);

    something_moved();
    if (error < 0)
        return error;
    sim_catch_up(card);
    capture = capture != 0;
    if (card->closed)
        error = -ENODEV;
    else
        switch (fault) {
        case SIM_FAULT_XRUN:
        case SIM_FAULT_LATE:
        case SIM_FAULT_POSITION: error = on_pcm(card->pcm[capture], fault, value); break;
        case SIM_FAULT_UNPLUG: unplug(card); break;
        case SIM_FAULT_REPLUG: replug(card); break;
        case SIM_FAULT_SUSPEND: set_power(card, 1); break;
        case SIM_FAULT_POWER: set_power(card, 0); break;
        case SIM_FAULT_FREEZE:
            sim_rebase(card);
            card->frozen = value != 0;
            sim_kick(card);
            break;
        case SIM_FAULT_BUSY: card->busy[capture] = value != 0; break;
        case SIM_FAULT_LOOP: card->loop = value != 0; break;
        default: error = -EINVAL;
        }
    sim_unlock(card);
    return error;
}

/* ---- the oracle ---- */

int sim_truth_of(struct sim_card *card, int capture, struct sim_truth *out)
{
    const struct sim_pcm *pcm;
    int error = sim_enter(card);

    memset(out, 0, sizeof *out);
    if (error < 0)
        return error;
    sim_catch_up(card);
    capture = capture != 0;
    pcm = card->pcm[capture];
    out->moved = card->moved[capture];
    out->xruns = card->xruns[capture];
    if (pcm) {
        out->open = 1;
        out->state = pcm->state;
        out->suspended_state = pcm->suspended_state;
        out->hw_ptr = sim_hw(pcm);
        out->appl_ptr = sim_appl_ptr(pcm);
        out->avail_min = pcm->control->avail_min;
        out->boundary = pcm->boundary;
        out->buffer_size = pcm->buffer_size;
        out->period_size = pcm->period_size;
        out->rate = pcm->rate;
        out->channels = pcm->channels;
        out->format = pcm->format;
        out->access = pcm->access;
        if (pcm->boundary)
            out->position = (unsigned long)((sim_hw(pcm) + pcm->dma - pcm->dma_read) % pcm->boundary);
        out->mmap_count = atomic_load(&pcm->mmap_count);
        out->page_maps = atomic_load(&pcm->page_maps);
        out->linked = card->linked;
        out->start_threshold = pcm->start_threshold;
        out->stop_threshold = pcm->stop_threshold;
        out->silence_threshold = pcm->silence_threshold;
        out->silence_size = pcm->silence_size;
        out->tstamp_mode = pcm->tstamp_mode;
        out->tstamp_type = pcm->tstamp_type;
        out->interrupts = pcm->interrupts;
    }
    sim_unlock(card);
    return 0;
}
