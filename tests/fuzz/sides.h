/* One direction of a software card, opened and mapped as alsamm does it (direct/mapping.py), with any parameters. */
#ifndef ALSAMM_TESTS_FUZZ_SIDES_H
#define ALSAMM_TESTS_FUZZ_SIDES_H

#include <fcntl.h>
#include <sys/mman.h>

#include "cards.h"

struct side {
    int fd, mapped;
    struct alsamm_ring ring;
    struct alsamm_area areas[CHANNELS];
    struct alsamm_converter converter;
};

static const int formats[] = {0, 1, 2, 3, 6, 10, 14, 16, 20, 27, 32, 35, 40};
static int descr;

static inline void close_side(struct side *side)
{
    if (side->mapped)
        alsamm_unmap(side->ring.memory, side->ring.memory_bytes);
    if (side->ring.pages.status)
        alsamm_unmap_page(side->ring.pages.status);
    if (side->ring.pages.control)
        alsamm_unmap_page(side->ring.pages.control);
    if (side->fd >= 0)
        sim_close(side->fd);
    *side = (struct side){.fd = -1, .ring = {.pages = {.fd = -1}}};
}

static inline unsigned int width_of(int format)
{
    if (format >= 32)
        return 3;
    if (format == 16)
        return 8;
    return format < 2 || format == 20 ? 1 : format < 6 ? 2 : 4;
}

/* As MmapIO does, with its checks (mapping.py). */
static inline void map_side(struct side *side, const struct sim_setup *setup, const struct sim_sw_setup *sw, int capture,
                     struct bytes *in)
{
    struct alsamm_channel_info place;
    struct alsamm_ring *ring = &side->ring;
    unsigned int step = 0, width = width_of(setup->format);
    size_t end = 0, page = alsamm_page_size(), first[CHANNELS];
    void *memory;

    if (setup->channels == 0 || setup->channels > CHANNELS)
        return;
    for (unsigned int c = 0; c < setup->channels; c++) {
        size_t channel_end;

        if (alsamm_get_channel_info(side->fd, c, &place) < 0 || place.offset != 0 || place.step % 8 || place.first % 8)
            return;
        step = place.step / 8;
        if (step != (setup->access == 0 ? width * setup->channels : width)) /* check_layout */
            return;
        side->areas[c] = (struct alsamm_area){.step = step};
        first[c] = place.first / 8;
        channel_end = first[c] + (size_t)step * (setup->buffer_size - 1) + width;
        end = channel_end > end ? channel_end : end;
    }
    if (alsamm_map_data(side->fd, 0, end, !capture, NULL, &memory) < 0)
        return;
    side->mapped = 1;
    for (unsigned int c = 0; c < setup->channels; c++)
        side->areas[c].base = (char *)memory + first[c];
    *ring = (struct alsamm_ring){
        .pages = ring->pages, .capture = capture, .channels = setup->channels, .sample_bytes = width, .item_bytes = width,
        .memory = memory, .memory_bytes = (end + page - 1) / page * page, .areas = side->areas,
        .contiguous = step == width * setup->channels, .buffer_size = setup->buffer_size, .period_size = setup->period_size,
        .boundary = sw->boundary, .start_threshold = sw->start_threshold, .stops = sw->stop_threshold < sw->boundary,
        .half_period_ns = 1000, .buffer_ns = 1000, .no_period_wakeup = setup->no_period_wakeup, .descr = &descr,
        .packed = width == 3, .value_bits = width == 4 && byte(in) & 1 ? 24 : 0, .recover = (int)(byte(in) % 3),
        .refill = byte(in) & 1 ? setup->period_size : 0};
    if (setup->format == 2 && byte(in) & 1) {
        struct alsamm_sample s16 = {2, 16, 0, 1, 0}, f32 = {4, 32, 1, 1, 0};

        side->converter = (struct alsamm_converter){.from = capture ? s16 : f32, .to = capture ? f32 : s16,
                                                    .dither = byte(in) & 1};
        MUST(fast_converter(&side->converter, -1) == 0);
        ring->converter = &side->converter;
        ring->item_bytes = 4;
    }
    ring->pages.fd = side->fd;
}

static inline void open_side(struct side *side, struct sim_card *card, int capture, struct bytes *in)
{
    struct sim_setup setup = {.access = (int)(byte(in) % 5), .format = formats[byte(in) % (sizeof formats / sizeof *formats)],
                              .channels = byte(in) % 4 + 1, .rate = 48000, .period_size = (byte(in) % 8 + 1) * 16};
    struct sim_sw_setup sw = {.tstamp_mode = 1, .tstamp_type = 1, .avail_min = 16, .start_threshold = 1};
    void *page;

    setup.buffer_size = setup.period_size * (byte(in) % 6 + 2);
    setup.no_period_wakeup = byte(in) & 1;
    sw.stop_threshold = setup.buffer_size;
    if (byte(in) > 200) { /* now and then anything */
        setup.access = (int)number(in);
        setup.format = (int)number(in);
        setup.channels = (unsigned int)number(in);
        setup.rate = (unsigned int)number(in);
        setup.period_size = (unsigned long)number(in);
        setup.buffer_size = (unsigned long)number(in);
    }
    if (byte(in) > 200)
        sw = (struct sim_sw_setup){(int)number(in), (int)number(in), (unsigned long)number(in), (unsigned long)number(in),
                                   (unsigned long)number(in), (unsigned long)number(in), (unsigned long)number(in), 0};
    if (side->fd >= 0 || sim_open(card, capture, &side->fd) < 0)
        return;
    fcntl(side->fd, F_SETFL, O_NONBLOCK); /* nobody else would move the card */
    side->ring.pages = (struct alsamm_pages){.fd = side->fd};
    if (byte(in) & 1) {
        struct alsamm_info info;
        MUST(alsamm_hello(side->fd, &info) <= 0);
    }
    if (sim_hw_params(side->fd, &setup) < 0 || sim_sw_params(side->fd, &sw) < 0)
        return;
    map_side(side, &setup, &sw, capture, in);
    if (side->mapped && byte(in) & 1 && alsamm_map_page(side->fd, ALSAMM_STATUS_PAGE, &page) == 0)
        side->ring.pages.status = page;
    if (side->mapped && byte(in) & 1 && alsamm_map_page(side->fd, ALSAMM_CONTROL_PAGE, &page) == 0)
        side->ring.pages.control = page;
    if (side->mapped && byte(in) & 1)
        alsamm_prepare(&side->ring);
}

#endif
