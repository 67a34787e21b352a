/* The software card and the direct code on it, call after call with any arguments: kernel.c, mapping.c, pages.c, ring.c,
 * array.c, samples.c, recovery.c, wait.c, blocking.c and sim_*.c. The edge: what a pointer points to is as large as it is
 * said to be (block_io.py, mapping.py); arrays are numpy's, which lie where they say; nothing else is believed. */
#define _GNU_SOURCE
#include "sides.h"

struct world {
    struct sim_card *card;
    int auto_clock;
    struct side sides[2];
    char *samples;              /* BYTES of them, whose redzones are watched */
};

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

static void after_move(struct alsamm_ring *ring)
{
    MUST(ring->done >= 0 && ring->done <= (ring->block.array ? ring->block.frames : 0));
    MUST(fast_block_holds(ring) == (ring->block.array != NULL));
    ring->block.array = NULL;
    ring->done = 0;
}

/* A frame of stride 0 can be had 2^50 times, and an appl_ptr that was set anywhere leaves room for them all: until a signal,
 * which nobody sends here. */
static int takes_moment(struct alsamm_ring *ring, uintptr_t address)
{
    return fast_take(ring, address) == 1 && ring->block.frames <= 1 << 16;
}

static void move(struct world *world, struct side *side, struct bytes *in)
{
    struct array array;
    Py_ssize_t dimensions[4], strides[4];
    struct alsamm_ring *ring = &side->ring;
    uintptr_t address = (uintptr_t)&array;
    struct alsamm_array_fields fields;

    if (!side->mapped || !make_array(world, side, in, &array, dimensions, strides))
        return;
    MUST(fast_array_fields(address, &fields) == 0 && fields.axes == array.nd);
    switch (byte(in) % 8) {
    case 0: fast_write_array(ring, address); break;
    case 1: if (fast_take(ring, address) == 1) fast_write(ring); break;
    case 2: if (fast_take(ring, address) == 1) alsamm_write(ring, address); break;
    case 3: if (fast_take(ring, address) == 1) fast_read(ring); break;
    case 4: if (fast_take(ring, address) == 1) alsamm_read(ring, address); break;
    case 5: if (fast_take(ring, address) == 1) alsamm_peek(ring, address); break;
    case 6: if (takes_moment(ring, address)) alsamm_write_all(ring, address, -1, 0); break;
    default: if (takes_moment(ring, address)) alsamm_fill(ring, address, -1, 0); break;
    }
    after_move(ring);
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

/* On the auto clock, to which waiting is time; a card that stands still waits in earnest. */
static void wait_a_little(struct world *world, struct side *side, struct bytes *in)
{
    struct array array;
    Py_ssize_t dimensions[4], strides[4];
    struct alsamm_ring *ring = &side->ring;
    uintptr_t address = (uintptr_t)&array;
    int ms = (int)(byte(in) % 4), signal_fd = (int)number(in), revents;

    if (!side->mapped || !world->auto_clock || !make_array(world, side, in, &array, dimensions, strides))
        return;
    switch (byte(in) % 6) {
    case 0: alsamm_poll(side->fd, (int)number(in), ms, &revents); break;
    case 1: alsamm_wait(ring, ms); break;
    case 2: alsamm_wait_patiently(ring); break;
    case 3: if (!ring->capture) alsamm_drain(ring, ms); break;
    case 4: if (fast_take(ring, address) == 1) alsamm_write_all(ring, address, signal_fd, ms); break;
    default: if (fast_take(ring, address) == 1) alsamm_fill(ring, address, signal_fd, ms); break;
    }
    after_move(ring);
}

/* A place for a mapping, with or without one in it. */
static void reserve(struct side *side, struct bytes *in)
{
    size_t length = (size_t)number(in);
    void *at, *place = alsamm_reserve(length);

    if (!place)
        return;
    alsamm_map_data(side->fd, number(in), byte(in) & 1, byte(in) & 1, place, &at); /* a page at the most */
    if (byte(in) & 1)
        alsamm_blank(place, length);
    alsamm_unmap(place, length);
    if (alsamm_forked(place, length) == 0)
        munmap(place, length);
}

/* Whatever takes a descriptor, with any. */
static void any_fd(struct world *world, struct bytes *in)
{
    int fd = (int)number(in), flags = (int)number(in);
    struct sim_setup setup = {.access = 0, .format = 2, .channels = 2, .rate = 48000, .period_size = 16, .buffer_size = 64};
    struct sim_sw_setup sw = {.tstamp_type = 1, .avail_min = 16, .stop_threshold = 64};
    struct alsamm_snapshot now = {.appl_ptr = (unsigned long)number(in)};
    struct alsamm_abilities abilities;
    struct alsamm_status status;
    struct alsamm_channel_info place;
    long result;
    void *at;

    switch (byte(in) % 11) {
    case 0: alsamm_get_abilities(fd, &abilities); break;
    case 1: alsamm_pcm_op(fd, (enum alsamm_op)flags, (long)number(in), &result); break;
    case 2: alsamm_get_status(fd, &status); break;
    case 3: alsamm_get_delay(fd, &result); break;
    case 4: alsamm_get_channel_info(fd, (unsigned int)flags, &place); break;
    case 5: alsamm_transfer(fd, flags & 1, world->samples, byte(in), &result); break;
    case 6: fast_sync_ptr(fd, flags, &now); break;
    case 7: if (alsamm_map_page(fd, (enum alsamm_page)flags, &at) == 0) alsamm_unmap_page(at); break;
    case 8: sim_sw_params(fd, &sw); break;
    case 9: sim_hw_params(fd, &setup); break;
    default: sim_close(fd); break; /* of a side too, behind its back */
    }
}

static void rest(struct world *world, struct side *side, struct bytes *in)
{
    struct array array;
    Py_ssize_t dimensions[4], strides[4];
    struct alsamm_abilities abilities;
    struct alsamm_told told = {.first = (unsigned long)number(in)};

    switch (byte(in) % 8) {
    case 0: any_fd(world, in); break;
    case 1: reserve(side, in); break;
    case 2:
    case 3: wait_a_little(world, side, in); break;
    case 4:
        fast_interruptions(&side->ring, &told);
        MUST(told.first >= told.end || told.end - told.first <= ALSAMM_INTERRUPTIONS);
        break;
    case 5:
        alsamm_get_abilities(side->fd, &abilities);
        fast_avail_min(&side->ring.pages);
        if (byte(in) > 200)
            sim_hw_free(side->fd);
        break;
    case 6:
        if (side->mapped && make_array(world, side, in, &array, dimensions, strides)) {
            fast_read_array(&side->ring, (uintptr_t)&array);
            after_move(&side->ring);
        }
        break;
    default:
        fast_ring_advance((unsigned long)number(in), (unsigned long)number(in), (unsigned long)number(in));
        fast_ring_avail(byte(in) & 1, (unsigned long)number(in), (unsigned long)number(in), (unsigned long)number(in),
                        (unsigned long)number(in) & LONG_MAX);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = {data, data + size};
    struct sim_config config = make_config(&in);
    struct world world = {.samples = malloc(BYTES), .auto_clock = config.clock == SIM_CLOCK_AUTO};

    MUST(world.samples);
    memset(world.samples, 0x33, BYTES);
    for (int i = 0; i < 2; i++)
        world.sides[i] = (struct side){.fd = -1, .ring = {.pages = {.fd = -1}}};
    if (sim_card_new(&config, &world.card) == 0) {
        while (in.at < in.end) {
            unsigned int what = byte(&in);
            struct side *side = &world.sides[what >> 7];

            switch (what % 8) {
            case 0: open_side(side, world.card, (int)(what >> 7), &in); break;
            case 1:
            case 2: move(&world, side, &in); break;
            case 3: pointers(side, &in); break;
            case 4:
            case 5: drive(world.card, world.sides[0].fd >= 0 || world.sides[1].fd >= 0, world.samples, &in); break;
            case 6: act(&world, side, &in); break;
            default: if (byte(&in) > 200) close_side(side); else rest(&world, side, &in); break;
            }
        }
        close_side(&world.sides[0]);
        close_side(&world.sides[1]);
        sim_card_free(world.card);
    }
    free(world.samples);
    return 0;
}
