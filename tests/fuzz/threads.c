/* The threads: native callbacks on a realtime card, started, stopped, finished and joined in any order, while the card
 * misbehaves and others look at the rings: native.c, native_loop.c, sim_clock.c, the sleeps of wait.c and blocking.c,
 * interruptions.c, realtime.c. The edge: while its thread runs, nobody else moves a ring's samples or pointers, changes or
 * closes it (stream/native.py), but the card and its descriptor are anybody's; a struct alsamm_native is that long there. */
#define _GNU_SOURCE
#include <errno.h>
#include <unistd.h>

#include "sides.h"

enum { THREADS = 2 };

struct thread {
    struct alsamm_native native;
    struct side *sides[2];      /* playback, capture; NULL: not that direction */
    int started;
    long long frames;           /* as the callback counts */
    unsigned int calls, answer_after;
    int answer;
};

struct world {
    struct sim_card *card;
    struct side sides[2];
    struct thread threads[THREADS];
    char *samples;
};

/* Whole frames within the ring. */
static void check_place(const struct side *side, const void *at, unsigned long frames)
{
    size_t bytes;

    MUST(!side == !at);
    if (!side)
        return;
    bytes = frames * side->ring.sample_bytes * side->ring.channels;
    MUST((const char *)at >= side->ring.areas[0].base);
    MUST((const char *)at + bytes <= side->ring.areas[0].base + side->ring.areas[0].step * side->ring.buffer_size);
    MUST(frames <= side->ring.period_size);
}

static int on_period(void *playback, const void *capture, unsigned long frames, long long frame, void *user)
{
    struct thread *thread = user;

    MUST(frames > 0 && frame == thread->frames);
    check_place(thread->sides[0], playback, frames);
    check_place(thread->sides[1], capture, frames);
    thread->frames += (long long)frames;
    if (playback)
        memset(playback, (int)frame, frames * thread->sides[0]->ring.sample_bytes * thread->sides[0]->ring.channels);
    return ++thread->calls > thread->answer_after ? thread->answer : 0;
}

static struct thread *thread_of(struct world *world, const struct side *side)
{
    for (int i = 0; i < THREADS; i++)
        if (world->threads[i].started && (world->threads[i].sides[0] == side || world->threads[i].sides[1] == side))
            return &world->threads[i];
    return NULL;
}

/* Of a pair, who mends one mends the other too. */
static int in_use(struct world *world, const struct side *side)
{
    return thread_of(world, side) || (side->ring.partner && thread_of(world, &world->sides[!side->ring.capture]));
}

static void start(struct world *world, struct thread *thread, struct bytes *in)
{
    unsigned int kind = byte(in);
    struct side *sides[2] = {kind & 1 ? &world->sides[0] : NULL, kind & 2 ? &world->sides[1] : NULL};

    if (thread->started) {
        MUST(alsamm_native_start(&thread->native) == -EBUSY);
        return;
    }
    for (int i = 0; i < 2; i++) {
        if (sides[i] && in_use(world, sides[i]))
            return;
        if (sides[i])
            sides[i]->ring.recover = kind >> 2 & 1;
    }
    *thread = (struct thread){.sides = {sides[0], sides[1]}, .answer_after = byte(in), .answer = (int)(byte(in) % 3) - 1};
    thread->native = (struct alsamm_native){.callback = kind >> 3 ? on_period : NULL, .user = thread,
                                            .playback = sides[0] ? &sides[0]->ring : NULL,
                                            .capture = sides[1] ? &sides[1]->ring : NULL};
    if (kind >> 4 == 0 && sides[0] && sides[1]) /* the other way round, if it can */
        thread->native.playback = &sides[1]->ring, thread->native.capture = &sides[0]->ring;
    thread->started = alsamm_native_start(&thread->native) == 0;
}

static void join(struct thread *thread, int timeout_ms)
{
    const struct alsamm_native *native = &thread->native;
    int result;

    do
        result = alsamm_native_join(&thread->native, timeout_ms);
    while (result == -EINTR); /* libFuzzer's own alarm */
    if (result == -ETIMEDOUT && timeout_ms >= 0)
        return;
    MUST(result == 0);
    if (thread->started) {
        MUST(!native->running && !native->calling && native->result <= 0);
        MUST(native->frames == thread->frames && native->callbacks == thread->calls);
        MUST(native->busy_ns >= native->longest_callback_ns && native->longest_callback_ns >= 0);
    }
    thread->started = 0;
}

static void close_it(struct world *world, struct side *side)
{
    struct thread *thread = thread_of(world, side);
    struct alsamm_ring *partner;

    if (thread) {
        fast_native_stop(&thread->native);
        join(thread, -1);
    }
    partner = side->ring.partner; /* it may have parted them */
    if (partner)
        partner->partner = NULL, partner->linked = 0;
    close_side(side);
}

static void pair(struct world *world, int apart)
{
    struct alsamm_ring *playback = &world->sides[0].ring, *capture = &world->sides[1].ring;
    long ignored;

    for (int i = 0; i < 2; i++)
        if (!world->sides[i].mapped || in_use(world, &world->sides[i]))
            return;
    playback->partner = apart ? NULL : capture;
    capture->partner = apart ? NULL : playback;
    playback->linked = capture->linked =
        !apart && alsamm_pcm_op(playback->pages.fd, ALSAMM_LINK, capture->pages.fd, &ignored) == 0;
}

/* What any thread may ask. */
static void look(struct world *world, struct side *side, struct bytes *in)
{
    struct alsamm_ring *ring = &side->ring;
    struct alsamm_told told = {.first = (unsigned long)number(in)};
    struct alsamm_place place;
    struct sim_truth truth;
    long long frame;
    int priority;

    switch (byte(in) % 8) {
    case 0: if (side->mapped) fast_frame(ring, &frame); break;
    case 1: if (side->mapped) fast_place(ring, &place); break;
    case 2:
        fast_interruptions(ring, &told);
        MUST(told.first >= told.end || told.end - told.first <= ALSAMM_INTERRUPTIONS);
        break;
    case 3: fast_hw_ptr(&ring->pages); fast_appl_ptr(&ring->pages); fast_state(&ring->pages); break;
    case 4: fast_tstamp_ns(&ring->pages); fast_audio_tstamp_ns(&ring->pages); fast_avail_min(&ring->pages); break;
    case 5: sim_truth_of(world->card, side->ring.capture, &truth); break;
    case 6: MUST(alsamm_get_scheduler(&priority) >= 0); break;
    default: alsamm_lock_memory((int)number(in)); alsamm_unlock_memory(); break; /* nothing, under ASan */
    }
}

/* By the ring's owner, asleep in earnest. */
static void block(struct world *world, struct side *side, struct bytes *in)
{
    struct alsamm_ring *ring = &side->ring;
    int ms = (int)(byte(in) % 4), signal_fd = (int)number(in), revents;
    Py_ssize_t dimensions[3] = {byte(in) * 4, ring->channels, 3};
    Py_ssize_t strides[3] = {(Py_ssize_t)(ring->item_bytes * ring->channels), (Py_ssize_t)ring->item_bytes, 1};
    struct array array = {.data = world->samples, .nd = ring->packed + 2, .dimensions = dimensions, .strides = strides,
                          .descr = (PyObject *)&descr, .flags = 0x0400};
    uintptr_t address = (uintptr_t)&array;

    if (!side->mapped || in_use(world, side))
        return;
    switch (byte(in) % 7) {
    case 0: alsamm_poll(side->fd, (int)number(in), ms, &revents); break;
    case 1: alsamm_wait(ring, ms); break;
    case 2: if (!ring->capture) alsamm_drain(ring, ms); break;
    case 3: alsamm_prepare(ring); break;
    case 4: alsamm_start_at(ring, (long long)(byte(in) % 3) * -1000); break;
    case 5: if (fast_take(ring, address) == 1) alsamm_write_all(ring, address, signal_fd, ms); break;
    default: if (fast_take(ring, address) == 1) alsamm_fill(ring, address, signal_fd, ms); break;
    }
    MUST(ring->done >= 0 && ring->done <= (ring->block.array ? ring->block.frames : 0));
    ring->block.array = NULL;
    ring->done = 0;
}

/* Two channels of 16 bits, mapped with both pages and prepared: what a fuzzer does not often come to by itself. */
static void open_usual(struct world *world)
{
    static const uint8_t answers[] = {0, 2, 1, 1, 2, 0, 0, 0, 0, 1, 0, 0, 1, 1, 1};

    for (int i = 0; i < 2; i++) {
        struct bytes usual = {answers, answers + sizeof answers};

        open_side(&world->sides[i], world->card, i, &usual);
    }
}

static void step(struct world *world, struct bytes *in)
{
    unsigned int what = byte(in);
    struct side *side = &world->sides[what >> 7];
    struct thread *thread = &world->threads[what >> 6 & 1];
    long result;

    switch (what % 16) {
    case 0:
    case 1: open_side(side, world->card, (int)(what >> 7), in); break;
    case 2: if (byte(in) > 200) close_it(world, side); break;
    case 3: pair(world, byte(in) > 200); break;
    case 4:
    case 5: start(world, thread, in); break;
    case 6: fast_native_stop(&thread->native); break;
    case 7: fast_native_finish(&thread->native); break;
    case 8: join(thread, (int)(byte(in) % 4)); break;
    case 9: sim_fault(world->card, (enum sim_fault)byte(in) % 12, (int)number(in), (long)number(in)); break;
    case 10: sim_set_speed(world->card, 1 + byte(in) / 8.0); break;
    case 11: alsamm_pcm_op(side->fd, (enum alsamm_op)(byte(in) % 13), (long)number(in), &result); break;
    case 12: look(world, side, in); break;
    case 13:
    case 14: block(world, side, in); break;
    default: usleep(byte(in) * 8); break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = {data, data + size};
    struct sim_config config = make_config(&in);
    struct world world = {.samples = malloc(BYTES * 16)};

    MUST(world.samples);
    memset(world.samples, 0x33, BYTES * 16);
    for (int i = 0; i < 2; i++)
        world.sides[i] = (struct side){.fd = -1, .ring = {.pages = {.fd = -1}}};
    config.clock = SIM_CLOCK_REALTIME;
    config.speed = 1 + (config.speed > 32 ? 32 : config.speed < 0 ? 0 : config.speed); /* what a machine keeps up with */
    config.rate_max = 48000;
    config.record = 0;
    if (sim_card_new(&config, &world.card) == 0) {
        unsigned int usual = byte(&in);

        if (usual & 1)
            open_usual(&world);
        if (usual & 2)
            pair(&world, 0);
        while (in.at < in.end)
            step(&world, &in);
        sim_fault(world.card, SIM_FAULT_UNPLUG, 0, 1); /* which wakes whoever sleeps */
        for (int i = 0; i < 2; i++)
            close_it(&world, &world.sides[i]);
        for (int i = 0; i < THREADS; i++)
            join(&world.threads[i], -1);
        sim_card_close(world.card);
    }
    free(world.samples);
    return 0;
}
