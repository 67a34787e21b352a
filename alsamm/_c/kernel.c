/* A PCM's file descriptor: the kernel's ioctls, with errors as -errno. The software card answers the same numbers. */
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <sound/asound.h>

#include "direct.h"
#include "moves.h"
#include "sim_device.h"
#include "shim.h"

/* Rules B1, B3: a libc with 64-bit time_t that does not say so to the header would silently get a layout that no kernel has.
 * tests/abi holds all of rules A5 and B against the header. */
#if defined(__LP64__)
_Static_assert(sizeof(struct snd_pcm_sync_ptr) == 136 && sizeof(struct snd_pcm_status) == 152, "64-bit layout");
#elif defined(__x86_64__)
#error "x32 has a layout of its own (rule B2) and is not supported"
#elif defined(__SND_STRUCT_TIME64)
_Static_assert(sizeof(struct snd_pcm_sync_ptr) == 136 && sizeof(struct snd_pcm_status) == 128, "32-bit layout, 64-bit time");
#else
_Static_assert(sizeof(struct snd_pcm_sync_ptr) == 132 && sizeof(struct snd_pcm_status) == 108, "32-bit layout and time");
#endif

unsigned long alsamm_moves;

static int pcm_ioctl(int fd, unsigned long request, void *argument)
{
    struct sim_pcm *sim = sim_find(fd);

    if (sim) {
        int error = sim_ioctl(sim, fd, request, argument);
        sim_put(sim);
        return error;
    }
    return ioctl(fd, request, argument) < 0 ? -errno : 0;
}

#define NS(t) ((long long)(t).tv_sec * 1000000000LL + (long long)(t).tv_nsec)

/* Rules A3 and C5: these come before any mmap. PVERSION tells that the fd is a PCM at all, USER_PVERSION lets cards that
 * want to hear of every commit map the status page, and the first ioctl settles the ABI of a 32-bit process. */
int alsamm_hello(int fd, struct alsamm_info *out)
{
    struct snd_pcm_info info;
    int spoken = SNDRV_PROTOCOL_VERSION(2, 0, 15);
    int error;

    memset(out, 0, sizeof *out);
    error = pcm_ioctl(fd, SNDRV_PCM_IOCTL_PVERSION, &out->protocol);
    if (error < 0)
        return error;
    if (SNDRV_PROTOCOL_MAJOR(out->protocol) != SNDRV_PROTOCOL_MAJOR(SNDRV_PCM_VERSION))
        return -ENOTTY;
    error = pcm_ioctl(fd, SNDRV_PCM_IOCTL_USER_PVERSION, &spoken);
    if (error < 0 && error != -ENOTTY) /* kernels before 4.16 do not know it */
        return error;
    memset(&info, 0, sizeof info);
    error = pcm_ioctl(fd, SNDRV_PCM_IOCTL_INFO, &info);
    if (error < 0)
        return error;
    out->device = info.device;
    out->subdevice = info.subdevice;
    out->card = info.card;
    out->capture = info.stream == SNDRV_PCM_STREAM_CAPTURE;
    memcpy(out->id, info.id, sizeof info.id < sizeof out->id ? sizeof info.id : sizeof out->id - 1);
    memcpy(out->name, info.name, sizeof info.name < sizeof out->name ? sizeof info.name : sizeof out->name - 1);
    out->id[sizeof out->id - 1] = out->name[sizeof out->name - 1] = 0;
    return 0;
}

/* HW_REFINE of the whole space of configurations changes nothing; its info is the same in all of them. */
int alsamm_get_abilities(int fd, struct alsamm_abilities *out)
{
    struct snd_pcm_hw_params params;
    int error;

    memset(out, 0, sizeof *out);
    memset(&params, 0, sizeof params);
    memset(params.masks, 0xff, sizeof params.masks);
    for (size_t i = 0; i < sizeof params.intervals / sizeof *params.intervals; i++)
        params.intervals[i].max = ~0U;
    params.rmask = ~0U;
    params.info = ~0U;
    error = pcm_ioctl(fd, SNDRV_PCM_IOCTL_HW_REFINE, &params);
    if (error < 0)
        return error;
    out->info = params.info;
    out->mmap = (params.info & SNDRV_PCM_INFO_MMAP) != 0;
    out->sync_applptr = (params.info & SNDRV_PCM_INFO_SYNC_APPLPTR) != 0;
    out->explicit_sync = (params.info & SNDRV_PCM_INFO_EXPLICIT_SYNC) != 0;
    out->no_rewinds = (params.info & SNDRV_PCM_INFO_NO_REWINDS) != 0;
    return 0;
}

static int pcm_op(int fd, enum alsamm_op op, long argument, long *result)
{
    snd_pcm_uframes_t frames = (snd_pcm_uframes_t)argument;
    int error;

    *result = 0;
    switch (op) {
    case ALSAMM_PREPARE: return pcm_ioctl(fd, SNDRV_PCM_IOCTL_PREPARE, NULL);
    case ALSAMM_RESET: return pcm_ioctl(fd, SNDRV_PCM_IOCTL_RESET, NULL);
    case ALSAMM_START: return pcm_ioctl(fd, SNDRV_PCM_IOCTL_START, NULL);
    case ALSAMM_DROP: return pcm_ioctl(fd, SNDRV_PCM_IOCTL_DROP, NULL);
    case ALSAMM_DRAIN: return pcm_ioctl(fd, SNDRV_PCM_IOCTL_DRAIN, NULL);
    case ALSAMM_PAUSE: return pcm_ioctl(fd, SNDRV_PCM_IOCTL_PAUSE, (void *)(intptr_t)argument);
    case ALSAMM_RESUME: return pcm_ioctl(fd, SNDRV_PCM_IOCTL_RESUME, NULL);
    case ALSAMM_XRUN: return pcm_ioctl(fd, SNDRV_PCM_IOCTL_XRUN, NULL);
    case ALSAMM_HWSYNC: return pcm_ioctl(fd, SNDRV_PCM_IOCTL_HWSYNC, NULL);
    case ALSAMM_LINK: return pcm_ioctl(fd, SNDRV_PCM_IOCTL_LINK, (void *)(intptr_t)argument);
    case ALSAMM_UNLINK: return pcm_ioctl(fd, SNDRV_PCM_IOCTL_UNLINK, NULL);
    case ALSAMM_REWIND:
    case ALSAMM_FORWARD:
        if (argument < 0)
            return -EINVAL;
        error = pcm_ioctl(fd, op == ALSAMM_REWIND ? SNDRV_PCM_IOCTL_REWIND : SNDRV_PCM_IOCTL_FORWARD, &frames);
        *result = (long)frames; /* what was done: _IOW, yet the kernel writes it back (snd_pcm_rewind_ioctl) */
        return error;
    }
    return -EINVAL;
}

int alsamm_pcm_op(int fd, enum alsamm_op op, long argument, long *result)
{
    int error;

    something_moved();
    error = pcm_op(fd, op, argument, result);
    something_moved();
    return error;
}

int alsamm_get_status(int fd, struct alsamm_status *out)
{
    struct snd_pcm_status status;
    int error;

    memset(&status, 0, sizeof status);
    memset(out, 0, sizeof *out);
    error = pcm_ioctl(fd, SNDRV_PCM_IOCTL_STATUS, &status);
    something_moved(); /* hw_ptr, for who looks: it asks the card */
    if (error < 0)
        return error;
    out->state = (int)status.state;
    out->suspended_state = (int)status.suspended_state;
    out->trigger_tstamp_ns = NS(status.trigger_tstamp);
    out->tstamp_ns = NS(status.tstamp);
    out->audio_tstamp_ns = NS(status.audio_tstamp);
    out->driver_tstamp_ns = NS(status.driver_tstamp);
    out->appl_ptr = status.appl_ptr;
    out->hw_ptr = status.hw_ptr;
    out->avail = status.avail;
    out->avail_max = status.avail_max;
    out->overrange = status.overrange;
    out->delay = status.delay;
    return 0;
}

int alsamm_get_delay(int fd, long *out)
{
    snd_pcm_sframes_t delay = 0;
    int error = pcm_ioctl(fd, SNDRV_PCM_IOCTL_DELAY, &delay);

    something_moved(); /* as STATUS */
    *out = delay;
    return error;
}

int alsamm_get_channel_info(int fd, unsigned int channel, struct alsamm_channel_info *out)
{
    struct snd_pcm_channel_info info;
    int error;

    memset(&info, 0, sizeof info);
    info.channel = channel; /* read by the kernel although the ioctl is _IOR (rule A5) */
    error = pcm_ioctl(fd, SNDRV_PCM_IOCTL_CHANNEL_INFO, &info);
    out->offset = info.offset;
    out->first = info.first;
    out->step = info.step;
    return error;
}

/* Access RW_INTERLEAVED: the kernel copies. */
int alsamm_transfer(int fd, int capture, void *frames_memory, unsigned long frames, long *result)
{
    struct snd_xferi transfer = {.result = 0, .buf = frames_memory, .frames = frames};
    int error;

    something_moved();
    error = pcm_ioctl(fd, capture ? SNDRV_PCM_IOCTL_READI_FRAMES : SNDRV_PCM_IOCTL_WRITEI_FRAMES, &transfer);
    something_moved();

    *result = transfer.result;
    return error;
}

long long direct_now(int fd)
{
    struct sim_pcm *sim = sim_find(fd);
    long long now = monotonic_ns();

    if (sim) {
        sim_now(sim, &now);
        sim_put(sim);
    }
    return now;
}

int alsamm_poll(int fd, int events, int timeout_ms, int *revents)
{
    struct sim_pcm *sim = sim_find(fd);
    struct pollfd item = {.fd = fd, .events = (short)events};
    int ready;

    if (sim) {
        ready = sim_poll(sim, events, timeout_ms, revents);
        sim_put(sim);
        return ready;
    }
    ready = poll(&item, 1, timeout_ms);
    *revents = item.revents;
    return ready < 0 ? -errno : ready;
}

/* Rules D1-D9. A flag that is set asks for the kernel's value, one that is clear gives ours to the kernel: the reverse of
 * what the seed believed. Reserved bytes are zero because newer kernels leave them as they are (D9). */
int fast_sync_ptr(int fd, int flags, struct alsamm_snapshot *io)
{
    struct snd_pcm_sync_ptr sync;
    int error;

    if (moves_of(flags))
        something_moved();
    memset(&sync, 0, sizeof sync);
    sync.flags = (unsigned int)flags;
    sync.c.control.appl_ptr = io->appl_ptr;
    sync.c.control.avail_min = io->avail_min;
    error = pcm_ioctl(fd, SNDRV_PCM_IOCTL_SYNC_PTR, &sync);
    if (moves_of(flags))
        something_moved();
    if (error < 0)
        return error;
    io->state = (int)sync.s.status.state;
    io->suspended_state = (int)sync.s.status.suspended_state;
    io->hw_ptr = sync.s.status.hw_ptr;
    io->tstamp_ns = NS(sync.s.status.tstamp);
    io->audio_tstamp_ns = NS(sync.s.status.audio_tstamp);
    io->appl_ptr = sync.c.control.appl_ptr;
    io->avail_min = sync.c.control.avail_min;
    return 0;
}

/* A stream that is suspended is refused what it cannot do with EBADFD, as in any other state (rule P28). Who is to recover must
 * be told; so alsa-lib's plugins tell it (pcm_state_to_error). */
int fast_refusal(int fd, int error)
{
    struct alsamm_snapshot now = {.state = 0};

    if (error == -EBADFD && fast_sync_ptr(fd, ALSAMM_QUERY, &now) == 0 && now.state == SNDRV_PCM_STATE_SUSPENDED)
        return -ESTRPIPE;
    return error;
}
