/* The software card, as Python makes and drives it. Read by cffi and by the compiler, as shim.h; the rules named here are
 * those of docs/kernel-rules.md. Results: zero or more is success, a negative value is -errno. */
#ifndef ALSAMM_SIM_H
#define ALSAMM_SIM_H

struct sim_card;

enum sim_clock { SIM_CLOCK_MANUAL, SIM_CLOCK_AUTO, SIM_CLOCK_REALTIME };

enum { SIM_RATES = 32, SIM_NAME = 64 };

struct sim_config {             /* what the card can do and how it misbehaves; fixed for its life */
    char name[64];
    enum sim_clock clock;
    double speed;               /* of its crystal: 1.0 is CLOCK_MONOTONIC's */
    unsigned int rate_min, rate_max;
    unsigned int rate_count;    /* when not 0, only these rates */
    unsigned int rates[32];
    unsigned int channels_min, channels_max;
    unsigned long long formats; /* bit n: format n of snd_pcm_format_t */
    unsigned int accesses;      /* bit n: access n of snd_pcm_access_t */
    unsigned int period_bytes_min, period_bytes_max, buffer_bytes_min, buffer_bytes_max, periods_min, periods_max;
    int pause, resume;          /* rules G: without them ENOSYS */
    int batch;                  /* SNDRV_PCM_INFO_BATCH */
    int no_period_wakeup;       /* rule H6: a client may switch the interrupts off */
    int no_interrupts;          /* ... and the card behaves as if every client did */
    int no_rewinds;             /* rule D4 */
    int refuse_status;          /* rule C2: no status page, as on ARM */
    int refuse_control;         /* rules A3, C3: no control page, as SYNC_APPLPTR cards */
    int separate_channels;      /* rule F2: each channel at an offset of its own */
    unsigned long granularity;  /* frames in which the position register steps (H2); 0: a period */
    unsigned long boundary;     /* 0: as the kernel computes it (E1) */
    unsigned long dma_bytes;    /* 0: the buffer's size; more: rule F1 */
    long delay;                 /* frames of FIFO behind hw_ptr (H5) */
    int record;                 /* keep what was played */
};

struct sim_truth {              /* the kernel's side of one substream: an oracle, as /proc/asound */
    int open, state, suspended_state;
    unsigned long hw_ptr, appl_ptr, avail_min;  /* as the pages say */
    unsigned long position;     /* where the hardware is, modulo boundary: never behind hw_ptr */
    unsigned long boundary, buffer_size, period_size;
    unsigned int rate, channels;
    int format, access;
    int mmap_count, page_maps, linked;
    unsigned long start_threshold, stop_threshold, silence_threshold, silence_size;
    int tstamp_mode, tstamp_type;
    unsigned long long interrupts;
    unsigned long long xruns, moved;  /* since the card was made; moved: frames through the DMA */
};

struct sim_tape {               /* the frames that were played since hw_params, raw and interleaved */
    int fd;                     /* the card's own memfd, or -1: nothing yet */
    int format;
    unsigned int channels, rate;
    long long bytes, lost;      /* lost: could not be written */
};

enum sim_fault {
    SIM_FAULT_XRUN,             /* the driver reports an xrun, as snd_pcm_stop_xrun */
    SIM_FAULT_UNPLUG, SIM_FAULT_REPLUG,
    SIM_FAULT_SUSPEND, SIM_FAULT_POWER,
    SIM_FAULT_FREEZE,           /* value 1: the hardware stands still; 0: goes on */
    SIM_FAULT_LATE,             /* the next `value` interrupts get lost */
    SIM_FAULT_POSITION,         /* the next reading of the position register is nonsense (rule G3) */
    SIM_FAULT_BUSY,             /* value 1: somebody else has the substream */
    SIM_FAULT_LOOP              /* value 1: playback is what capture hears */
};

struct sim_setup {              /* HW_PARAMS and SW_PARAMS without alsa-lib */
    int access, format;
    unsigned int channels, rate;
    unsigned long period_size, buffer_size;
    int no_period_wakeup;
};

struct sim_sw_setup {
    int tstamp_mode, tstamp_type;
    unsigned long avail_min, start_threshold, stop_threshold, silence_threshold, silence_size;
    unsigned long boundary;     /* out */
};

int sim_card_new(const struct sim_config *config, struct sim_card **out);
int sim_card_close(struct sim_card *card);
void sim_card_free(struct sim_card *card);
int sim_advance(struct sim_card *card, unsigned long long frames);
int sim_next_interrupt(struct sim_card *card, unsigned long *out);
int sim_time_of(struct sim_card *card, long long *out);
int sim_set_speed(struct sim_card *card, double speed);
int sim_fault(struct sim_card *card, enum sim_fault fault, int capture, long value);
int sim_truth_of(struct sim_card *card, int capture, struct sim_truth *out);
int sim_tape_of(struct sim_card *card, struct sim_tape *out);
int sim_feed(struct sim_card *card, const void *frames, size_t bytes);

int sim_open(struct sim_card *card, int capture, int *fd);
int sim_close(int fd);
int sim_hw_params(int fd, const struct sim_setup *setup);
int sim_hw_free(int fd);
int sim_sw_params(int fd, struct sim_sw_setup *setup);
int sim_plug(struct sim_card *card, int capture, const char *name, int mode, void **handle, int *fd);

#endif
