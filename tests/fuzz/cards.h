/* A software card of any kind, and all that its maker may do with it. */
#ifndef ALSAMM_TESTS_FUZZ_CARDS_H
#define ALSAMM_TESTS_FUZZ_CARDS_H

#include "kit.h"
#include "sim.h"

enum { BYTES = 1 << 14, MOST_ADVANCE = 1 << 17, CHANNELS = 8 };

/* What its maker does with it. `held`: somebody has it open. */
static inline void drive(struct sim_card *card, int held, const char *samples, struct bytes *in)
{
    struct sim_truth truth;
    struct sim_tape tape;
    unsigned long next;
    long long time;
    unsigned long long frames;

    switch (byte(in) % 8) {
    case 0:
    case 1:
        frames = (unsigned long long)number(in);
        if (held) /* it would take as long as it says */
            frames %= MOST_ADVANCE;
        sim_advance(card, frames);
        break;
    case 2: sim_fault(card, (enum sim_fault)byte(in) % 12, (int)number(in), (long)number(in)); break;
    case 3: sim_truth_of(card, (int)number(in), &truth); break;
    case 4: sim_feed(card, samples, byte(in)); break;
    case 5: sim_next_interrupt(card, &next); sim_time_of(card, &time); break;
    case 6: sim_tape_of(card, &tape); break;
    default: {
        double speed;
        unsigned long long bits = wide(in);
        memcpy(&speed, &bits, sizeof speed);
        sim_set_speed(card, byte(in) & 1 ? speed : 1.0 + byte(in) / 100.0);
        break;
    }
    }
}

static inline struct sim_config make_config(struct bytes *in)
{
    struct sim_config config = {
        .name = "fuzz", .speed = 1, .rate_min = 1, .rate_max = 1 << 20, .channels_min = 1, .channels_max = CHANNELS,
        .formats = ~0ULL, .accesses = 0x1f, .period_bytes_min = 1, .period_bytes_max = 1 << 20, .buffer_bytes_min = 1,
        .buffer_bytes_max = 1 << 20, .periods_min = 1, .periods_max = 1 << 16, .record = 1};
    unsigned int flags = byte(in), more = byte(in);

    config.pause = flags & 1;
    config.resume = flags >> 1 & 1;
    config.no_rewinds = flags >> 2 & 1;
    config.refuse_status = flags >> 3 & 1;
    config.refuse_control = flags >> 4 & 1;
    config.separate_channels = flags >> 5 & 1;
    config.no_interrupts = flags >> 6 & 1;
    config.clock = flags >> 7 ? SIM_CLOCK_AUTO : SIM_CLOCK_MANUAL;
    config.granularity = more & 1 ? 1 : (unsigned long)number(in) & LONG_MAX;
    config.delay = more & 2 ? (long)number(in) & INT_MAX : 0;
    config.boundary = more & 4 ? (unsigned long)number(in) : 0;
    config.dma_bytes = more & 8 ? (unsigned long)number(in) : 0;
    if (more & 16)
        config.speed = (double)number(in) / 64;
    if (more & 32) {
        config.channels_max = (unsigned int)number(in);
        config.buffer_bytes_max = config.period_bytes_max = (unsigned int)number(in);
        config.rate_count = (unsigned int)number(in);
        config.rate_max = UINT_MAX;
    }
    return config;
}

#endif
