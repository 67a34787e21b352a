/* One value of the status or control page: by load or store where it is mapped, by SYNC_PTR where the kernel refuses it. */
#include "direct.h"

/* Every SYNC_PTR of a ring goes through here, so that its answer can serve for what follows. */
static int ask(struct alsamm_pages *pages, int flags, struct alsamm_snapshot *now)
{
    int error;

    pages->answered_ns = 0;
    if (pages->fd < 0)
        return -EBADF;
    error = fast_sync_ptr(pages->fd, flags, now);
    if (error < 0)
        return error;
    pages->state = now->state;
    pages->hw_ptr = now->hw_ptr;
    pages->appl_ptr = now->appl_ptr;
    pages->avail_min = now->avail_min;
    pages->moves = moves_so_far();
    pages->avail_told = 0;
    pages->answered_ns = monotonic_ns();
    return 0;
}

/* A mapped page is up to a period old (rule H1), so an answer that is half a period old is as good, as long as nothing in
 * this process moved the PCM since. */
int direct_answer_holds(const struct alsamm_pages *pages, long long half_period_ns)
{
    return pages->answered_ns && pages->fd >= 0 && pages->moves == moves_so_far() && monotonic_ns() - pages->answered_ns < half_period_ns;
}

int direct_query(struct alsamm_pages *pages, struct alsamm_snapshot *now)
{
    memset(now, 0, sizeof *now);
    return ask(pages, ALSAMM_QUERY, now);
}

/* Rules D6, D10: with HWSYNC the capture data behind hw_ptr are valid on cards that need it; when the state does not
 * allow it the struct stays unwritten, so ask again without. */
int direct_query_fresh(struct alsamm_pages *pages, struct alsamm_snapshot *now)
{
    int error;

    memset(now, 0, sizeof *now);
    error = ask(pages, ALSAMM_QUERY | ALSAMM_SYNC_HWSYNC, now);
    if (error == -EPIPE || error == -ESTRPIPE || error == -EBADFD)
        error = direct_query(pages, now);
    return error;
}

/* A field of the mapped page, or of SYNC_PTR's answer where the page is refused. */
#define FROM_PAGE(type, page, mapped, asked)                \
    do {                                                    \
        struct alsamm_snapshot now;                         \
        type *at = pages->page;                             \
        int error;                                          \
        if (at)                                             \
            return mapped;                                  \
        error = direct_query(pages, &now);                  \
        return error < 0 ? error : (long long)(asked);      \
    } while (0)

long long fast_hw_ptr(struct alsamm_pages *pages)
{
    FROM_PAGE(status_page, status, (long long)__atomic_load_n(&at->hw_ptr, __ATOMIC_ACQUIRE), now.hw_ptr);
}

long long fast_state(struct alsamm_pages *pages)
{
    FROM_PAGE(status_page, status, __atomic_load_n(&at->state, __ATOMIC_ACQUIRE), now.state);
}

/* Two words, so a mapped read may be torn (rule K5); SyncPtrStatus has the consistent pair. */
long long fast_tstamp_ns(struct alsamm_pages *pages)
{
    FROM_PAGE(const volatile struct snd_pcm_mmap_status, status, NS(at->tstamp), now.tstamp_ns);
}

long long fast_audio_tstamp_ns(struct alsamm_pages *pages)
{
    FROM_PAGE(const volatile struct snd_pcm_mmap_status, status, NS(at->audio_tstamp), now.audio_tstamp_ns);
}

long long fast_appl_ptr(struct alsamm_pages *pages)
{
    FROM_PAGE(control_page, control, (long long)__atomic_load_n(&at->appl_ptr, __ATOMIC_RELAXED), now.appl_ptr);
}

long long fast_avail_min(struct alsamm_pages *pages)
{
    FROM_PAGE(control_page, control, (long long)__atomic_load_n(&at->avail_min, __ATOMIC_RELAXED), now.avail_min);
}

int fast_set_appl_ptr(struct alsamm_pages *pages, unsigned long value)
{
    struct alsamm_snapshot set = {.appl_ptr = value};

    if (pages->control) {
#if defined(__x86_64__) || defined(__i386__)
        __builtin_ia32_sfence(); /* the ring may be write-combining, which a release store does not order (rule K2) */
#endif
        __atomic_store_n(&((control_page *)pages->control)->appl_ptr, value, __ATOMIC_RELEASE);
        return 0;
    }
    /* avail_min's flag set: get it, leave it. appl_ptr's clear: the kernel takes ours and tells the driver (D2, D4). */
    return ask(pages, ALSAMM_SYNC_GET_AVAIL_MIN, &set);
}

int fast_set_avail_min(struct alsamm_pages *pages, unsigned long value)
{
    struct alsamm_snapshot set = {.avail_min = value};

    if (pages->control) {
        __atomic_store_n(&((control_page *)pages->control)->avail_min, value, __ATOMIC_RELEASE);
        return 0;
    }
    return ask(pages, ALSAMM_SYNC_GET_APPL, &set);
}
