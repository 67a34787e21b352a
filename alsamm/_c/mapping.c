/* mmap of a PCM: rules C1-C13. */
#define _GNU_SOURCE
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>
#include <sound/asound.h>

#include "sim_device.h"
#include "shim.h"

size_t alsamm_page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

/* MAP_SHARED always: MAP_PRIVATE succeeds and then every write goes to a private copy (rule C6). */
static int map(int fd, long long offset, size_t length, int prot, void *at, void **out)
{
    struct sim_pcm *sim;
    void *address;

    *out = NULL;
    if (offset < 0 || (long long)(off_t)offset != offset || length == 0)
        return -EINVAL;
    sim = sim_find(fd);
    if (sim) {
        int error = sim_mmap(sim, fd, offset, length, prot, at, out);
        sim_put(sim);
        if (error < 0)
            return error;
    } else {
        address = mmap(at, length, prot, MAP_SHARED | (at ? MAP_FIXED : 0), fd, (off_t)offset);
        if (address == MAP_FAILED)
            return -errno;
        *out = address;
    }
    /* A child that inherits the ring would hold the card's configuration for ever (rule C9). */
    madvise(*out, length, MADV_DONTFORK);
    return 0;
}

/* One page exactly: two are EINVAL; the status page is read-only (rule C6). */
int alsamm_map_page(int fd, enum alsamm_page page, void **out)
{
    if (page == ALSAMM_STATUS_PAGE)
        return map(fd, (long long)(unsigned long)SNDRV_PCM_MMAP_OFFSET_STATUS, alsamm_page_size(), PROT_READ, NULL, out);
    return map(fd, (long long)(unsigned long)SNDRV_PCM_MMAP_OFFSET_CONTROL, alsamm_page_size(), PROT_READ | PROT_WRITE,
               NULL, out);
}

/* The ring's own offsets are page aligned; length is page-rounded here (rule C8). `at` is a place in alsamm_reserve's
 * space, or NULL. */
int alsamm_map_data(int fd, long long offset, size_t length, int writable, void *at, void **out)
{
    size_t page = alsamm_page_size();

    if (length > (size_t)PTRDIFF_MAX - page)
        return -EINVAL;
    length = (length + page - 1) / page * page;
    return map(fd, offset, length, PROT_READ | (writable ? PROT_WRITE : 0), at, out);
}

/* Address space without memory, so that rings with one mapping a channel can lie evenly spaced in it and be seen as one
 * array. NULL when there is none. */
void *alsamm_reserve(size_t length)
{
    void *address = mmap(NULL, length, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (address == MAP_FAILED)
        return NULL;
    madvise(address, length, MADV_DONTFORK); /* the gaps too, so that alsamm_forked finds the place empty */
    return address;
}

int alsamm_unmap(void *address, size_t length)
{
    return sim_munmap(address, length, 0);
}

/* In one step, so that a view which somebody looks at meanwhile never looks at nothing. */
int alsamm_blank(void *address, size_t length)
{
    return sim_munmap(address, length, 1);
}

void alsamm_unmap_page(void *page)
{
    alsamm_unmap(page, alsamm_page_size());
}

/* In a forked child nothing is mapped here any more (MADV_DONTFORK); put blank memory in the place, so that a numpy view
 * which the child inherited reads zeros rather than kills it. */
int alsamm_forked(void *address, size_t length)
{
    void *blank = mmap(address, length, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
    return blank == MAP_FAILED ? -errno : 0;
}
