/* Which descriptor is which PCM, and how long the structs of PCMs and cards live. As the kernel's struct file they are
 * counted: whoever looks at one holds a reference, and the last to let go frees it. A PCM's are held by the registry as long
 * as some descriptor may belong to it, by its card while it is open, by each of its mappings, by alsa-lib's plugin, and by
 * every call that is under way in it; a card's by its maker and by each of its PCMs. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "sim_core.h"

enum { BUCKETS = 64 };

static pthread_mutex_t registry_lock = PTHREAD_MUTEX_INITIALIZER; /* taken last, after a card's lock */
static struct sim_pcm *registry[BUCKETS];
static atomic_int findable; /* PCMs in it: without any, real PCMs pay one load */

/* Links change by one store each, so a child sees a whole list whenever it was forked. */
static void in_forked_child(void)
{
    pthread_mutex_init(&registry_lock, NULL);
}

__attribute__((constructor)) static void watch_forks(void)
{
    pthread_atfork(NULL, NULL, in_forked_child);
}

/* ---- references ---- */

void sim_card_get(struct sim_card *card)
{
    atomic_fetch_add_explicit(&card->references, 1, memory_order_relaxed);
}

void sim_card_put(struct sim_card *card)
{
    if (atomic_fetch_sub_explicit(&card->references, 1, memory_order_acq_rel) > 1)
        return;
    free(card->scratch);
    sim_close_fd(&card->tape.fd);
    sim_close_fd(&card->feed_fd);
    free(card);
}

void sim_get(struct sim_pcm *pcm)
{
    atomic_fetch_add_explicit(&pcm->references, 1, memory_order_relaxed);
}

void sim_put(struct sim_pcm *pcm)
{
    struct sim_card *card = pcm->card;

    if (atomic_fetch_sub_explicit(&pcm->references, 1, memory_order_acq_rel) > 1)
        return;
    free(pcm);
    sim_card_put(card);
}

/* ---- the registry ---- */

void sim_enter_registry(struct sim_pcm *pcm)
{
    struct sim_pcm **bucket = &registry[pcm->inode % BUCKETS];

    sim_get(pcm);
    pthread_mutex_lock(&registry_lock);
    pcm->next = *bucket;
    __atomic_store_n(bucket, pcm, __ATOMIC_RELEASE);
    atomic_fetch_add(&findable, 1);
    pthread_mutex_unlock(&registry_lock);
}

struct sim_pcm *sim_find(int fd)
{
    struct stat file;
    struct sim_pcm *pcm;

    if (atomic_load_explicit(&findable, memory_order_relaxed) == 0 || fstat(fd, &file) < 0)
        return NULL;
    pthread_mutex_lock(&registry_lock);
    for (pcm = registry[file.st_ino % BUCKETS]; pcm; pcm = pcm->next)
        if (pcm->inode == file.st_ino && pcm->device == file.st_dev) {
            sim_get(pcm);
            break;
        }
    pthread_mutex_unlock(&registry_lock);
    return pcm;
}

int sim_any_descriptor(const struct sim_pcm *pcm) /* but the card's own */
{
    DIR *directory = opendir("/proc/self/fd");
    struct dirent *entry;
    int found = 0;

    if (!directory && (errno == EMFILE || errno == ENFILE || errno == ENOMEM))
        return 1; /* nobody can tell now */
    while (directory && !found && (entry = readdir(directory)) != NULL) {
        struct stat file;
        found = entry->d_name[0] != '.' && atoi(entry->d_name) != pcm->memfd &&
                fstatat(dirfd(directory), entry->d_name, &file, 0) == 0 && file.st_ino == pcm->inode &&
                file.st_dev == pcm->device;
    }
    if (directory)
        closedir(directory);
    return found;
}

/* Takes out all PCMs that are over and that nobody can ask for any more. Nobody tells us of the end of a dup()ed descriptor,
 * so each open and each close looks anew. */
void sim_sweep_registry(void)
{
    struct sim_pcm *gone = NULL;

    pthread_mutex_lock(&registry_lock);
    for (size_t i = 0; i < BUCKETS; i++) {
        struct sim_pcm **link = &registry[i];

        while (*link) {
            struct sim_pcm *this = *link;

            if (!atomic_load(&this->over) || sim_any_descriptor(this)) {
                link = &this->next;
                continue;
            }
            __atomic_store_n(link, this->next, __ATOMIC_RELEASE);
            atomic_fetch_sub(&findable, 1);
            this->next = gone;
            gone = this;
        }
    }
    pthread_mutex_unlock(&registry_lock);
    while (gone) {
        struct sim_pcm *next = gone->next;

        sim_put(gone);
        gone = next;
    }
}
