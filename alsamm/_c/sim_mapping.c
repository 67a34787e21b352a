/* Mappings of the software card: what the mm layer does for a real one. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "sim_core.h"

#define STATUS_NEW 0x82000000LL  /* 32-bit clients with 64-bit time ask here for the same pages (rule C1) */
#define CONTROL_NEW 0x83000000LL

struct mapping {
    struct mapping *next;
    struct sim_pcm *pcm;
    char *address;
    size_t length;
    int data;
};

static pthread_mutex_t mappings_lock = PTHREAD_MUTEX_INITIALIZER; /* taken last, after a card's lock */
static struct mapping *mappings, **mappings_end = &mappings;
static atomic_int mappings_count;

atomic_uint sim_generation;

static void in_forked_child(void)
{
    atomic_fetch_add(&sim_generation, 1);
    pthread_mutex_init(&mappings_lock, NULL);
    mappings = NULL;
    mappings_end = &mappings;
    atomic_store(&mappings_count, 0);
}

__attribute__((constructor)) static void watch_forks(void)
{
    pthread_atfork(NULL, NULL, in_forked_child);
}

static int check_page(const struct sim_pcm *pcm, int control, size_t length, int prot)
{
    const struct sim_config *config = &pcm->card->config;
    int sync_applptr = config->refuse_control && !config->refuse_status;

    if (control ? config->refuse_control : config->refuse_status)
        return -ENXIO;
    if (!control && sync_applptr && pcm->user_pversion < SNDRV_PROTOCOL_VERSION(2, 0, 14))
        return -ENXIO; /* rule A3 */
    return !(prot & PROT_READ) || length != sim_page_size() ? -EINVAL : 0; /* rule C6 */
}

static int check_data(const struct sim_pcm *pcm, long long offset, size_t length, int prot) /* rules C7, C8 */
{
    if (!(prot & (pcm->capture ? PROT_READ : PROT_READ | PROT_WRITE)))
        return -EINVAL;
    if (pcm->state == SNDRV_PCM_STATE_OPEN)
        return -EBADFD;
    if (!(pcm->info & SNDRV_PCM_INFO_MMAP))
        return -ENXIO;
    if (pcm->access == SNDRV_PCM_ACCESS_RW_INTERLEAVED || pcm->access == SNDRV_PCM_ACCESS_RW_NONINTERLEAVED)
        return -EINVAL;
    if (offset < 0 || length > pcm->data_length || (unsigned long long)offset > pcm->data_length - length)
        return -EINVAL;
    return 0;
}

static int map(struct sim_pcm *pcm, int fd, long long offset, size_t length, int prot, void *at, int data, void **out)
{
    struct mapping *made = malloc(sizeof *made);
    void *address;

    if (!made)
        return -ENOMEM;
    pthread_mutex_lock(&mappings_lock);
    address = mmap(at, length, prot, MAP_SHARED | (at ? MAP_FIXED : 0), fd, (off_t)offset);
    if (address == MAP_FAILED) {
        int error = -errno;
        pthread_mutex_unlock(&mappings_lock);
        free(made);
        return error;
    }
    *made = (struct mapping){.pcm = pcm, .address = address, .length = length, .data = data};
    *mappings_end = made;
    mappings_end = &made->next;
    atomic_fetch_add(&mappings_count, 1);
    atomic_fetch_add(data ? &pcm->mmap_count : &pcm->page_maps, 1);
    sim_get(pcm);
    pthread_mutex_unlock(&mappings_lock);
    *out = address;
    return 0;
}

int sim_mmap(struct sim_pcm *pcm, int fd, long long offset, size_t length, int prot, void *at, void **out)
{
    int error = sim_enter(pcm->card), data = 0;

    if (error < 0)
        return error;
    if (pcm->memfd < 0 || pcm->shutdown) {
        error = -ENODEV;
    } else if (offset == SIM_STATUS || offset == STATUS_NEW) {
        error = check_page(pcm, 0, length, prot);
        prot &= ~PROT_WRITE; /* since Linux 6.1 (rule C6) */
        offset = SIM_STATUS;
    } else if (offset == SIM_CONTROL || offset == CONTROL_NEW) {
        error = check_page(pcm, 1, length, prot);
        offset = SIM_CONTROL;
    } else {
        error = check_data(pcm, offset, length, prot);
        data = 1;
    }
    if (error == 0)
        error = map(pcm, fd, offset, length, prot, at, data, out);
    sim_unlock(pcm->card);
    return error;
}

/* Takes the mappings that lay within the range out of the list; mappings_lock is held. */
static struct mapping *take_out(const char *start, const char *end)
{
    struct mapping **link = &mappings, *gone = NULL;

    while (*link) {
        struct mapping *this = *link;

        if (this->address < start || this->address >= end) {
            link = &this->next;
            continue;
        }
        *link = this->next;
        if (mappings_end == &this->next)
            mappings_end = link;
        atomic_fetch_sub(&mappings_count, 1);
        atomic_fetch_sub(this->data ? &this->pcm->mmap_count : &this->pcm->page_maps, 1);
        this->next = gone;
        gone = this;
    }
    return gone;
}

/* A substream that mappings alone kept open is released without mappings_lock, which comes after a card's. */
static void release_all(struct mapping *gone)
{
    while (gone) {
        struct mapping *next = gone->next;

        if (sim_enter(gone->pcm->card) == 0) {
            sim_try_release(gone->pcm);
            sim_unlock(gone->pcm->card);
        }
        sim_put(gone->pcm);
        free(gone);
        gone = next;
    }
}

static int clear(void *address, size_t length, int blank)
{
    void *instead = MAP_FAILED;

    if (!blank)
        return munmap(address, length) < 0 ? -errno : 0;
    instead = mmap(address, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
    return instead == MAP_FAILED ? -errno : 0;
}

/* Both under one lock: another thread that is given the same place would else find its substream busy for a moment. */
int sim_munmap(void *address, size_t length, int blank)
{
    struct mapping *gone = NULL;
    int error;

    if (atomic_load_explicit(&mappings_count, memory_order_relaxed) == 0)
        return clear(address, length, blank);
    pthread_mutex_lock(&mappings_lock);
    error = clear(address, length, blank);
    if (error == 0)
        gone = take_out(address, (const char *)address + length);
    pthread_mutex_unlock(&mappings_lock);
    release_all(gone);
    return error;
}
