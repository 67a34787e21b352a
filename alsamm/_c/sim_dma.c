/* The software card's hardware: frames through its DMA, and its interrupts. With the lock held. */
#define _GNU_SOURCE
#include <limits.h>
#include <unistd.h>

#include "sim_core.h"

struct sim_pcm *sim_moving(const struct sim_card *card, int capture)
{
    struct sim_pcm *pcm = card->pcm[capture];
    return pcm && sim_running(pcm) ? pcm : NULL;
}

static void record(struct sim_card *card, const char *frames, size_t bytes)
{
    struct sim_tape *tape = &card->tape;
    ssize_t done = tape->fd < 0 ? -1 : pwrite(tape->fd, frames, bytes, (off_t)tape->bytes);

    if (done > 0)
        tape->bytes += done;
    if (done != (ssize_t)bytes)
        tape->lost += (long long)bytes - (done > 0 ? done : 0);
}

/* What the microphone hears when the card does not loop: the rest of what was fed, then silence. */
static void listen(struct sim_card *card, struct sim_pcm *in, unsigned long frames)
{
    size_t wanted = frames * in->frame_bytes, got = 0;

    if (card->feed_end > card->feed_read) {
        long long left = card->feed_end - card->feed_read;
        size_t take = (unsigned long long)left < wanted ? (size_t)left : wanted;
        ssize_t done = pread(card->feed_fd, card->scratch, take, (off_t)card->feed_read);
        if (done > 0) {
            got = (size_t)done;
            card->feed_read += done;
        }
    }
    if (got < wanted) {
        size_t whole = got / in->sample_bytes * in->sample_bytes;
        sim_fill_silence(card->scratch + whole, in->format, (wanted - whole) / in->sample_bytes);
    }
}

/* Frames of both streams at the same card time, playback first, so that a loop is exact to the frame. */
void sim_move(struct sim_card *card, struct sim_pcm *out, struct sim_pcm *in, unsigned long frames)
{
    int looped = out && in && card->loop && out->format == in->format && out->channels == in->channels &&
                 out->rate == in->rate;

    while (frames > 0) {
        unsigned long n = frames;
        struct sim_pcm *both[2] = {out, in};

        for (int i = 0; i < 2; i++)
            if (both[i]) {
                unsigned long room = both[i]->buffer_size - (unsigned long)(both[i]->dma % both[i]->buffer_size);
                unsigned long scratch = SIM_SCRATCH / both[i]->frame_bytes;
                n = room < n ? room : n;
                n = scratch < n ? scratch : n;
            }
        if (out && (card->config.record || looped)) {
            sim_gather(out, (unsigned long)(out->dma % out->buffer_size), n, card->scratch);
            if (card->config.record)
                record(card, card->scratch, n * out->frame_bytes);
        }
        if (in) {
            if (!looped)
                listen(card, in, n);
            sim_scatter(in, (unsigned long)(in->dma % in->buffer_size), n, card->scratch);
        }
        for (int i = 0; i < 2; i++)
            if (both[i]) {
                both[i]->dma += n;
                card->moved[i] += n;
            }
        frames -= n;
    }
}

/* ---- interrupts ---- */

unsigned long sim_pcm_to_interrupt(const struct sim_pcm *pcm)
{
    return pcm->period_size - (unsigned long)(pcm->dma % pcm->period_size);
}

/* Frames of the fastest stream, in which a card without a clock of its own counts, until a period of any stream ends. */
static unsigned long nearest_end(const struct sim_card *card, int with_interrupt)
{
    const struct sim_pcm *fastest = sim_fastest(card, 1);
    unsigned long nearest = ULONG_MAX;

    for (int i = 0; i < 2; i++) {
        const struct sim_pcm *pcm = sim_moving(card, i);
        unsigned long long tick;
        if (!pcm || (with_interrupt && pcm->no_period_wakeup))
            continue;
        tick = pcm->tick + sim_pcm_to_interrupt(pcm);
        tick = sim_ticks(sim_tick_ns(tick, pcm->rate) - 1, fastest->rate) + 1; /* the first that is not before it */
        if (tick - fastest->tick < nearest)
            nearest = (unsigned long)(tick - fastest->tick);
    }
    return nearest;
}

/* Until the next period ends, whether its interrupt will be delivered or not; ULONG_MAX when nothing runs. */
unsigned long sim_to_period_end(const struct sim_card *card)
{
    return nearest_end(card, 0);
}

/* Until the next interrupt, ULONG_MAX when none will come (rule H6). */
unsigned long sim_to_interrupt(const struct sim_card *card)
{
    return nearest_end(card, 1);
}

void sim_interrupt(struct sim_pcm *pcm) /* snd_pcm_period_elapsed */
{
    if (pcm->no_period_wakeup || pcm->dma % pcm->period_size != 0)
        return;
    if (pcm->late > 0) {
        pcm->late--;
        return;
    }
    pcm->interrupts++;
    sim_update_hw_ptr(pcm, 1);
    sim_wake(pcm->card);
}
