/* The software card and the direct code on it, call after call with any arguments: kernel.c, mapping.c, pages.c, ring.c,
 * array.c, samples.c, recovery.c, wait.c, blocking.c and sim_*.c. The edge: what a pointer points to is as large as it is
 * said to be (block_io.py, mapping.py); arrays are numpy's, which lie where they say; nothing else is believed. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/mman.h>

#include "kit.h"
#include "sim.h"

enum { BYTES = 1 << 14, MOST_ADVANCE = 1 << 17, CHANNELS = 8 };

struct side {
    int fd, mapped;
    struct alsamm_ring ring;
    struct alsamm_area areas[CHANNELS];
    struct alsamm_converter converter;
};

struct world {
    struct sim_card *card;
    struct side sides[2];
    char *samples;              /* BYTES of them, whose redzones are watched */
};

static const int formats[] = {0, 1, 2, 3, 6, 10, 14, 16, 20, 27, 32, 35, 40};
static int descr;

static void close_side(struct side *side)
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

static unsigned int width_of(int format)
{
    if (format >= 32)
        return 3;
    if (format == 16)
        return 8;
    return format < 2 || format == 20 ? 1 : format < 6 ? 2 : 4;
}

/* As MmapIO does, with its checks (mapping.py). */
static void map_side(struct side *side, const struct sim_setup *setup, const struct sim_sw_setup *sw, int capture,
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

static void open_side(struct world *world, int capture, struct bytes *in)
{
    struct side *side = &world->sides[capture];
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
    if (side->fd >= 0 || sim_open(world->card, capture, &side->fd) < 0)
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

/* An array of any shape and strides that lies in world->samples; 0: there is none such. */
static int make_array(struct world *world, const struct side *side, struct bytes *in, struct array *array,
                      Py_ssize_t dimensions[4], Py_ssize_t strides[4])
{
    __int128 low = 0, high = (__int128)side->ring.item_bytes;
    unsigned int kind = byte(in);
    Py_ssize_t width = (Py_ssize_t)side->ring.item_bytes;

    *array = (struct array){.nd = side->ring.packed + 2, .dimensions = dimensions, .strides = strides,
                            .descr = (PyObject *)&descr, .flags = 0x0400};
    dimensions[0] = byte(in);
    dimensions[1] = side->ring.channels;
    strides[1] = width;
    strides[0] = width * dimensions[1];
    dimensions[2] = 3;
    strides[2] = 1;
    dimensions[3] = 1;
    strides[3] = 0;
    if (kind & 1)
        for (int i = 0; i < 2; i++)
            strides[i] = (Py_ssize_t)(byte(in) % 96) - 48;
    if (kind & 2)
        array->nd = (int)(byte(in) % 5);
    if (kind & 4)
        dimensions[byte(in) % 2] = (Py_ssize_t)number(in);
    if (kind & 8)
        strides[byte(in) % 2] = (Py_ssize_t)number(in);
    if (kind & 16)
        array->flags = 0;
    if (kind & 32)
        array->descr = NULL;
    if (array->nd - side->ring.packed < 2) { /* a lone channel's: the last axis is bytes */
        dimensions[1] = 3;
        strides[1] = 1;
    }
    for (int i = 0; i < array->nd; i++) {
        if (dimensions[i] < 0)
            return 0;
        if (dimensions[i] > 0)
            *(strides[i] < 0 ? &low : &high) += (__int128)(dimensions[i] - 1) * strides[i];
    }
    if (high - low > BYTES)
        return 0;
    array->data = world->samples + BYTES - (size_t)high; /* its last byte is the last of what there is */
    return low >= -(__int128)(BYTES - high);
}

static void move(struct world *world, struct side *side, struct bytes *in)
{
    struct array array;
    Py_ssize_t dimensions[4], strides[4];
    struct alsamm_ring *ring = &side->ring;
    uintptr_t address = (uintptr_t)&array;

    if (!side->mapped || !make_array(world, side, in, &array, dimensions, strides))
        return;
    switch (byte(in) % 8) {
    case 0: fast_write_array(ring, address); break;
    case 1: if (fast_take(ring, address) == 1) fast_write(ring); break;
    case 2: if (fast_take(ring, address) == 1) alsamm_write(ring, address); break;
    case 3: if (fast_take(ring, address) == 1) fast_read(ring); break;
    case 4: if (fast_take(ring, address) == 1) alsamm_read(ring, address); break;
    case 5: if (fast_take(ring, address) == 1) alsamm_peek(ring, address); break;
    case 6: if (fast_take(ring, address) == 1) alsamm_write_all(ring, address, -1, 0); break;
    default: if (fast_take(ring, address) == 1) alsamm_fill(ring, address, -1, 0); break;
    }
    MUST(ring->done >= 0 && ring->done <= (ring->block.array ? ring->block.frames : 0));
    ring->block.array = NULL;
}

static void pointers(struct side *side, struct bytes *in)
{
    struct alsamm_snapshot now = {.appl_ptr = (unsigned long)number(in), .avail_min = (unsigned long)number(in)};
    struct alsamm_ring *ring = &side->ring;
    struct alsamm_spans spans;
    struct alsamm_place place;
    long long frame;

    switch (byte(in) % 12) {
    case 0: fast_sync_ptr(side->fd, (int)number(in), &now); break;
    case 1: fast_set_appl_ptr(&ring->pages, (unsigned long)number(in)); break;
    case 2: fast_set_avail_min(&ring->pages, (unsigned long)number(in)); break;
    case 3: if (side->mapped) fast_commit(ring, (long)number(in)); break;
    case 4:
        if (side->mapped && fast_spans(ring, &spans) == 0)
            MUST(spans.offset < ring->buffer_size && spans.first + spans.second <= ring->buffer_size &&
                 spans.offset + spans.first <= ring->buffer_size);
        break;
    case 5: if (side->mapped) fast_avail(ring); break;
    case 6: if (side->mapped) fast_set_frame(ring, number(in)); break;
    case 7: if (side->mapped) fast_frame(ring, &frame); break;
    case 8: if (side->mapped) fast_place(ring, &place); break;
    case 9: if (side->mapped) fast_ready(ring); break;
    case 10: fast_tstamp_ns(&ring->pages); fast_audio_tstamp_ns(&ring->pages); break;
    default: fast_hw_ptr(&ring->pages); fast_state(&ring->pages); fast_appl_ptr(&ring->pages); break;
    }
}

static void act(struct world *world, struct side *side, struct bytes *in)
{
    struct alsamm_status status;
    struct alsamm_channel_info place;
    struct alsamm_info info;
    long result;
    int revents;
    void *at;

    switch (byte(in) % 14) {
    case 0: alsamm_pcm_op(side->fd, (enum alsamm_op)byte(in), (long)number(in), &result); break;
    case 1: alsamm_get_status(side->fd, &status); break;
    case 2: alsamm_get_delay(side->fd, &result); break;
    case 3: alsamm_get_channel_info(side->fd, (unsigned int)number(in), &place); break;
    case 4: alsamm_poll(side->fd, (int)number(in), 0, &revents); break;
    case 5: alsamm_hello((int)number(in), &info); break;
    case 6: /* of 8 channels of 8 bytes at the most */
        alsamm_transfer(side->fd, (int)(byte(in) & 1), world->samples, byte(in), &result);
        break;
    case 7: if (side->mapped) alsamm_fill_silence(&side->ring); break;
    case 8: if (side->mapped) alsamm_prepare(&side->ring); break;
    case 9: if (side->mapped) alsamm_recover(&side->ring); break;
    case 10: if (side->mapped) alsamm_wait(&side->ring, 0); break;
    case 11: if (side->mapped && !side->ring.capture) alsamm_drain(&side->ring, 0); break;
    case 12: if (side->mapped) alsamm_start_at(&side->ring, -llabs((long long)number(in) | 1)); break;
    default:
        if (alsamm_map_data(byte(in) & 1 ? side->fd : (int)number(in), number(in), (size_t)number(in), byte(in) & 1, NULL,
                            &at) == 0)
            munmap(at, alsamm_page_size()); /* or more of it, which the card's close leaves */
        break;
    }
}

static void drive(struct world *world, struct bytes *in)
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
        if (world->sides[0].fd >= 0 || world->sides[1].fd >= 0) /* it would take as long as it says */
            frames %= MOST_ADVANCE;
        sim_advance(world->card, frames);
        break;
    case 2: sim_fault(world->card, (enum sim_fault)byte(in) % 12, (int)number(in), (long)number(in)); break;
    case 3: sim_truth_of(world->card, (int)number(in), &truth); break;
    case 4: sim_feed(world->card, world->samples, byte(in)); break;
    case 5: sim_next_interrupt(world->card, &next); sim_time_of(world->card, &time); break;
    case 6: sim_tape_of(world->card, &tape); break;
    default: {
        double speed;
        unsigned long long bits = wide(in);
        memcpy(&speed, &bits, sizeof speed);
        sim_set_speed(world->card, byte(in) & 1 ? speed : 1.0 + byte(in) / 100.0);
        break;
    }
    }
}

static int make_card(struct world *world, struct bytes *in)
{
    struct sim_config config = {
        .name = "fuzz", .clock = SIM_CLOCK_MANUAL, .speed = 1, .rate_min = 1, .rate_max = 1 << 20, .channels_min = 1,
        .channels_max = CHANNELS, .formats = ~0ULL, .accesses = 0x1f, .period_bytes_min = 1, .period_bytes_max = 1 << 20,
        .buffer_bytes_min = 1, .buffer_bytes_max = 1 << 20, .periods_min = 1, .periods_max = 1 << 16, .record = 1};
    unsigned int flags = byte(in), more = byte(in);

    config.pause = flags & 1;
    config.resume = flags >> 1 & 1;
    config.no_rewinds = flags >> 2 & 1;
    config.refuse_status = flags >> 3 & 1;
    config.refuse_control = flags >> 4 & 1;
    config.separate_channels = flags >> 5 & 1;
    config.no_interrupts = flags >> 6 & 1;
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
    return sim_card_new(&config, &world->card);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = {data, data + size};
    struct world world = {.samples = malloc(BYTES)};

    MUST(world.samples);
    memset(world.samples, 0x33, BYTES);
    for (int i = 0; i < 2; i++)
        world.sides[i] = (struct side){.fd = -1, .ring = {.pages = {.fd = -1}}};
    if (make_card(&world, &in) == 0) {
        while (in.at < in.end) {
            unsigned int what = byte(&in);
            struct side *side = &world.sides[what >> 7];

            switch (what % 8) {
            case 0: open_side(&world, (int)(what >> 7), &in); break;
            case 1:
            case 2: move(&world, side, &in); break;
            case 3: pointers(side, &in); break;
            case 4:
            case 5: drive(&world, &in); break;
            case 6: act(&world, side, &in); break;
            default: if (byte(&in) > 200) close_side(side); break;
            }
        }
        close_side(&world.sides[0]);
        close_side(&world.sides[1]);
        sim_card_free(world.card);
    }
    free(world.samples);
    return 0;
}
