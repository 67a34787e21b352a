/* The software card for alsa-lib: an ordinary snd_pcm_t, made with the I/O plugin SDK, whose callbacks forward to the
 * card's ioctls. alsa-lib's snd_pcm_hw_params_t and snd_pcm_sw_params_t are the kernel's structs (pcm_hw.c hands them to
 * ioctl as they are), so they are forwarded as they are, and the boundary that the card writes is what alsa-lib adopts.
 *
 * Locks: alsa-lib holds a PCM's lock around most callbacks, and the card's lock is inside it; the card never calls
 * alsa-lib, so there is no other order. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <alsa/asoundlib.h>
#include <alsa/pcm_external.h>

#include "sim.h"
#include "sim_device.h"

struct plugin {
    snd_pcm_ioplug_t io;
    snd_pcm_ioplug_callback_t callbacks;
    struct sim_pcm *pcm;
    int fd;
    char name[SIM_NAME + 8];
};

static int forward(snd_pcm_ioplug_t *io, enum sim_call call, void *argument)
{
    const struct plugin *plugin = io->private_data;
    return sim_call(plugin->pcm, plugin->fd, call, argument);
}

static int on_start(snd_pcm_ioplug_t *io) { return forward(io, SIM_CALL_START, NULL); }
static int on_stop(snd_pcm_ioplug_t *io) { return forward(io, SIM_CALL_DROP, NULL); }
static int on_prepare(snd_pcm_ioplug_t *io) { return forward(io, SIM_CALL_PREPARE, NULL); }
static int on_drain(snd_pcm_ioplug_t *io) { return forward(io, SIM_CALL_DRAIN, NULL); }
static int on_resume(snd_pcm_ioplug_t *io) { return forward(io, SIM_CALL_RESUME, NULL); }
static int on_hw_free(snd_pcm_ioplug_t *io) { return forward(io, SIM_CALL_HW_FREE, NULL); }
static int on_delay(snd_pcm_ioplug_t *io, snd_pcm_sframes_t *delay) { return forward(io, SIM_CALL_DELAY, delay); }

static int on_pause(snd_pcm_ioplug_t *io, int enable)
{
    return forward(io, SIM_CALL_PAUSE, enable ? io : NULL); /* the kernel takes the flag as the argument itself */
}

static int on_hw_params(snd_pcm_ioplug_t *io, snd_pcm_hw_params_t *params)
{
    return forward(io, SIM_CALL_HW_PARAMS, params);
}

static int on_sw_params(snd_pcm_ioplug_t *io, snd_pcm_sw_params_t *params)
{
    return forward(io, SIM_CALL_SW_PARAMS, params);
}

static snd_pcm_sframes_t on_pointer(snd_pcm_ioplug_t *io)
{
    const struct plugin *plugin = io->private_data;
    unsigned long hw_ptr = 0;
    int error = sim_hw_ptr(plugin->pcm, plugin->fd, &hw_ptr);

    return error == -EBADFD ? (snd_pcm_sframes_t)io->hw_ptr : error < 0 ? error : (snd_pcm_sframes_t)hw_ptr;
}

/* Frames go through the card's own memory or its RW ioctls, never through the copy that alsa-lib would keep for us. */
static snd_pcm_sframes_t on_transfer(snd_pcm_ioplug_t *io, const snd_pcm_channel_area_t *areas, snd_pcm_uframes_t offset,
                                     snd_pcm_uframes_t size)
{
    (void)io, (void)areas, (void)offset, (void)size;
    return -ENOSYS;
}

static int on_poll_revents(snd_pcm_ioplug_t *io, struct pollfd *fds, unsigned int count, unsigned short *revents)
{
    const struct plugin *plugin = io->private_data;
    int events = 0;

    *revents = 0;
    if (count != 1)
        return -EINVAL;
    if (fds->revents)
        sim_poll_event(plugin->pcm, &events);
    *revents = (unsigned short)events;
    return 0;
}

static int on_close(snd_pcm_ioplug_t *io)
{
    struct plugin *plugin = io->private_data;

    sim_close_pcm(plugin->pcm);
    free(plugin);
    return 0;
}

static const snd_pcm_ioplug_callback_t callbacks = {
    .start = on_start, .stop = on_stop, .pointer = on_pointer, .transfer = on_transfer, .close = on_close,
    .hw_params = on_hw_params, .hw_free = on_hw_free, .sw_params = on_sw_params, .prepare = on_prepare,
    .drain = on_drain, .delay = on_delay, .poll_revents = on_poll_revents,
};

static unsigned int listed(unsigned long long bits, unsigned int list[64])
{
    unsigned int count = 0;

    for (unsigned int bit = 0; bit < 64; bit++)
        if (bits >> bit & 1)
            list[count++] = bit;
    return count;
}

/* What the kernel would tell by HW_REFINE. */
static int constrain(snd_pcm_ioplug_t *io, const struct sim_config *config)
{
    const struct {
        int type;
        unsigned int least, most;
    } ranges[] = {
        {SND_PCM_IOPLUG_HW_CHANNELS, config->channels_min, config->channels_max},
        {SND_PCM_IOPLUG_HW_PERIOD_BYTES, config->period_bytes_min, config->period_bytes_max},
        {SND_PCM_IOPLUG_HW_BUFFER_BYTES, config->buffer_bytes_min, config->buffer_bytes_max},
        {SND_PCM_IOPLUG_HW_PERIODS, config->periods_min, config->periods_max},
    };
    unsigned int list[64];
    int error = snd_pcm_ioplug_set_param_list(io, SND_PCM_IOPLUG_HW_ACCESS, listed(config->accesses, list), list);

    if (error >= 0)
        error = snd_pcm_ioplug_set_param_list(io, SND_PCM_IOPLUG_HW_FORMAT, listed(config->formats, list), list);
    if (error >= 0 && config->rate_count)
        error = snd_pcm_ioplug_set_param_list(io, SND_PCM_IOPLUG_HW_RATE, config->rate_count, config->rates);
    else if (error >= 0)
        error = snd_pcm_ioplug_set_param_minmax(io, SND_PCM_IOPLUG_HW_RATE, config->rate_min, config->rate_max);
    for (size_t i = 0; error >= 0 && i < sizeof ranges / sizeof *ranges; i++)
        error = snd_pcm_ioplug_set_param_minmax(io, ranges[i].type, ranges[i].least, ranges[i].most);
    return error;
}

/* *handle is a snd_pcm_t, to be closed by snd_pcm_close, which closes *fd too. */
int sim_plug(struct sim_card *card, int capture, const char *name, int mode, void **handle, int *fd)
{
    struct plugin *plugin = calloc(1, sizeof *plugin);
    int error, event_fd;

    if (!plugin)
        return -ENOMEM;
    error = sim_open_pcm(card, capture, &plugin->pcm, &plugin->fd, &event_fd);
    if (error < 0) {
        free(plugin);
        return error;
    }
    if (mode & SND_PCM_NONBLOCK) /* as the hw plugin's open(): DRAIN and the RW calls of this file do not sleep */
        fcntl(plugin->fd, F_SETFL, O_NONBLOCK);
    plugin->callbacks = callbacks;
    if (sim_config_of(plugin->pcm)->pause)
        plugin->callbacks.pause = on_pause; /* alsa-lib takes its presence for INFO_PAUSE */
    if (sim_config_of(plugin->pcm)->resume)
        plugin->callbacks.resume = on_resume;
    snprintf(plugin->name, sizeof plugin->name, "%s", name);
    plugin->io.version = SND_PCM_IOPLUG_VERSION;
    plugin->io.name = plugin->name;
    plugin->io.flags = SND_PCM_IOPLUG_FLAG_BOUNDARY_WA | SND_PCM_IOPLUG_FLAG_MONOTONIC;
    plugin->io.poll_fd = event_fd;
    plugin->io.poll_events = POLLIN;
    plugin->io.callback = &plugin->callbacks;
    plugin->io.private_data = plugin;
    error = snd_pcm_ioplug_create(&plugin->io, name, capture ? SND_PCM_STREAM_CAPTURE : SND_PCM_STREAM_PLAYBACK, mode);
    if (error < 0) {
        sim_close_pcm(plugin->pcm);
        free(plugin);
        return error;
    }
    error = constrain(&plugin->io, sim_config_of(plugin->pcm));
    *handle = plugin->io.pcm;
    *fd = plugin->fd;
    if (error < 0)
        snd_pcm_ioplug_delete(&plugin->io);
    return error;
}
