/* Descriptors of the software card: what the VFS does for a real one. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sim_core.h"

/* ---- the registry: pushed to, never removed from, so that it is read without a lock ---- */

enum { BUCKETS = 64 };
static _Atomic(struct sim_pcm *) registry[BUCKETS];
static atomic_int findable; /* PCMs that some descriptor may still belong to */

static void enter(struct sim_pcm *pcm)
{
    _Atomic(struct sim_pcm *) *bucket = &registry[pcm->inode % BUCKETS];

    pcm->next = atomic_load(bucket);
    while (!atomic_compare_exchange_weak(bucket, &pcm->next, pcm))
        ;
    pcm->findable = 1;
    atomic_fetch_add(&findable, 1);
}

struct sim_pcm *sim_find(int fd)
{
    struct stat file;
    struct sim_pcm *pcm;

    if (atomic_load_explicit(&findable, memory_order_relaxed) == 0 || fstat(fd, &file) < 0)
        return NULL;
    for (pcm = atomic_load(&registry[file.st_ino % BUCKETS]); pcm; pcm = pcm->next)
        if (pcm->inode == file.st_ino && pcm->device == file.st_dev)
            return pcm;
    return NULL;
}

/* ---- open and release ---- */

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
        return pcm;
    }
    if (pcm->memfd >= 0)
        close(pcm->memfd);
    free(pcm);
    return NULL;
}

static int any_descriptor(const struct sim_pcm *pcm) /* but the card's own */
{
    DIR *directory = opendir("/proc/self/fd");
    struct dirent *entry;
    int found = 0;

    while (directory && !found && (entry = readdir(directory)) != NULL) {
        int fd = atoi(entry->d_name);
        struct stat file;
        found = entry->d_name[0] != '.' && fd != pcm->memfd && fd != dirfd(directory) && fstat(fd, &file) == 0 &&
                file.st_ino == pcm->inode && file.st_dev == pcm->device;
    }
    if (directory)
        closedir(directory);
    return found;
}

/* Once nobody can ask for it any more, sim_find need not look for it: real PCMs pay one load again. */
static void hide_if_unheld(struct sim_pcm *pcm)
{
    if (pcm->findable && !any_descriptor(pcm)) {
        pcm->findable = 0;
        atomic_fetch_sub(&findable, 1);
    }
}

/* The end of a substream's file: snd_pcm_release_substream. What clients still map stays readable to them. */
void sim_finish(struct sim_pcm *pcm, int state)
{
    struct sim_card *card = pcm->card;

    if (pcm->memfd < 0)
        return;
    if (pcm->state != SNDRV_PCM_STATE_OPEN && !pcm->shutdown)
        sim_stop(pcm, SNDRV_PCM_STATE_SETUP);
    card->linked = 0;
    sim_set_state(pcm, state);
    hide_if_unheld(pcm);
    munmap((void *)pcm->status, sim_page_size());
    munmap((void *)pcm->control, sim_page_size());
    if (pcm->data)
        munmap(pcm->data, pcm->data_length);
    pcm->status = NULL;
    pcm->control = NULL;
    pcm->data = NULL;
    close(pcm->memfd);
    pcm->memfd = -1;
    if (card->pcm[pcm->capture] == pcm)
        card->pcm[pcm->capture] = NULL;
    sim_refresh_event(pcm);
    sim_wake(card);
}

/* Rule C10: mappings and dup()ed descriptors keep the substream open after its opener closed it. */
void sim_try_release(struct sim_pcm *pcm)
{
    if (pcm->memfd >= 0 && pcm->closing && atomic_load(&pcm->mmap_count) + atomic_load(&pcm->page_maps) == 0 &&
        !any_descriptor(pcm))
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

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

int sim_open_pcm(struct sim_card *card, int capture, struct sim_pcm **out, int *fd, int *event_fd)
{
    struct sim_pcm *pcm = NULL;
    int error;

    capture = capture != 0;
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
        enter(pcm);
        if (*fd < 0 || (event_fd && *event_fd < 0)) {
            error = *fd < 0 ? *fd : -errno;
            close_fd(&pcm->client_fd);
            close_fd(&pcm->event_fd);
            sim_finish(pcm, SNDRV_PCM_STATE_OPEN);
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

    close_fd(&pcm->client_fd); /* a forked child's too */
    close_fd(&pcm->event_fd);
    if (error < 0)
        return 0;
    pcm->closing = 1;
    if (pcm->memfd < 0)
        hide_if_unheld(pcm);
    sim_try_release(pcm);
    sim_unlock(pcm->card);
    return 0;
}

int sim_open(struct sim_card *card, int capture, int *fd)
{
    struct sim_pcm *pcm;
    return sim_open_pcm(card, capture, &pcm, fd, NULL);
}

int sim_close(int fd)
{
    struct sim_pcm *pcm = sim_find(fd);
    return pcm ? sim_close_pcm(pcm) : -EBADF;
}
