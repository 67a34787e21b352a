/* Inside the software card. One mutex a card guards all of it; pages are written by atomic stores, because clients read
 * them without the lock. Names follow the kernel's struct snd_pcm_runtime. */
#ifndef ALSAMM_SIM_CORE_H
#define ALSAMM_SIM_CORE_H

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>
#include <sound/asound.h>

#include "moves.h"
#include "sim.h"
#include "sim_device.h"

#define SIM_NS 1000000000LL
#define SIM_DATA_END 0x80000000UL   /* the data area ends where the status page begins */
#define SIM_STATUS 0x80000000LL      /* SNDRV_PCM_MMAP_OFFSET_STATUS_OLD, where the one page there is lies in the file */
#define SIM_CONTROL 0x81000000LL
#define SIM_FILE_END 0x82000000LL
#define SIM_CHANNEL_STRIDE 65536UL  /* rule F2, as RME's hdsp.c */
#define SIM_SCRATCH 65536UL

struct sim_pcm {
    /* set at open, never changed */
    struct sim_card *card;
    dev_t device;
    ino_t inode;
    int capture;

    atomic_int references;          /* sim_registry.c */
    atomic_int over;                /* gone for ever: its place in the registry is too, once no descriptor belongs to it */
    struct sim_pcm *next;           /* in the registry, newest first; under its lock */
    int memfd;                      /* the card's own descriptor; -1: this PCM is gone for ever */
    int client_fd, event_fd;        /* alsa-lib's; -1 when the PCM was opened without it */
    int event_set;
    int closing;                    /* closed by its opener, kept by mappings or dup()ed fds (rule C10) */
    int shutdown;                   /* unplugged (rule A6) */
    atomic_int mmap_count, page_maps;
    volatile struct snd_pcm_mmap_status *status;
    volatile struct snd_pcm_mmap_control *control;
    char *data;
    size_t data_length;

    int state, suspended_state;
    int user_pversion;
    int nonblock;                   /* as the file was at PREPARE (f_flags) */

    /* hw_params */
    int access, format;
    unsigned int channels, rate, info;
    size_t sample_bytes, frame_bytes, dma_bytes;
    unsigned long period_size, buffer_size, boundary;
    int no_period_wakeup;

    /* sw_params */
    int tstamp_mode, tstamp_type;
    unsigned long start_threshold, stop_threshold, silence_threshold, silence_size;
    unsigned long silence_start, silence_filled;

    unsigned long hw_ptr_base, hw_ptr_interrupt;
    unsigned long long hw_ptr_wrap;
    unsigned long long dma;         /* frames that the hardware moved since PREPARE */
    unsigned long long dma_updated; /* ... at the last update of hw_ptr: the kernel's hw_ptr_jiffies */
    unsigned long long dma_read;    /* ... as the position register told then (H2) */
    unsigned long long tick;        /* card time, in frames, up to which dma is done */
    unsigned long avail_max, overrange;
    struct timespec trigger_tstamp, driver_tstamp;
    int audio_type_requested, audio_report_delay, audio_report_valid;

    unsigned int asked;             /* why poll woke up, so often in vain: sim_poll_event */

    long late;                      /* interrupts still to be lost */
    int bad_position;
    unsigned long long interrupts;
};

struct sim_card {
    pthread_mutex_t lock;
    unsigned int generation;        /* of the process that made it: sim_enter */
    atomic_int references;          /* sim_registry.c */
    struct sim_config config;
    int closed, unplugged, powered_off, frozen, linked, loop;
    int busy[2];
    struct sim_pcm *pcm[2];         /* what is open: playback, capture */
    unsigned long long moved[2], xruns[2];
    char *scratch;

    atomic_uint changes;            /* futex: clients sleep on it as on the kernel's wait queues */
    atomic_uint kicks;              /* futex of the clock's thread */
    int sleepers;
    pthread_t thread;
    int threaded;
    double speed;
    long long caught_up;            /* ns of card time that the hardware has done */
    long long real_base, card_base; /* ns: CLOCK_MONOTONIC and card time of the same moment */
    long long clock_ahead[3];       /* ns: what the clock of each tstamp_type showed beyond CLOCK_MONOTONIC at first */

    struct sim_tape tape;
    int feed_fd;
    long long feed_read, feed_end;
};

static inline void sim_set_hw_ptr(struct sim_pcm *pcm, unsigned long hw_ptr)
{
    __atomic_store_n(&pcm->status->hw_ptr, hw_ptr, __ATOMIC_RELEASE);
}

static inline void sim_lock(struct sim_card *card) { pthread_mutex_lock(&card->lock); }
static inline void sim_unlock(struct sim_card *card) { pthread_mutex_unlock(&card->lock); }

/* The lock, for whoever comes from outside. -ENODEV without it in a forked child: the card lives in its parent, with whom
 * the child shares the pages, but neither the thread nor a lock that somebody may have held at the fork. */
extern atomic_uint sim_generation;

static inline int sim_enter(struct sim_card *card)
{
    if (card->generation != atomic_load_explicit(&sim_generation, memory_order_relaxed))
        return -ENODEV;
    sim_lock(card);
    return 0;
}

static inline void sim_close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static inline size_t sim_page_size(void) { return (size_t)sysconf(_SC_PAGESIZE); }

static inline unsigned long sim_appl_ptr(const struct sim_pcm *pcm)
{
    return __atomic_load_n(&pcm->control->appl_ptr, __ATOMIC_ACQUIRE);
}

static inline unsigned long sim_hw(const struct sim_pcm *pcm)
{
    return pcm->status->hw_ptr;
}

static inline int sim_playback(const struct sim_pcm *pcm) { return !pcm->capture; }

static inline int sim_running(const struct sim_pcm *pcm) /* snd_pcm_running */
{
    return pcm->state == SNDRV_PCM_STATE_RUNNING || (pcm->state == SNDRV_PCM_STATE_DRAINING && !pcm->capture);
}

/* sim_stream.c: pcm_lib.c. From here on the card's lock is held, but where it says otherwise. */
#define SIM_INIT_SILENCE (~0UL)
unsigned long sim_avail(const struct sim_pcm *pcm);
long sim_hw_avail(const struct sim_pcm *pcm);
int sim_update_hw_ptr(struct sim_pcm *pcm, int in_interrupt);
int sim_update_state(struct sim_pcm *pcm);
int sim_hwsync(struct sim_pcm *pcm);
void sim_silence(struct sim_pcm *pcm, unsigned long new_hw_ptr);
void sim_set_state(struct sim_pcm *pcm, int state);
void sim_gettime(const struct sim_pcm *pcm, struct timespec *out);
void sim_page_tstamp(struct sim_pcm *pcm, const struct timespec *now);

/* sim_actions.c: the actions of pcm_native.c */
int sim_group(struct sim_pcm *pcm, struct sim_pcm *members[2]);
void sim_xrun(struct sim_pcm *pcm);
int sim_start(struct sim_pcm *pcm);
void sim_stop(struct sim_pcm *pcm, int state);
int sim_pause(struct sim_pcm *pcm, int push);
int sim_prepare(struct sim_pcm *pcm, int nonblock);
int sim_reset(struct sim_pcm *pcm);
int sim_drain(struct sim_pcm *pcm, int nonblock);
int sim_suspend(struct sim_pcm *pcm);
int sim_resume(struct sim_pcm *pcm);

/* sim_format.c: samples, and the way between the ring and interleaved frames */
int sim_format_bytes(int format);
void sim_fill_silence(char *samples, int format, size_t count);
void sim_fill_ring_silence(struct sim_pcm *pcm, unsigned long offset, unsigned long frames);
void sim_channel_place(const struct sim_pcm *pcm, unsigned int channel, unsigned long *offset, unsigned long *first_bits,
                       unsigned long *step_bits);
void sim_gather(const struct sim_pcm *pcm, unsigned long offset, unsigned long frames, char *out);
void sim_scatter(struct sim_pcm *pcm, unsigned long offset, unsigned long frames, const char *in);

/* sim_dma.c */
struct sim_pcm *sim_moving(const struct sim_card *card, int capture); /* NULL: nothing runs there */
void sim_move(struct sim_card *card, struct sim_pcm *out, struct sim_pcm *in, unsigned long frames);
void sim_interrupt(struct sim_pcm *pcm);
unsigned long sim_pcm_to_interrupt(const struct sim_pcm *pcm);
unsigned long sim_to_interrupt(const struct sim_card *card);
unsigned long sim_to_period_end(const struct sim_card *card);

/* sim_clock.c */
long long sim_monotonic_ns(void);
long long sim_time(const struct sim_card *card);
unsigned long long sim_ticks(long long ns, unsigned int rate);
long long sim_tick_ns(unsigned long long tick, unsigned int rate);
struct sim_pcm *sim_fastest(const struct sim_card *card, int running);
int sim_frozen(const struct sim_card *card);
int sim_speed_can_be(double speed);
int sim_too_far(const struct sim_card *card, unsigned long long frames);
void sim_run(struct sim_card *card, unsigned long long frames);
void sim_catch_up(struct sim_card *card);
void sim_stamp_tick(struct sim_pcm *pcm);
void sim_rebase(struct sim_card *card);
int sim_thread_start(struct sim_card *card);
void sim_thread_stop(struct sim_card *card); /* without the lock */

/* sim_wait.c */
void sim_wake(struct sim_card *card);
void sim_kick(struct sim_card *card);
void sim_refresh_event(struct sim_pcm *pcm);
int sim_poll_mask(const struct sim_pcm *pcm);
int sim_sleep(struct sim_pcm *pcm, long long *left_ns); /* the lock is given up meanwhile; *left_ns < 0: no end */
void sim_futex_wake(atomic_uint *word);
int sim_futex_sleep(atomic_uint *word, unsigned int seen, long long ns);

/* sim_transfer.c */
int sim_transfer(struct sim_pcm *pcm, void *block, void **channels, unsigned long frames, long *result);
int sim_apply_appl_ptr(struct sim_pcm *pcm, unsigned long appl_ptr);

/* sim_params.c */
int sim_do_hw_params(struct sim_pcm *pcm, struct snd_pcm_hw_params *params);
int sim_do_hw_refine(struct sim_pcm *pcm, struct snd_pcm_hw_params *params);
int sim_do_hw_free(struct sim_pcm *pcm);
int sim_do_sw_params(struct sim_pcm *pcm, struct snd_pcm_sw_params *params);
int sim_do_channel_info(struct sim_pcm *pcm, struct snd_pcm_channel_info *info);

/* sim_registry.c; no lock is needed */
void sim_card_get(struct sim_card *card);
void sim_card_put(struct sim_card *card);
void sim_get(struct sim_pcm *pcm); /* by who has a reference, or the lock of a card that has; let go of by sim_put */
void sim_enter_registry(struct sim_pcm *pcm);
int sim_any_descriptor(const struct sim_pcm *pcm);
void sim_sweep_registry(void);

/* sim_file.c */
void sim_finish(struct sim_pcm *pcm, int state);
void sim_try_release(struct sim_pcm *pcm);

/* sim_card.c */
void sim_tape_restart(struct sim_pcm *pcm);

#endif
