/* Descriptors of the software card: what the VFS does for a real one. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sim_core.h"

static int make_pages(struct sim_pcm *pcm)
{
    size_t page = sim_page_size();
    void *status, *control;

    if (ftruncate(pcm->memfd, (off_t)SIM_FILE_END) < 0)
        return -errno;
    status = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, pcm->memfd, (off_t)SIM_STATUS);
    if (status == MAP_FAILED)
        return -errno;
    control = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, pcm->memfd, (off_t)SIM_CONTROL);
    if (control == MAP_FAILED) {
        int error = -errno;
        munmap(status, page);
        return error;
    }
    pcm->status = status;
    pcm->control = control;
    return 0;
}

/* A descriptor with a file description of its own, because O_NONBLOCK is the client's business. */
static int open_for_client(const struct sim_pcm *pcm)
{
    char path[32];
    int fd;

    snprintf(path, sizeof path, "/proc/self/fd/%d", pcm->memfd);
    fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) /* no /proc: the flag is shared then */
        fd = fcntl(pcm->memfd, F_DUPFD_CLOEXEC, 0);
    return fd < 0 ? -errno : fd;
}

static struct sim_pcm *make_pcm(struct sim_card *card, int capture, int *error)
{
    struct sim_pcm *pcm = calloc(1, sizeof *pcm);
    struct stat file;

    *error = -ENOMEM;
    if (!pcm)
        return NULL;
    pcm->card = card;
    pcm->references = 1;
    pcm->capture = capture;
    pcm->client_fd = pcm->event_fd = -1;
    pcm->memfd = memfd_create("alsamm-sim", MFD_CLOEXEC);
    *error = pcm->memfd < 0 ? -errno : 0;
    if (*error == 0 && fstat(pcm->memfd, &file) < 0)
        *error = -errno;
    if (*error == 0)
        *error = make_pages(pcm);
    if (*error == 0) {
        pcm->device = file.st_dev;
        pcm->inode = file.st_ino;
        sim_card_get(card);
        return pcm;
    }
    if (pcm->memfd >= 0)
        close(pcm->memfd);
    free(pcm);
    return NULL;
}

/* The end of a substream's file: snd_pcm_release_substream. What clients still map stays readable to them. The card lets go
 * of the struct, which may be gone then. */
void sim_finish(struct sim_pcm *pcm, int state)
{
    struct sim_card *card = pcm->card;

    if (pcm->memfd < 0)
        return;
    if (pcm->state != SNDRV_PCM_STATE_OPEN && !pcm->shutdown)
        sim_stop(pcm, SNDRV_PCM_STATE_SETUP);
    card->linked = 0;
    sim_set_state(pcm, state);
    munmap((void *)pcm->status, sim_page_size());
    munmap((void *)pcm->control, sim_page_size());
    if (pcm->data)
        munmap(pcm->data, pcm->data_length);
    pcm->status = NULL;
    pcm->control = NULL;
    pcm->data = NULL;
    close(pcm->memfd);
    pcm->memfd = -1;
    card->pcm[pcm->capture] = NULL;
    sim_refresh_event(pcm);
    sim_wake(card);
    atomic_store(&pcm->over, 1);
    sim_sweep_registry();
    sim_put(pcm);
}

/* Rule C10: mappings and dup()ed descriptors keep the substream open after its opener closed it. */
void sim_try_release(struct sim_pcm *pcm)
{
    if (pcm->memfd >= 0 && pcm->closing && atomic_load(&pcm->mmap_count) + atomic_load(&pcm->page_maps) == 0 &&
        !sim_any_descriptor(pcm))
        sim_finish(pcm, SNDRV_PCM_STATE_OPEN);
}

static int may_open(struct sim_card *card, int capture)
{
    if (card->closed || card->unplugged)
        return -ENODEV;
    if (card->pcm[capture])
        sim_try_release(card->pcm[capture]);
    return card->pcm[capture] || card->busy[capture] ? -EBUSY : 0;
}

int sim_open_pcm(struct sim_card *card, int capture, struct sim_pcm **out, int *fd, int *event_fd)
{
    struct sim_pcm *pcm = NULL;
    int error;

    capture = capture != 0;
    sim_sweep_registry();
    error = sim_enter(card);
    if (error < 0)
        return error;
    error = may_open(card, capture);
    if (error == 0)
        pcm = make_pcm(card, capture, &error);
    if (pcm) {
        *fd = pcm->client_fd = open_for_client(pcm);
        if (event_fd)
            *event_fd = pcm->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        card->pcm[capture] = pcm;
        sim_get(pcm);
        sim_enter_registry(pcm);
        if (*fd < 0 || (event_fd && *event_fd < 0)) {
            error = *fd < 0 ? *fd : -errno;
            sim_close_fd(&pcm->client_fd);
            sim_close_fd(&pcm->event_fd);
            sim_finish(pcm, SNDRV_PCM_STATE_OPEN);
            sim_put(pcm);
        } else {
            sim_refresh_event(pcm);
            *out = pcm;
        }
    }
    sim_unlock(card);
    return error;
}

int sim_close_pcm(struct sim_pcm *pcm)
{
    int error = sim_enter(pcm->card);

    sim_close_fd(&pcm->client_fd); /* a forked child's too */
    sim_close_fd(&pcm->event_fd);
    if (error == 0) {
        pcm->closing = 1;
        sim_try_release(pcm);
        sim_unlock(pcm->card);
        sim_sweep_registry();
    }
    sim_put(pcm);
    return 0;
}

int sim_open(struct sim_card *card, int capture, int *fd)
{
    struct sim_pcm *pcm;
    int error = sim_open_pcm(card, capture, &pcm, fd, NULL);

    if (error == 0)
        sim_put(pcm);
    return error;
}

int sim_close(int fd)
{
    struct sim_pcm *pcm = sim_find(fd);
    return pcm ? sim_close_pcm(pcm) : -EBADF;
}
