/* The C of alsamm without Python, as a 32-bit program. Python holds what it answers against what it computes itself.
 *
 *   ring      lines "capture hw_ptr appl_ptr buffer_size boundary frames" -> "avail advanced"
 *   convert   struct conversion and its samples, again and again -> the converted samples
 *   stream    a software card over the boundary: every frame that was written is heard, once and in order */
#define _GNU_SOURCE
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <Python.h>

#include "direct.h"
#include "sim.h"

#define MUST(condition)                                                                              \
    do {                                                                                             \
        if (!(condition)) {                                                                          \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                  \
            exit(1);                                                                                 \
        }                                                                                            \
    } while (0)

static int ring(void)
{
    unsigned long hw_ptr, appl_ptr, buffer_size, boundary, frames;
    int capture;

    while (scanf("%d %lu %lu %lu %lu %lu", &capture, &hw_ptr, &appl_ptr, &buffer_size, &boundary, &frames) == 6)
        printf("%lu %lu\n", fast_ring_avail(capture, hw_ptr, appl_ptr, buffer_size, boundary),
               fast_ring_advance(appl_ptr, frames, boundary));
    return 0;
}

struct conversion {
    struct alsamm_sample from, to;
    int32_t dither, samples, from_step, to_step, index_step, simd;
    uint64_t index;
};

static int convert(void)
{
    struct conversion what;

    while (fread(&what, sizeof what, 1, stdin) == 1) {
        struct alsamm_converter converter = {.from = what.from, .to = what.to, .dither = what.dither};
        size_t in_bytes = (size_t)(what.samples * what.from_step), out_bytes = (size_t)(what.samples * what.to_step);
        char *in = malloc(in_bytes + 1), *out = calloc(1, out_bytes + 1);

        MUST(in && out && fread(in, 1, in_bytes, stdin) == in_bytes);
        MUST(fast_converter(&converter, what.simd) == 0);
        MUST(fast_convert(&converter, out, what.to_step, in, what.from_step, what.samples, what.index, what.index_step) == 0);
        MUST(fwrite(out, 1, out_bytes, stdout) == out_bytes);
        free(in);
        free(out);
    }
    return 0;
}

/* ---- the software card ---- */

enum { BUFFER = 1 << 18, PERIOD = 1 << 16, FRAMES = 3000, S32_LE = 10 };

struct stream {
    struct alsamm_ring ring;
    struct alsamm_area area;
    int fd;
};

struct array { /* as array.c has it */
    PyObject head;
    char *data;
    int nd;
    Py_ssize_t *dimensions, *strides;
    PyObject *base, *descr;
    int flags;
};

static int descr;

static void open_stream(struct sim_card *card, int capture, struct stream *stream)
{
    struct sim_setup setup = {.access = 0, .format = S32_LE, .channels = 1, .rate = 48000, .period_size = PERIOD,
                              .buffer_size = BUFFER};
    struct sim_sw_setup sw = {.tstamp_mode = 1, .tstamp_type = 1, .avail_min = PERIOD, .start_threshold = LONG_MAX,
                              .stop_threshold = ULONG_MAX};
    struct alsamm_channel_info place;
    struct alsamm_ring *ring = &stream->ring;
    struct alsamm_info info;
    void *memory, *status, *control;

    MUST(sim_open(card, capture, &stream->fd) == 0);
    MUST(alsamm_hello(stream->fd, &info) == 0 && info.capture == capture);
    MUST(sim_hw_params(stream->fd, &setup) == 0 && sim_sw_params(stream->fd, &sw) == 0);
    MUST(alsamm_get_channel_info(stream->fd, 0, &place) == 0 && place.step == 32);
    MUST(alsamm_map_data(stream->fd, place.offset, BUFFER * 4, !capture, NULL, &memory) == 0);
    MUST(alsamm_map_page(stream->fd, ALSAMM_STATUS_PAGE, &status) == 0);
    MUST(alsamm_map_page(stream->fd, ALSAMM_CONTROL_PAGE, &control) == 0);
    stream->area = (struct alsamm_area){.base = memory, .step = 4};
    *ring = (struct alsamm_ring){
        .pages = {.fd = stream->fd, .status = status, .control = control}, .capture = capture, .channels = 1,
        .sample_bytes = 4, .item_bytes = 4, .memory = memory, .memory_bytes = BUFFER * 4, .areas = &stream->area,
        .contiguous = 1, .buffer_size = BUFFER, .period_size = PERIOD, .boundary = sw.boundary,
        .start_threshold = LONG_MAX, .half_period_ns = 1000000, .buffer_ns = 1000000000, .descr = &descr};
    MUST(alsamm_prepare(ring) == 0);
}

static void close_stream(struct stream *stream)
{
    MUST(alsamm_unmap(stream->ring.memory, stream->ring.memory_bytes) == 0);
    alsamm_unmap_page(stream->ring.pages.status);
    alsamm_unmap_page(stream->ring.pages.control);
    MUST(sim_close(stream->fd) == 0);
}

static struct alsamm_snapshot asked(const struct stream *stream, int flags)
{
    struct alsamm_snapshot now = {0};

    MUST(fast_sync_ptr(stream->fd, flags, &now) == 0);
    return now;
}

/* What the pages say is what SYNC_PTR says: both layouts fit the header's (rule B1). */
static void check_pages(struct stream *stream)
{
    struct alsamm_snapshot now;

    MUST(fast_set_avail_min(&stream->ring.pages, 1234) == 0);
    now = asked(stream, ALSAMM_QUERY);
    MUST(now.avail_min == 1234 && fast_avail_min(&stream->ring.pages) == 1234);
    MUST((long long)now.appl_ptr == fast_appl_ptr(&stream->ring.pages));
    MUST((long long)now.hw_ptr == fast_hw_ptr(&stream->ring.pages));
    now.avail_min = PERIOD;
    MUST(fast_sync_ptr(stream->fd, ALSAMM_SYNC_GET_APPL, &now) == 0);
    MUST(fast_avail_min(&stream->ring.pages) == PERIOD);
}

static int stream(void)
{
    struct sim_config config = {
        .name = "wide", .clock = SIM_CLOCK_MANUAL, .speed = 1, .rate_min = 48000, .rate_max = 48000, .channels_min = 1,
        .channels_max = 1, .formats = 1ULL << S32_LE, .accesses = 1, .period_bytes_min = 4, .period_bytes_max = 1 << 24,
        .buffer_bytes_min = 4, .buffer_bytes_max = 1 << 24, .periods_min = 1, .periods_max = 1024, .granularity = 1};
    struct sim_card *card;
    struct stream out, in;
    int32_t written[FRAMES], heard[FRAMES];
    Py_ssize_t dimensions[1] = {FRAMES}, strides[1] = {4};
    struct array source = {.data = (char *)written, .nd = 1, .dimensions = dimensions, .strides = strides,
                           .descr = (PyObject *)&descr};
    struct array target = {.data = (char *)heard, .nd = 1, .dimensions = dimensions, .strides = strides,
                           .descr = (PyObject *)&descr, .flags = 0x0400};
    unsigned long boundary, before;
    int32_t next = 1, expected = 1;
    int rounds, wrapped = 0;

    MUST(sim_card_new(&config, &card) == 0 && sim_fault(card, SIM_FAULT_LOOP, 0, 1) == 0);
    open_stream(card, 1, &in);
    open_stream(card, 0, &out);
    boundary = out.ring.boundary;
    MUST(boundary == in.ring.boundary && boundary % BUFFER == 0 && boundary * 2 > (unsigned long)LONG_MAX - BUFFER);
    check_pages(&out);
    check_pages(&in);
    MUST(alsamm_pcm_op(in.fd, ALSAMM_START, 0, &(long){0}) == 0);
    MUST(alsamm_pcm_op(out.fd, ALSAMM_START, 0, &(long){0}) == 0);
    MUST(sim_advance(card, boundary - 5 * FRAMES) == 0);
    before = asked(&out, ALSAMM_QUERY | ALSAMM_SYNC_HWSYNC).hw_ptr;
    MUST(asked(&in, ALSAMM_QUERY | ALSAMM_SYNC_HWSYNC).hw_ptr == before);
    MUST(fast_set_appl_ptr(&out.ring.pages, before) == 0 && fast_set_appl_ptr(&in.ring.pages, before) == 0);
    MUST(fast_set_frame(&out.ring, (long long)before) == 0 && fast_set_frame(&in.ring, (long long)before) == 0);
    for (rounds = 0; rounds < 12; rounds++) {
        struct alsamm_place place;
        long long frame;

        for (int i = 0; i < FRAMES; i++)
            written[i] = next++;
        MUST(fast_write_array(&out.ring, (uintptr_t)&source) == 0 && out.ring.done == FRAMES);
        MUST(fast_frame(&out.ring, &frame) == 0 && frame == (long long)before + (rounds + 1) * FRAMES);
        MUST(sim_advance(card, FRAMES) == 0);
        MUST(fast_take(&in.ring, (uintptr_t)&target) == 1);
        asked(&in, ALSAMM_QUERY | ALSAMM_SYNC_HWSYNC);
        MUST(fast_avail(&in.ring) == FRAMES && fast_read(&in.ring) == 0);
        for (int i = 0; i < FRAMES; i++)
            MUST(heard[i] == expected++);
        asked(&out, ALSAMM_QUERY | ALSAMM_SYNC_HWSYNC);
        MUST(fast_appl_ptr(&out.ring.pages) < (long long)boundary && fast_avail(&out.ring) == BUFFER);
        MUST(fast_frame(&in.ring, &frame) == 0);
        MUST(fast_place(&in.ring, &place) == 0 && place.frame == frame && place.time_ns > 0);
        wrapped |= (unsigned long)fast_appl_ptr(&out.ring.pages) < before;
    }
    printf("%lu %d\n", boundary, wrapped);
    close_stream(&out);
    close_stream(&in);
    sim_card_free(card);
    return 0;
}

int main(int count, char **arguments)
{
    const char *what = count == 2 ? arguments[1] : "";

    if (strcmp(what, "ring") == 0)
        return ring();
    if (strcmp(what, "convert") == 0)
        return convert();
    return strcmp(what, "stream") == 0 ? stream() : 2;
}
