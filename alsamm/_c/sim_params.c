/* The software card's geometry: HW_PARAMS, HW_FREE, SW_PARAMS, CHANNEL_INFO. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sim_core.h"

static unsigned long page_align(unsigned long bytes)
{
    unsigned long page = (unsigned long)sysconf(_SC_PAGESIZE);
    return (bytes + page - 1) / page * page;
}

static const struct snd_interval *interval(const struct snd_pcm_hw_params *params, int number)
{
    return &params->intervals[number - SNDRV_PCM_HW_PARAM_FIRST_INTERVAL];
}

/* params_value of a single interval; of any other 0, which no card can: alsa-lib hands on what it found no choice in, and
 * once that is granted it doubles a buffer of 0 frames for ever. The kernel refuses it too. */
static unsigned int value(const struct snd_pcm_hw_params *params, int number)
{
    const struct snd_interval *i = interval(params, number);

    if (i->empty || (i->min != i->max && (i->min + 1 != i->max || !(i->openmin || i->openmax))))
        return 0;
    return i->openmin && !i->openmax ? i->max : i->min;
}

static int only_bit(const struct snd_pcm_hw_params *params, int number) /* of a mask; -1: none */
{
    const struct snd_mask *mask = &params->masks[number - SNDRV_PCM_HW_PARAM_FIRST_MASK];

    for (unsigned int bit = 0; bit < 64; bit++)
        if (mask->bits[bit / 32] & 1U << bit % 32)
            return (int)bit;
    return -1;
}

static unsigned int card_info(const struct sim_config *config)
{
    unsigned int info = SNDRV_PCM_INFO_BLOCK_TRANSFER | SNDRV_PCM_INFO_JOINT_DUPLEX | SNDRV_PCM_INFO_SYNC_START;

    if (config->accesses & 1U << SNDRV_PCM_ACCESS_MMAP_INTERLEAVED ||
        config->accesses & 1U << SNDRV_PCM_ACCESS_MMAP_NONINTERLEAVED)
        info |= SNDRV_PCM_INFO_MMAP | SNDRV_PCM_INFO_MMAP_VALID;
    if (config->accesses & (1U << SNDRV_PCM_ACCESS_MMAP_INTERLEAVED | 1U << SNDRV_PCM_ACCESS_RW_INTERLEAVED))
        info |= SNDRV_PCM_INFO_INTERLEAVED;
    if (config->accesses & (1U << SNDRV_PCM_ACCESS_MMAP_NONINTERLEAVED | 1U << SNDRV_PCM_ACCESS_RW_NONINTERLEAVED))
        info |= SNDRV_PCM_INFO_NONINTERLEAVED;
    if (config->pause)
        info |= SNDRV_PCM_INFO_PAUSE;
    if (config->resume)
        info |= SNDRV_PCM_INFO_RESUME;
    if (config->batch)
        info |= SNDRV_PCM_INFO_BATCH;
    if (config->no_period_wakeup)
        info |= SNDRV_PCM_INFO_NO_PERIOD_WAKEUP;
    if (config->no_rewinds)
        info |= SNDRV_PCM_INFO_NO_REWINDS;
    if (config->refuse_control && !config->refuse_status)
        info |= SNDRV_PCM_INFO_SYNC_APPLPTR;
    return info;
}

static int rate_possible(const struct sim_config *config, unsigned int rate)
{
    for (unsigned int i = 0; i < config->rate_count; i++)
        if (config->rates[i] == rate)
            return 1;
    return config->rate_count == 0 && rate >= config->rate_min && rate <= config->rate_max;
}

static int within(unsigned long number, unsigned int least, unsigned int most)
{
    return number >= least && number <= most;
}

/* Takes what was asked into pcm; -EINVAL where the card cannot. */
static int choose(struct sim_pcm *pcm, const struct snd_pcm_hw_params *params)
{
    const struct sim_config *config = &pcm->card->config;
    unsigned long period_bytes, buffer_bytes;
    int access = only_bit(params, SNDRV_PCM_HW_PARAM_ACCESS), format = only_bit(params, SNDRV_PCM_HW_PARAM_FORMAT);

    if (access < 0 || access > SNDRV_PCM_ACCESS_LAST || !(config->accesses & 1U << access) || format < 0 || !(config->formats >> format & 1) ||
        sim_format_bytes(format) == 0)
        return -EINVAL;
    pcm->access = access;
    pcm->format = format;
    pcm->channels = value(params, SNDRV_PCM_HW_PARAM_CHANNELS);
    pcm->rate = value(params, SNDRV_PCM_HW_PARAM_RATE);
    pcm->period_size = value(params, SNDRV_PCM_HW_PARAM_PERIOD_SIZE);
    pcm->buffer_size = value(params, SNDRV_PCM_HW_PARAM_BUFFER_SIZE);
    if (!within(pcm->channels, config->channels_min, config->channels_max) || !rate_possible(config, pcm->rate) ||
        pcm->period_size == 0 || pcm->buffer_size < pcm->period_size)
        return -EINVAL;
    pcm->sample_bytes = (size_t)sim_format_bytes(format);
    pcm->frame_bytes = pcm->sample_bytes * pcm->channels;
    if (__builtin_mul_overflow(pcm->period_size, pcm->frame_bytes, &period_bytes) ||
        __builtin_mul_overflow(pcm->buffer_size, pcm->frame_bytes, &buffer_bytes))
        return -EINVAL;
    if (!within(period_bytes, config->period_bytes_min, config->period_bytes_max) ||
        !within(buffer_bytes, config->buffer_bytes_min, config->buffer_bytes_max) ||
        !within(pcm->buffer_size / pcm->period_size, config->periods_min, config->periods_max))
        return -EINVAL;
    pcm->dma_bytes = config->dma_bytes ? config->dma_bytes : buffer_bytes;
    if (pcm->dma_bytes < buffer_bytes)
        return -EINVAL;
    pcm->info = card_info(config);
    pcm->no_period_wakeup = config->no_interrupts ||
        ((pcm->info & SNDRV_PCM_INFO_NO_PERIOD_WAKEUP) && (params->flags & SNDRV_PCM_HW_PARAMS_NO_PERIOD_WAKEUP));
    pcm->boundary = config->boundary;
    if (pcm->boundary == 0) { /* rule E1 */
        pcm->boundary = pcm->buffer_size;
        while (pcm->boundary * 2 <= LONG_MAX - pcm->buffer_size)
            pcm->boundary *= 2;
    }
    return pcm->boundary % pcm->buffer_size || pcm->boundary / 2 < pcm->buffer_size ? -EINVAL : 0;
}

static void free_ring(struct sim_pcm *pcm)
{
    if (pcm->data)
        munmap(pcm->data, pcm->data_length);
    pcm->data = NULL;
}

/* A fresh, zeroed ring (rule F7: zero bytes, whatever the format's silence). */
static int allocate_ring(struct sim_pcm *pcm)
{
    unsigned long offset, first, step;
    void *data;

    free_ring(pcm);
    sim_channel_place(pcm, pcm->channels - 1, &offset, &first, &step);
    pcm->data_length = page_align(offset ? offset + pcm->buffer_size * pcm->sample_bytes : pcm->dma_bytes);
    if (pcm->data_length > SIM_DATA_END)
        return -ENOMEM;
    fallocate(pcm->memfd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)SIM_DATA_END);
    data = mmap(NULL, pcm->data_length, PROT_READ | PROT_WRITE, MAP_SHARED, pcm->memfd, 0);
    if (data == MAP_FAILED)
        return -errno;
    pcm->data = data;
    return 0;
}

int sim_do_hw_params(struct sim_pcm *pcm, struct snd_pcm_hw_params *params)
{
    int error;

    if ((pcm->state != SNDRV_PCM_STATE_OPEN && pcm->state != SNDRV_PCM_STATE_SETUP &&
         pcm->state != SNDRV_PCM_STATE_PREPARED) || atomic_load(&pcm->mmap_count))
        return -EBADFD; /* rule C9 */
    error = choose(pcm, params);
    if (error == 0)
        error = allocate_ring(pcm);
    if (error < 0) {
        free_ring(pcm);
        sim_set_state(pcm, SNDRV_PCM_STATE_OPEN);
        return error;
    }
    pcm->tstamp_mode = SNDRV_PCM_TSTAMP_NONE;
    pcm->control->avail_min = pcm->period_size;
    pcm->start_threshold = 1;
    pcm->stop_threshold = pcm->buffer_size;
    pcm->silence_threshold = pcm->silence_size = 0;
    sim_set_state(pcm, SNDRV_PCM_STATE_SETUP);
    sim_tape_restart(pcm);
    params->info = pcm->info;
    params->msbits = (unsigned int)pcm->sample_bytes * 8;
    params->rate_num = pcm->rate;
    params->rate_den = 1;
    params->fifo_size = 0;
    params->rmask = 0;
    return 0;
}

/* What the card says of itself, no more: what it can do alsa-lib hears from the plugin. */
int sim_do_hw_refine(struct sim_pcm *pcm, struct snd_pcm_hw_params *params)
{
    params->info = card_info(&pcm->card->config);
    return 0;
}

int sim_do_hw_free(struct sim_pcm *pcm)
{
    if ((pcm->state != SNDRV_PCM_STATE_SETUP && pcm->state != SNDRV_PCM_STATE_PREPARED) ||
        atomic_load(&pcm->mmap_count))
        return -EBADFD;
    free_ring(pcm);
    sim_set_state(pcm, SNDRV_PCM_STATE_OPEN);
    return 0;
}

int sim_do_sw_params(struct sim_pcm *pcm, struct snd_pcm_sw_params *params)
{
    if (pcm->state == SNDRV_PCM_STATE_OPEN)
        return -EBADFD;
    if (params->tstamp_mode < 0 || params->tstamp_mode > SNDRV_PCM_TSTAMP_LAST ||
        (params->proto >= SNDRV_PROTOCOL_VERSION(2, 0, 12) && params->tstamp_type > SNDRV_PCM_TSTAMP_TYPE_LAST) ||
        params->avail_min == 0) /* rule I4 */
        return -EINVAL;
    if (params->silence_size >= pcm->boundary ? params->silence_threshold != 0
            : params->silence_size > params->silence_threshold || params->silence_threshold > pcm->buffer_size)
        return -EINVAL; /* rule J1 */
    pcm->tstamp_mode = params->tstamp_mode;
    if (params->proto >= SNDRV_PROTOCOL_VERSION(2, 0, 12)) /* rule A4 */
        pcm->tstamp_type = (int)params->tstamp_type;
    pcm->control->avail_min = params->avail_min;
    pcm->start_threshold = params->start_threshold;
    pcm->stop_threshold = params->stop_threshold;
    pcm->silence_threshold = params->silence_threshold;
    pcm->silence_size = params->silence_size;
    params->boundary = pcm->boundary;
    if (!sim_running(pcm))
        return 0;
    sim_silence(pcm, ULONG_MAX);
    return sim_update_state(pcm);
}

int sim_do_channel_info(struct sim_pcm *pcm, struct snd_pcm_channel_info *info)
{
    unsigned int channel = info->channel; /* read, although the ioctl is _IOR (rule A5) */
    unsigned long offset, first, step;

    if (pcm->state == SNDRV_PCM_STATE_OPEN)
        return -EBADFD;
    if (channel >= pcm->channels)
        return -EINVAL;
    sim_channel_place(pcm, channel, &offset, &first, &step);
    memset(info, 0, sizeof *info);
    info->channel = channel;
    info->offset = pcm->info & SNDRV_PCM_INFO_MMAP ? (__kernel_off_t)offset : -1; /* rule F4 */
    info->first = (unsigned int)first;
    info->step = (unsigned int)step;
    return 0;
}

/* ---- the same without alsa-lib, for tests of the card alone ---- */

static void set_mask(struct snd_pcm_hw_params *params, int number, int bit)
{
    params->masks[number - SNDRV_PCM_HW_PARAM_FIRST_MASK].bits[bit / 32] = 1U << bit % 32;
}

static void set_interval(struct snd_pcm_hw_params *params, int number, unsigned long to)
{
    struct snd_interval *i = &params->intervals[number - SNDRV_PCM_HW_PARAM_FIRST_INTERVAL];

    i->min = i->max = (unsigned int)to;
    i->integer = 1;
}

static int by_descriptor(int fd, unsigned long request, void *argument)
{
    struct sim_pcm *pcm = sim_find(fd);
    int error = pcm ? sim_ioctl(pcm, fd, request, argument) : -EINVAL;

    if (pcm)
        sim_put(pcm);
    return error;
}

int sim_hw_params(int fd, const struct sim_setup *setup)
{
    struct snd_pcm_hw_params params;

    if (setup->access < 0 || setup->access > 63 || setup->format < 0 || setup->format > 63 ||
        setup->period_size > UINT_MAX || setup->buffer_size > UINT_MAX) /* an interval's are unsigned int */
        return -EINVAL;
    memset(&params, 0, sizeof params);
    set_mask(&params, SNDRV_PCM_HW_PARAM_ACCESS, setup->access);
    set_mask(&params, SNDRV_PCM_HW_PARAM_FORMAT, setup->format);
    set_interval(&params, SNDRV_PCM_HW_PARAM_CHANNELS, setup->channels);
    set_interval(&params, SNDRV_PCM_HW_PARAM_RATE, setup->rate);
    set_interval(&params, SNDRV_PCM_HW_PARAM_PERIOD_SIZE, setup->period_size);
    set_interval(&params, SNDRV_PCM_HW_PARAM_BUFFER_SIZE, setup->buffer_size);
    if (setup->no_period_wakeup)
        params.flags = SNDRV_PCM_HW_PARAMS_NO_PERIOD_WAKEUP;
    return by_descriptor(fd, SNDRV_PCM_IOCTL_HW_PARAMS, &params);
}

int sim_hw_free(int fd)
{
    return by_descriptor(fd, SNDRV_PCM_IOCTL_HW_FREE, NULL);
}

int sim_sw_params(int fd, struct sim_sw_setup *setup)
{
    struct snd_pcm_sw_params params;
    int error;

    memset(&params, 0, sizeof params);
    params.proto = SNDRV_PCM_VERSION;
    params.tstamp_mode = setup->tstamp_mode;
    params.tstamp_type = (unsigned int)setup->tstamp_type;
    params.avail_min = setup->avail_min;
    params.start_threshold = setup->start_threshold;
    params.stop_threshold = setup->stop_threshold;
    params.silence_threshold = setup->silence_threshold;
    params.silence_size = setup->silence_size;
    error = by_descriptor(fd, SNDRV_PCM_IOCTL_SW_PARAMS, &params);
    setup->boundary = params.boundary;
    return error;
}
