/* One value of the status or control page: by load or store where it is mapped, by SYNC_PTR where the kernel refuses it. */
#include <limits.h>

#include "direct.h"

static int ask(const struct alsamm_pages *pages, int flags, struct alsamm_snapshot *now)
{
    return pages->fd < 0 ? -EBADF : fast_sync_ptr(pages->fd, flags, now);
}

int direct_query(const struct alsamm_pages *pages, struct alsamm_snapshot *now)
{
    memset(now, 0, sizeof *now);
    return ask(pages, ALSAMM_QUERY, now);
}

/* ---- for a ring's owner, whose answers are kept ---- */

/* Whoever moves a PCM counts before and after (kernel.c), so an answer that was under way meanwhile does not hold. */
static int ask_and_keep(struct alsamm_ring *ring, int flags, struct alsamm_snapshot *now)
{
    unsigned long moves = moves_so_far() + (unsigned long)moves_of(flags);
    int error;

    ring->last.when_ns = 0;
    error = ask(&ring->pages, flags, now);
    if (error < 0)
        return error;
    ring->last = (struct alsamm_answer){.state = now->state, .hw_ptr = now->hw_ptr, .appl_ptr = now->appl_ptr,
                                        .avail_min = now->avail_min, .when_ns = monotonic_ns(), .moves = moves};
    return 0;
}

/* A mapped page is up to a period old (rule H1), so an answer that is half a period old is as good, as long as nothing in
 * this process moved the PCM since. */
int direct_answer_holds(const struct alsamm_ring *ring)
{
    const struct alsamm_answer *last = &ring->last;

    return last->when_ns && ring->pages.fd >= 0 && last->moves == moves_so_far() &&
           monotonic_ns() - last->when_ns < ring->half_period_ns;
}

/* Rules D6, D10: with HWSYNC (`fresh`) the capture data behind hw_ptr are valid on cards that need it; when the state does
 * not allow it the struct stays unwritten, so ask again without. */
int direct_ask(struct alsamm_ring *ring, int fresh, struct alsamm_snapshot *now)
{
    int error;

    memset(now, 0, sizeof *now);
    if (fresh) {
        error = ask_and_keep(ring, ALSAMM_QUERY | ALSAMM_SYNC_HWSYNC, now);
        if (error != -EPIPE && error != -ESTRPIPE && error != -EBADFD)
            return error;
    }
    return ask_and_keep(ring, ALSAMM_QUERY, now);
}

unsigned long direct_avail_min(const struct alsamm_pages *pages)
{
    return __atomic_load_n(&((control_page *)pages->control)->avail_min, __ATOMIC_RELAXED);
}

/* A capture whose pages are refused is always asked for by HWSYNC, for the card may not be coherent (rule D10). */
int direct_look_around(struct alsamm_ring *ring, int fresh, int kept, struct view *now, unsigned long *avail_min)
{
    struct alsamm_snapshot answer;

    if (both_mapped(&ring->pages) && !fresh) {
        look_at_pages(&ring->pages, now);
        *avail_min = direct_avail_min(&ring->pages);
        return 0;
    }
    fresh = fresh || ring->capture;
    if (fresh || !kept || !direct_answer_holds(ring)) {
        int error = direct_ask(ring, fresh, &answer);

        if (error < 0)
            return error;
    }
    *now = (struct view){ring->last.state, ring->last.hw_ptr, ring->last.appl_ptr};
    *avail_min = ring->last.avail_min;
    return 0;
}

static void store_appl_ptr(control_page *control, unsigned long value)
{
    /* The ring may be write-combining, which a release store does not order (rule K2). */
#if defined(__x86_64__)
    __builtin_ia32_sfence();
#elif defined(__i386__)
    __atomic_thread_fence(__ATOMIC_SEQ_CST); /* a locked instruction: not each of these has sfence */
#endif
    __atomic_store_n(&control->appl_ptr, value, __ATOMIC_RELEASE);
}

/* avail_min's flag set: get it, leave it. appl_ptr's clear: the kernel takes ours and tells the driver (rules D2, D4). */
int direct_set_appl_ptr(struct alsamm_ring *ring, unsigned long value)
{
    struct alsamm_snapshot set = {.appl_ptr = value};

    if (!ring->pages.control)
        return ask_and_keep(ring, ALSAMM_SYNC_GET_AVAIL_MIN, &set);
    ring->last.when_ns = 0;
    store_appl_ptr(ring->pages.control, value);
    return 0;
}

/* ---- for anybody ---- */

/* What another client put into the control page may be any number (rule D4), and one so large would look like an errno. */
static long long told(unsigned long value)
{
    return value > LONG_MAX ? -EOVERFLOW : (long long)value;
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
    FROM_PAGE(status_page, status, told(__atomic_load_n(&at->hw_ptr, __ATOMIC_ACQUIRE)), told(now.hw_ptr));
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
    FROM_PAGE(control_page, control, told(__atomic_load_n(&at->appl_ptr, __ATOMIC_RELAXED)), told(now.appl_ptr));
}

long long fast_avail_min(struct alsamm_pages *pages)
{
    FROM_PAGE(control_page, control, told(__atomic_load_n(&at->avail_min, __ATOMIC_RELAXED)), told(now.avail_min));
}

int fast_set_appl_ptr(struct alsamm_pages *pages, unsigned long value)
{
    struct alsamm_snapshot set = {.appl_ptr = value};

    if (!pages->control)
        return ask(pages, ALSAMM_SYNC_GET_AVAIL_MIN, &set);
    store_appl_ptr(pages->control, value);
    something_moved(); /* another's page than a ring's that asks by SYNC_PTR, perhaps */
    return 0;
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
