/* The seam between the direct code and the software card: what kernel.c, mapping.c and sim_plugin.c call. C only, and
 * without kernel or alsa-lib types, because <sound/asound.h> and <alsa/asoundlib.h> do not compile together. */
#ifndef ALSAMM_SIM_DEVICE_H
#define ALSAMM_SIM_DEVICE_H

#include <stddef.h>

struct sim_pcm;  /* one opened substream */
struct sim_card;
struct sim_config;

/* NULL: not a software card's fd; one relaxed load when no PCM of a software card is open. Else found by the memfd's
 * device and inode, so that a dup()ed fd is found and a reused fd number is not.
 *
 * What it returns is the caller's until sim_put, as fdget and fdput: a PCM that is closed meanwhile answers ENODEV, as an
 * unplugged one, and its struct goes with the last who holds it (sim_registry.c). */
struct sim_pcm *sim_find(int fd);
void sim_put(struct sim_pcm *pcm);

int sim_ioctl(struct sim_pcm *pcm, int fd, unsigned long request, void *argument);
int sim_poll(struct sim_pcm *pcm, int events, int timeout_ms, int *revents);
int sim_mmap(struct sim_pcm *pcm, int fd, long long offset, size_t length, int prot, void *at, void **out);
void sim_now(struct sim_pcm *pcm, long long *ns); /* the card's CLOCK_MONOTONIC; unchanged in a forked child */
/* munmap of anything, or with blank memory put in its place; mappings of a card are counted off with it */
int sim_munmap(void *address, size_t length, int blank);

/* ---- for sim_plugin.c, which cannot see the kernel's ioctl numbers ---- */

enum sim_call {
    SIM_CALL_HW_PARAMS, SIM_CALL_HW_FREE, SIM_CALL_SW_PARAMS, SIM_CALL_PREPARE, SIM_CALL_START, SIM_CALL_DROP,
    SIM_CALL_DRAIN, SIM_CALL_PAUSE, SIM_CALL_RESUME, SIM_CALL_DELAY
};
int sim_call(struct sim_pcm *pcm, int fd, enum sim_call call, void *argument);
int sim_hw_ptr(struct sim_pcm *pcm, int fd, unsigned long *out); /* after HWSYNC; -EPIPE in an xrun */
int sim_open_pcm(struct sim_card *card, int capture, struct sim_pcm **pcm, int *fd, int *event_fd); /* then sim_close_pcm */
int sim_close_pcm(struct sim_pcm *pcm); /* and sim_put; fd and event_fd are closed with it */
int sim_poll_event(struct sim_pcm *pcm, int *revents);
const struct sim_config *sim_config_of(const struct sim_pcm *pcm);

#endif
