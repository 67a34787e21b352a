/* Samples of the software card: their size, their silence, and where they lie in the ring (rules F1-F7). */
#include <string.h>

#include "sim_core.h"

enum { SILENCE_MAX = 8 };

struct sample {
    unsigned char bytes;                 /* 0: no such format, or no whole bytes a sample */
    unsigned char silence[SILENCE_MAX];
};

#define SIGNED(n) {(n), {0}}

/* By number, as pcm_misc.c's pcm_formats[]. */
static const struct sample samples[] = {
    [0] = SIGNED(1), [1] = {1, {0x80}},
    [2] = SIGNED(2), [3] = SIGNED(2), [4] = {2, {0x00, 0x80}}, [5] = {2, {0x80, 0x00}},
    [6] = SIGNED(4), [7] = SIGNED(4), [8] = {4, {0x00, 0x00, 0x80}}, [9] = {4, {0x00, 0x80, 0x00, 0x00}},
    [10] = SIGNED(4), [11] = SIGNED(4), [12] = {4, {0x00, 0x00, 0x00, 0x80}}, [13] = {4, {0x80}},
    [14] = SIGNED(4), [15] = SIGNED(4), [16] = SIGNED(8), [17] = SIGNED(8),
    [18] = SIGNED(4), [19] = SIGNED(4), [20] = {1, {0x7f}}, [21] = {1, {0x55}},
    [25] = SIGNED(4), [26] = SIGNED(4), [27] = {4, {0x00, 0x00, 0x08}}, [28] = {4, {0x00, 0x08}},
    [32] = SIGNED(3), [33] = SIGNED(3), [34] = {3, {0x00, 0x00, 0x80}}, [35] = {3, {0x80}},
    [36] = SIGNED(3), [37] = SIGNED(3), [38] = {3, {0x00, 0x00, 0x08}}, [39] = {3, {0x08}},
    [40] = SIGNED(3), [41] = SIGNED(3), [42] = {3, {0x00, 0x00, 0x02}}, [43] = {3, {0x02}},
    [48] = {1, {0x69}}, [49] = {2, {0x69, 0x69}}, [50] = {4, {0x69, 0x69, 0x69, 0x69}},
    [51] = {2, {0x69, 0x69}}, [52] = {4, {0x69, 0x69, 0x69, 0x69}},
};

int sim_format_bytes(int format)
{
    return format >= 0 && format < (int)(sizeof samples / sizeof *samples) ? samples[format].bytes : 0;
}

void sim_fill_silence(char *out, int format, size_t count)
{
    size_t size = samples[format].bytes;

    for (size_t i = 0; i < count; i++)
        memcpy(out + i * size, samples[format].silence, size);
}

static int interleaved(const struct sim_pcm *pcm)
{
    return pcm->access == SNDRV_PCM_ACCESS_MMAP_INTERLEAVED || pcm->access == SNDRV_PCM_ACCESS_RW_INTERLEAVED;
}

/* Bytes between the mmap offsets of two channels (rule F2): 64 KiB, more where a channel's ring does not fit. */
static unsigned long channel_stride(const struct sim_pcm *pcm)
{
    unsigned long ring = pcm->buffer_size * pcm->sample_bytes;
    return (ring + SIM_CHANNEL_STRIDE - 1) / SIM_CHANNEL_STRIDE * SIM_CHANNEL_STRIDE;
}

void sim_channel_place(const struct sim_pcm *pcm, unsigned int channel, unsigned long *offset, unsigned long *first_bits,
                       unsigned long *step_bits)
{
    *offset = 0;
    if (interleaved(pcm)) {
        *first_bits = channel * pcm->sample_bytes * 8;
        *step_bits = pcm->frame_bytes * 8;
    } else if (pcm->card->config.separate_channels) {
        *offset = channel * channel_stride(pcm);
        *first_bits = 0;
        *step_bits = pcm->sample_bytes * 8;
    } else {
        *first_bits = channel * (pcm->dma_bytes / pcm->channels) * 8;
        *step_bits = pcm->sample_bytes * 8;
    }
}

static char *sample_at(const struct sim_pcm *pcm, unsigned int channel, unsigned long frame, size_t *step)
{
    unsigned long offset, first, bits;

    sim_channel_place(pcm, channel, &offset, &first, &bits);
    *step = bits / 8;
    return pcm->data + offset + first / 8 + frame * *step;
}

void sim_fill_ring_silence(struct sim_pcm *pcm, unsigned long offset, unsigned long frames)
{
    size_t step;

    if (interleaved(pcm)) {
        sim_fill_silence(sample_at(pcm, 0, offset, &step), pcm->format, frames * pcm->channels);
        return;
    }
    for (unsigned int channel = 0; channel < pcm->channels; channel++)
        sim_fill_silence(sample_at(pcm, channel, offset, &step), pcm->format, frames);
}

void sim_gather(const struct sim_pcm *pcm, unsigned long offset, unsigned long frames, char *out)
{
    size_t step;

    if (interleaved(pcm)) {
        memcpy(out, sample_at(pcm, 0, offset, &step), frames * pcm->frame_bytes);
        return;
    }
    for (unsigned int channel = 0; channel < pcm->channels; channel++) {
        const char *from = sample_at(pcm, channel, offset, &step);
        char *to = out + channel * pcm->sample_bytes;
        for (unsigned long i = 0; i < frames; i++)
            memcpy(to + i * pcm->frame_bytes, from + i * step, pcm->sample_bytes);
    }
}

void sim_scatter(struct sim_pcm *pcm, unsigned long offset, unsigned long frames, const char *in)
{
    size_t step;

    if (interleaved(pcm)) {
        memcpy(sample_at(pcm, 0, offset, &step), in, frames * pcm->frame_bytes);
        return;
    }
    for (unsigned int channel = 0; channel < pcm->channels; channel++) {
        char *to = sample_at(pcm, channel, offset, &step);
        const char *from = in + channel * pcm->sample_bytes;
        for (unsigned long i = 0; i < frames; i++)
            memcpy(to + i * step, from + i * pcm->frame_bytes, pcm->sample_bytes);
    }
}
