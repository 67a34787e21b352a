/* What Python may call of our own C. This one file is read by the compiler and by cffi (build_ffi.py), so that a
 * declaration stands once. Nothing here names a kernel struct: <sound/asound.h> and <alsa/asoundlib.h> do not
 * compile together, so kernel structs live in our C files and never here.
 *
 * Results: zero or more is success, a negative value is -errno (as in alsa-lib).
 * A name that begins with fast_ keeps the GIL (gil.h): it never sleeps and its work is bounded. */
#ifndef ALSAMM_SHIM_H
#define ALSAMM_SHIM_H

#include <stddef.h>
#include <stdint.h>

/* ---- kernel.c: a PCM's file descriptor, whether the kernel's or the software card's ---- */

struct alsamm_info {
    int protocol;               /* SNDRV_PCM_IOCTL_PVERSION */
    unsigned int device, subdevice;
    int capture, card;
    char id[64], name[80];
};

/* What the driver says of itself, as far as it decides what may be mapped (rules C3, C4, F4). */
struct alsamm_abilities {
    unsigned int info;          /* SNDRV_PCM_INFO_* */
    int mmap, sync_applptr, explicit_sync, no_rewinds;
};

/* One answer of SYNC_PTR: taken under the kernel's lock, so its parts belong together (rule D5). */
struct alsamm_snapshot {
    int state, suspended_state;
    unsigned long hw_ptr, appl_ptr, avail_min;
    long long tstamp_ns, audio_tstamp_ns;
};

struct alsamm_status {
    int state, suspended_state;
    long long trigger_tstamp_ns, tstamp_ns, audio_tstamp_ns, driver_tstamp_ns;
    unsigned long appl_ptr, hw_ptr, avail, avail_max, overrange;
    long delay;
};

struct alsamm_channel_info {
    long long offset;           /* bytes: where to map */
    unsigned int first, step;   /* bits */
};

enum alsamm_op {
    ALSAMM_PREPARE, ALSAMM_RESET, ALSAMM_START, ALSAMM_DROP, ALSAMM_DRAIN, ALSAMM_PAUSE, ALSAMM_RESUME,
    ALSAMM_XRUN, ALSAMM_HWSYNC, ALSAMM_LINK, ALSAMM_UNLINK, ALSAMM_REWIND, ALSAMM_FORWARD
};

enum {
    ALSAMM_SYNC_HWSYNC = 1, ALSAMM_SYNC_GET_APPL = 2, ALSAMM_SYNC_GET_AVAIL_MIN = 4, /* set means get: rule D1 */
    ALSAMM_QUERY = 6                                                                 /* get both, change nothing */
};

int alsamm_hello(int fd, struct alsamm_info *out);
int alsamm_get_abilities(int fd, struct alsamm_abilities *out);
int alsamm_pcm_op(int fd, enum alsamm_op op, long argument, long *result);
int alsamm_get_status(int fd, struct alsamm_status *out);
int alsamm_get_delay(int fd, long *out);
int alsamm_get_channel_info(int fd, unsigned int channel, struct alsamm_channel_info *out);
int alsamm_transfer(int fd, int capture, void *frames_memory, unsigned long frames, long *result);
int alsamm_poll(int fd, int events, int timeout_ms, int *revents);
int fast_sync_ptr(int fd, int flags, struct alsamm_snapshot *io);
int fast_refusal(int fd, int error);

/* ---- mapping.c: mmap of a PCM ---- */

enum alsamm_page { ALSAMM_STATUS_PAGE, ALSAMM_CONTROL_PAGE };
int alsamm_map_page(int fd, enum alsamm_page page, void **out);
int alsamm_map_data(int fd, long long offset, size_t length, int writable, void *at, void **out);
void *alsamm_reserve(size_t length);
void alsamm_unmap_page(void *page);
int alsamm_unmap(void *address, size_t length);
int alsamm_blank(void *address, size_t length);     /* unmaps, and leaves zeros in the place */
int alsamm_forked(void *address, size_t length);
size_t alsamm_page_size(void);

/* ---- convert.c: one sample format into another ---- */

struct alsamm_sample {          /* how one sample lies in memory */
    int bytes;                  /* 1, 2, 3, 4, 8 */
    int bits;                   /* that mean something: 8 to 32; 32 or 64 for floats */
    int is_float, is_signed;
    int swapped;                /* in the other byte order than this machine's */
};

struct alsamm_converter {
    struct alsamm_sample from, to;
    int dither;                 /* TPDF, +-1 step of the target */
    /* what follows is fast_converter's */
    int simd;                   /* the level in use */
    const void *level;          /* NULL: not ready */
    void *kernel;
    int dithers;                /* for this pair it does something */
    int from_kind, to_kind, from_shift, to_shift, to_rest, to_half, to_top;
    unsigned int flip, offset;
    double scale, low, high, ceiling;
};

/* from, to and dither are filled in by the caller. simd: the most to use, -1 for the best that this machine has.
 * -EINVAL: neither side is one of the four that numpy users hold (this machine's int16, int32, float32, float64). */
int fast_converter(struct alsamm_converter *converter, int simd);
/* The best level that this machine has; 0 is the portable one. */
int fast_simd(void);
/* Samples of one run; steps in bytes. index and index_step: which random number a sample's dither is made of. */
int fast_convert(const struct alsamm_converter *converter, char *to, long to_step, const char *from, long from_step,
                 long samples, unsigned long long index, long index_step);

/* ---- pages.c, ring.c, array.c, samples.c, blocking.c, wait.c: pointers and samples ---- */

/* The status and control pages of one PCM. NULL: the kernel refuses that page, SYNC_PTR on fd stands in. */
struct alsamm_pages {
    int fd;                     /* ours (a dup), or -1 once closed */
    void *status, *control;
};

/* SYNC_PTR's last answer to a ring's owner; pages.c says for how long it holds. */
struct alsamm_answer {
    int state;
    unsigned long hw_ptr, appl_ptr, avail_min;
    long long when_ns;          /* CLOCK_MONOTONIC; 0: there is none that holds */
    unsigned long moves;        /* alsamm_moves at the time */
    int avail_told;             /* fast_avail has used it: each answer serves one avail, else avail could stand still */
};

struct alsamm_area {            /* where a channel's samples are: frame n at base + n * step */
    char *base;
    size_t step;
};

/* The caller's samples: frame f, channel c at samples + f * frame_stride + c * channel_stride (bytes). */
struct alsamm_block {
    char *samples;
    long frames, frame_stride, channel_stride;
    void *array;                /* the numpy array that says so; NULL: there is no block */
};

/* The card counts from 0 again after PREPARE and at the boundary; a stream's frames are counted for ever. */
struct alsamm_anchor {
    long long frame;            /* the number in the stream of the frame that ... */
    unsigned long pointer;      /* ... appl_ptr counts so; anew whenever appl_ptr goes back */
    unsigned int version;       /* odd while the two are being changed */
};

struct alsamm_place {           /* a frame and the time at which the card was there; they belong together */
    long long frame, time_ns;
};

struct alsamm_interruption {    /* a stop of the card, which recovery.c has mended */
    int suspended;              /* else an xrun */
    long long time_ns, gap_ns;  /* of the PCM's clock; until it ran again, 0 where that is left to the caller */
    long long frame, resumed;   /* the first one lost, or that would have been; the one that it went on with */
    unsigned long lost, silence;
};

enum {
    ALSAMM_INTERRUPTIONS = 16,  /* that are told; one more is kept, for it may be being written */
    ALSAMM_INTERRUPTION_SLOTS
};

struct alsamm_ring {
    struct alsamm_pages pages;
    struct alsamm_answer last;
    int capture;
    unsigned int channels, sample_bytes;
    char *memory;               /* where all areas lie */
    size_t memory_bytes;
    struct alsamm_area *areas;  /* one a channel */
    int value_bits;             /* of a sample padded to 32 bits, whose padding is set right on reading, else 0 (rule F6) */
    int value_signed;
    int contiguous;             /* all samples of a frame lie side by side, frame after frame */
    int swapped;                /* sample bytes are in the other order than this machine's */
    unsigned long buffer_size, period_size, boundary;
    unsigned long start_threshold;
    int stops;                  /* where it runs dry: stop_threshold is not the boundary */
    long long half_period_ns, buffer_ns;
    int no_period_wakeup;       /* poll is never woken by the card (rule H6) */
    unsigned char silence[8];   /* the bytes of one silent sample */

    const void *descr;          /* the numpy dtype of the caller's arrays: the object, by its address */
    int packed;                 /* its samples are three bytes on an axis of their own */
    unsigned int item_bytes;    /* of a sample in the caller's array */
    struct alsamm_converter *converter; /* from the caller's dtype to the ring's format or back; NULL: they are the same */
    int in_use;                 /* somebody moves the block's frames, or takes another: direct_enter */
    struct alsamm_block block;  /* what fast_take took last, with a reference to its array */
    unsigned long takes;        /* how often it took something */
    long done;                  /* frames that the last write or read moved, or has moved so far */

    int recover;                /* what the blocking calls do after an xrun or a suspend: enum alsamm_recovery */
    unsigned long refill;       /* frames of silence that playback begins anew with; 0: it waits for start_threshold */
    struct alsamm_ring *partner; /* of duplex: what stops one stops both, and both begin anew together; or NULL */
    int linked;                 /* with the partner, in the kernel: one PREPARE and one START do for both */
    struct alsamm_anchor anchor;
    struct alsamm_place still;  /* what fast_place told last of a stream that did not move */
    unsigned long xruns, suspends, interrupted; /* the last is the sum */
    long long lost;             /* frames, of all interruptions */
    struct alsamm_interruption interruptions[17]; /* ALSAMM_INTERRUPTION_SLOTS: number n at n modulo that */
    long long waited_ns, longest_wait_ns; /* asleep in the blocking calls */
    unsigned long latest;       /* the most frames by which avail was more than avail_min when a blocking call looked */
};

enum alsamm_recovery {
    ALSAMM_RAISE,               /* -EPIPE, -ESTRPIPE */
    ALSAMM_RECOVER,             /* go on */
    ALSAMM_RECOVER_AND_TELL     /* go on, but come back first, with -ERESTART: call again */
};

struct alsamm_spans {           /* the one or two runs of frames that can be moved now */
    unsigned long avail;        /* larger than the buffer when late */
    unsigned long offset;       /* of the first run, in frames from the ring's start */
    unsigned long first, second;
};

/* What fast_commit and the reads and writes of a block answer: 0, or these bits. How many frames, ring->done says. */
enum {
    ALSAMM_START_DUE = 1,       /* START is to be issued (rule G6) */
    ALSAMM_PARTIAL = 2          /* there was room or data for a part of the block only */
};

long long fast_hw_ptr(struct alsamm_pages *pages);
long long fast_appl_ptr(struct alsamm_pages *pages);
long long fast_avail_min(struct alsamm_pages *pages);
long long fast_state(struct alsamm_pages *pages);
long long fast_tstamp_ns(struct alsamm_pages *pages);
long long fast_audio_tstamp_ns(struct alsamm_pages *pages);
int fast_set_appl_ptr(struct alsamm_pages *pages, unsigned long value);
int fast_set_avail_min(struct alsamm_pages *pages, unsigned long value);

long fast_avail(struct alsamm_ring *ring);
int fast_ready(struct alsamm_ring *ring);
int fast_spans(struct alsamm_ring *ring, struct alsamm_spans *out);
long fast_commit(struct alsamm_ring *ring, long frames);

struct alsamm_array_fields {    /* what array.c believes of a numpy array */
    uintptr_t data, descr;
    int axes, writeable;
    long length, stride;        /* of the first axis */
};
int fast_array_fields(uintptr_t array, struct alsamm_array_fields *out);
int fast_take(struct alsamm_ring *ring, uintptr_t array);
int fast_block_holds(struct alsamm_ring *ring);

/* They move as much of ring->block as there is room or data for. 0: all of it, and nothing is left to do; -ESTALE: its
 * array has changed since fast_take, or is not `array`; -E2BIG, of the fast_ ones: too long a copy to keep the GIL for. -EALREADY, from all
 * that touch the block: another thread does just now. */
long fast_write(struct alsamm_ring *ring);
long fast_write_array(struct alsamm_ring *ring, uintptr_t array); /* fast_take, then fast_write; -ESTALE: not taken */
long alsamm_write(struct alsamm_ring *ring, uintptr_t array);
long fast_read(struct alsamm_ring *ring);
long fast_read_array(struct alsamm_ring *ring, uintptr_t array);
long alsamm_read(struct alsamm_ring *ring, uintptr_t array);
long alsamm_peek(struct alsamm_ring *ring, uintptr_t array); /* a read that commits nothing */
int alsamm_fill_silence(struct alsamm_ring *ring);

/* ---- recovery.c: PREPARE and xruns, for a stream whose frames are counted on ---- */

int alsamm_prepare(struct alsamm_ring *ring);
/* After an xrun or a suspend, of the partner too. -EAGAIN: the system is not awake yet; -EBADFD: nothing to recover from. */
int alsamm_recover(struct alsamm_ring *ring);
/* The number of the next frame to commit; -EAGAIN as fast_place. Any thread. */
int fast_frame(struct alsamm_ring *ring, long long *frame);
int fast_set_frame(struct alsamm_ring *ring, long long frame);

int fast_place(struct alsamm_ring *ring, struct alsamm_place *out); /* any thread that holds the GIL */
struct alsamm_told {            /* the interruptions of the numbers first to end - 1 */
    unsigned long first, end;
    struct alsamm_interruption of[16]; /* ALSAMM_INTERRUPTIONS: number n at n modulo that */
};
int fast_interruptions(struct alsamm_ring *ring, struct alsamm_told *out); /* from out->first on, or later; any thread */
/* START at a time of CLOCK_MONOTONIC. -EINTR: a signal, or time to look whether one came: call again to go on. */
int alsamm_start_at(struct alsamm_ring *ring, long long when_ns);

/* ---- blocking.c, wait.c ---- */

/* From frame ring->done of the block to its end. 0: all is moved; -ETIMEDOUT; -EIO: the card stands still; -EDEADLK: it
 * never will move; -EINTR: a signal, which Python must see: then call again to go on. */
int alsamm_write_all(struct alsamm_ring *ring, uintptr_t array, int signal_fd, int timeout_ms);
int alsamm_fill(struct alsamm_ring *ring, uintptr_t array, int signal_fd, int timeout_ms);

int alsamm_wait(struct alsamm_ring *ring, int timeout_ms);
int alsamm_wait_patiently(struct alsamm_ring *ring);    /* for a buffer and a second */
int alsamm_drain(struct alsamm_ring *ring, int timeout_ms);

/* ---- native.c: a callback in C, run by a thread that knows nothing of Python ---- */

/* One thread and what it serves: one ring, or both (duplex). Filled in by the caller, and must live until the thread is
 * joined. What the thread tells may be read while it runs, each number by itself. */
struct alsamm_native {
    struct alsamm_ring *playback, *capture; /* NULL: not that direction; both: they are partners */
    /* `frames` side by side in the rings, at most a period; `frame`: how many were given before these. 0: go on; 1: stop
     * when what is in the ring was played; anything else: at once, and these frames are not played. */
    int (*callback)(void *playback, const void *capture, unsigned long frames, long long frame, void *user);
    void *user;
    /* what the thread tells */
    int result;                 /* 0: it was asked to stop, or the callback said so; else -errno */
    int told;                   /* the callback's last answer */
    int running, calling;
    unsigned long callbacks;
    long long frames, longest_callback_ns, busy_ns;
    /* its own */
    int stop, joinable, ended_fd, pid;
    uintptr_t thread;
};

/* -EOPNOTSUPP: a ring whose samples do not lie side by side, or are to be converted; -EBUSY: it was not joined yet. */
int alsamm_native_start(struct alsamm_native *native);
void fast_native_stop(struct alsamm_native *native); /* asks; within 20 ms, or when the callback returns */
void fast_native_finish(struct alsamm_native *native); /* likewise, and plays what is in the ring; a stop is the stronger */
/* 0: it has ended, and may be started again; -ETIMEDOUT; -EINTR: a signal; -ECHILD: it was the parent's (fork). */
int alsamm_native_join(struct alsamm_native *native, int timeout_ms);

/* ring.h's arithmetic, for the tests that hold it against direct/ring.py */
unsigned long fast_ring_advance(unsigned long pointer, unsigned long frames, unsigned long boundary);
unsigned long fast_ring_avail(int capture, unsigned long hw_ptr, unsigned long appl_ptr,
                              unsigned long buffer_size, unsigned long boundary);

/* ---- realtime.c: the calling thread's scheduler, the process's memory ---- */

int alsamm_get_scheduler(int *priority);            /* the policy, with SCHED_RESET_ON_FORK */
int alsamm_set_scheduler(int policy, int priority);
int alsamm_lock_memory(int future);                 /* all of it; future: also what is still to be allocated */
int alsamm_unlock_memory(void);                     /* whoever locked it */

#endif
