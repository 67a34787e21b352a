/* The software card by alsa-lib's calls, one after the other with any arguments, while its descriptor and its maker are at
 * work as well: sim_plugin.c, alsalib.c, sim_params.c. The edge: between the two stands alsa-lib, which hands over what it
 * refined, in any state; of a plugin's memory alsalib.c believes what alsa-lib says. */
#define _GNU_SOURCE
#include <poll.h>
#include <alsa/asoundlib.h>

#include "cards.h"

void alsamm_on_alsa_message(const char *function, int error, const char *text);
void alsamm_route_messages(void);
int alsamm_hide_ring_from_children(snd_pcm_t *pcm);
snd_pcm_type_t __wrap_snd_pcm_type(snd_pcm_t *pcm);

struct line {
    snd_pcm_t *pcm;
    int fd;
    size_t frame_bytes;         /* 0: not configured */
};

struct world {
    struct sim_card *card;
    struct line lines[2];
    char *samples;              /* BYTES of them */
};

void alsamm_on_alsa_message(const char *function, int error, const char *text)
{
    (void)error;
    MUST(function && strlen(text) < 512);
}

/* native.py links it in the place of alsa-lib's: here is no PCM of the kernel's, whose ring lies no otherwise. */
snd_pcm_type_t __wrap_snd_pcm_type(snd_pcm_t *pcm)
{
    (void)pcm;
    return SND_PCM_TYPE_HW;
}

static void open_line(struct world *world, int capture, struct bytes *in)
{
    struct line *line = &world->lines[capture];
    int flags = byte(in) > 240 ? (int)number(in) : 0;
    void *handle;
    char name[300] = "";

    memset(name, 'n', byte(in));
    if (!line->pcm && sim_plug(world->card, capture, name, SND_PCM_NONBLOCK | flags, &handle, &line->fd) == 0)
        line->pcm = handle;
}

static void close_line(struct line *line)
{
    if (line->pcm)
        snd_pcm_close(line->pcm);
    *line = (struct line){.fd = -1};
}

static int choose(snd_pcm_t *pcm, snd_pcm_hw_params_t *params, struct bytes *in)
{
    unsigned int value = (unsigned int)number(in);
    snd_pcm_uframes_t frames = (snd_pcm_uframes_t)number(in);
    int dir = (int)(byte(in) % 3) - 1;

    switch (byte(in) % 10) {
    case 0: return snd_pcm_hw_params_set_access(pcm, params, (snd_pcm_access_t)(value % 5));
    case 1: return snd_pcm_hw_params_set_format(pcm, params, (snd_pcm_format_t)(value % (SND_PCM_FORMAT_LAST + 1)));
    case 2: return snd_pcm_hw_params_set_channels_near(pcm, params, &value);
    case 3: return snd_pcm_hw_params_set_rate_near(pcm, params, &value, &dir);
    case 4: return snd_pcm_hw_params_set_period_size_near(pcm, params, &frames, &dir);
    case 5: return snd_pcm_hw_params_set_buffer_size_near(pcm, params, &frames);
    case 6: return snd_pcm_hw_params_set_periods_near(pcm, params, &value, &dir);
    case 7: return snd_pcm_hw_params_set_period_time_near(pcm, params, &value, &dir);
    case 8: return snd_pcm_hw_params_set_period_wakeup(pcm, params, value & 1);
    default: return snd_pcm_hw_params_set_buffer_time_max(pcm, params, &value, &dir);
    }
}

/* What is usual, then anything; what is left open alsa-lib chooses. */
static void configure(struct line *line, struct bytes *in)
{
    static const snd_pcm_format_t formats[] = {SND_PCM_FORMAT_S16_LE, SND_PCM_FORMAT_S24_3LE, SND_PCM_FORMAT_FLOAT_LE};
    snd_pcm_hw_params_t *params;
    snd_pcm_format_t format;
    unsigned int kind = byte(in), channels;
    snd_pcm_uframes_t size = 64;

    snd_pcm_hw_params_alloca(&params);
    if (snd_pcm_hw_params_any(line->pcm, params) < 0)
        return;
    if (kind & 1) {
        snd_pcm_hw_params_set_access(line->pcm, params, (snd_pcm_access_t)(kind >> 1 & 3));
        snd_pcm_hw_params_set_format(line->pcm, params, formats[kind % 3]);
        snd_pcm_hw_params_set_channels(line->pcm, params, (kind >> 3) % 3 + 1);
        snd_pcm_hw_params_set_rate(line->pcm, params, 48000, 0);
        snd_pcm_hw_params_set_period_size_near(line->pcm, params, &size, NULL);
        size *= (kind >> 5) + 2;
        snd_pcm_hw_params_set_buffer_size_near(line->pcm, params, &size);
    }
    for (unsigned int i = kind & 1 ? byte(in) >> 6 : 6; i > 0; i--)
        if (choose(line->pcm, params, in) < 0)
            break; /* it left nothing to choose from, nor asks again whether there is */
    line->frame_bytes = 0;
    if (snd_pcm_hw_params(line->pcm, params) < 0 || snd_pcm_hw_params_get_channels(params, &channels) < 0 ||
        snd_pcm_hw_params_get_format(params, &format) < 0)
        return;
    line->frame_bytes = ((size_t)snd_pcm_format_physical_width(format) * channels + 7) / 8;
}

static void tune(struct line *line, struct bytes *in)
{
    snd_pcm_sw_params_t *params;
    unsigned int kind = byte(in);

    snd_pcm_sw_params_alloca(&params);
    if (snd_pcm_sw_params_current(line->pcm, params) < 0)
        return;
    if (kind & 1) snd_pcm_sw_params_set_avail_min(line->pcm, params, (snd_pcm_uframes_t)number(in));
    if (kind & 2) snd_pcm_sw_params_set_start_threshold(line->pcm, params, (snd_pcm_uframes_t)number(in));
    if (kind & 4) snd_pcm_sw_params_set_stop_threshold(line->pcm, params, (snd_pcm_uframes_t)number(in));
    if (kind & 8) snd_pcm_sw_params_set_silence_threshold(line->pcm, params, (snd_pcm_uframes_t)number(in));
    if (kind & 16) snd_pcm_sw_params_set_silence_size(line->pcm, params, (snd_pcm_uframes_t)number(in));
    if (kind & 32) snd_pcm_sw_params_set_tstamp_mode(line->pcm, params, (snd_pcm_tstamp_t)(byte(in) & 1));
    if (kind & 64) snd_pcm_sw_params_set_tstamp_type(line->pcm, params, (snd_pcm_tstamp_type_t)(byte(in) % 3));
    snd_pcm_sw_params(line->pcm, params);
}

/* Frames that BYTES hold; a lone channel's, for the calls that take one pointer a channel. */
static void transfer(struct world *world, const struct line *line, struct bytes *in)
{
    void *channels[CHANNELS + 120];
    snd_pcm_uframes_t frames = (snd_pcm_uframes_t)number(in), offset;
    const snd_pcm_channel_area_t *areas;

    if (!line->frame_bytes)
        return;
    for (size_t c = 0; c < sizeof channels / sizeof *channels; c++)
        channels[c] = world->samples;
    switch (byte(in) % 5) {
    case 0: snd_pcm_writei(line->pcm, world->samples, frames % (BYTES / line->frame_bytes + 1)); break;
    case 1: snd_pcm_readi(line->pcm, world->samples, frames % (BYTES / line->frame_bytes + 1)); break;
    case 2: snd_pcm_writen(line->pcm, channels, frames % (BYTES / 8)); break;
    case 3: snd_pcm_readn(line->pcm, channels, frames % (BYTES / 8)); break;
    default:
        if (snd_pcm_mmap_begin(line->pcm, &areas, &offset, &frames) == 0)
            snd_pcm_mmap_commit(line->pcm, offset, frames);
        break;
    }
}

static void ask(const struct line *line, struct bytes *in)
{
    snd_pcm_status_t *status;
    snd_pcm_sframes_t delay;
    snd_pcm_uframes_t avail;
    snd_htimestamp_t when;
    struct pollfd fds[4];
    unsigned short revents;
    int count;

    snd_pcm_status_alloca(&status);
    switch (byte(in) % 9) {
    case 0: snd_pcm_avail(line->pcm); break;
    case 1: snd_pcm_avail_update(line->pcm); break;
    case 2: snd_pcm_delay(line->pcm, &delay); break;
    case 3: snd_pcm_status(line->pcm, status); break;
    case 4: snd_pcm_htimestamp(line->pcm, &avail, &when); break;
    case 5: snd_pcm_hwsync(line->pcm); break;
    case 6: snd_pcm_wait(line->pcm, 0); break;
    case 7: alsamm_hide_ring_from_children(line->pcm); break;
    default:
        count = snd_pcm_poll_descriptors(line->pcm, fds, 4);
        if (count > 0 && byte(in) & 1)
            poll(fds, (nfds_t)count, 0);
        else if (count > 0)
            fds[0].revents = (short)byte(in);
        if (count > 0)
            snd_pcm_poll_descriptors_revents(line->pcm, fds, byte(in) > 250 ? 2 : (unsigned int)count, &revents);
        break;
    }
}

static void act(struct world *world, const struct line *line, struct bytes *in)
{
    long result;
    snd_pcm_t *other = world->lines[line == world->lines].pcm;

    switch (byte(in) % 13) {
    case 0: snd_pcm_start(line->pcm); break;
    case 1: snd_pcm_drop(line->pcm); break;
    case 2: snd_pcm_prepare(line->pcm); break;
    case 3: snd_pcm_drain(line->pcm); break;
    case 4: snd_pcm_pause(line->pcm, (int)byte(in) & 1); break;
    case 5: snd_pcm_resume(line->pcm); break;
    case 6: snd_pcm_reset(line->pcm); break;
    case 7: if (line->frame_bytes) snd_pcm_rewind(line->pcm, (snd_pcm_uframes_t)number(in)); break;
    case 8: if (line->frame_bytes) snd_pcm_forward(line->pcm, (snd_pcm_uframes_t)number(in)); break;
    case 9: if (other) snd_pcm_link(line->pcm, other); break;
    case 10: snd_pcm_unlink(line->pcm); break;
    case 11: alsamm_pcm_op(line->fd, (enum alsamm_op)(byte(in) % 13), (long)number(in), &result); break;
    default: if (byte(in) & 1) sim_close(line->fd); break; /* behind alsa-lib's back */
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = {data, data + size};
    struct sim_config config = make_config(&in);
    struct world world = {.lines = {{.fd = -1}, {.fd = -1}}, .samples = malloc(BYTES)};

    if (config.buffer_bytes_max > 1 << 20)
        config.buffer_bytes_max = 1 << 20; /* alsa-lib allocates as much once more */
    alsamm_route_messages();
    MUST(world.samples);
    memset(world.samples, 0x33, BYTES);
    if (sim_card_new(&config, &world.card) == 0) {
        while (in.at < in.end) {
            unsigned int what = byte(&in);
            struct line *line = &world.lines[what >> 7];

            if (what % 8 == 0 || !line->pcm)
                open_line(&world, (int)(what >> 7), &in);
            else
                switch (what % 8) {
                case 1: configure(line, &in); break;
                case 2: tune(line, &in); break;
                case 3: transfer(&world, line, &in); break;
                case 4: ask(line, &in); break;
                case 5: drive(world.card, 1, world.samples, &in); break;
                case 6: act(&world, line, &in); break;
                default: if (byte(&in) > 200) close_line(line); else if (byte(&in) > 200) snd_pcm_hw_free(line->pcm); break;
                }
        }
        close_line(&world.lines[0]);
        close_line(&world.lines[1]);
        sim_card_close(world.card);
    }
    free(world.samples);
    return 0;
}
