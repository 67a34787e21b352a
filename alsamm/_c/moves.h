/* How often something in this process may have moved a PCM's pointers or state: an ioctl by whichever descriptor, a new
 * appl_ptr, a software card's clock in a test's hand. An answer of SYNC_PTR that is kept (pages.c) holds only as long as
 * this stands still. C only. */
#ifndef ALSAMM_MOVES_H
#define ALSAMM_MOVES_H

#include "shim.h"

extern unsigned long alsamm_moves; /* kernel.c */

static inline void something_moved(void)
{
    __atomic_fetch_add(&alsamm_moves, 1, __ATOMIC_RELEASE);
}

static inline unsigned long moves_so_far(void)
{
    return __atomic_load_n(&alsamm_moves, __ATOMIC_ACQUIRE);
}

/* What one SYNC_PTR counts for: one that moves something counts before and after, like every ioctl that does. */
static inline int moves_of(int flags)
{
    return flags & ALSAMM_SYNC_GET_APPL && !(flags & ALSAMM_SYNC_HWSYNC) ? 0 : 2;
}

#endif
