/* How often something in this process may have moved a PCM's pointers or state: an ioctl by whichever descriptor, a new
 * appl_ptr, a software card's clock in a test's hand. An answer of SYNC_PTR that is kept (pages.c) holds only as long as
 * this stands still. C only. */
#ifndef ALSAMM_MOVES_H
#define ALSAMM_MOVES_H

extern unsigned long alsamm_moves; /* kernel.c */

static inline void something_moved(void)
{
    __atomic_fetch_add(&alsamm_moves, 1, __ATOMIC_RELEASE);
}

static inline unsigned long moves_so_far(void)
{
    return __atomic_load_n(&alsamm_moves, __ATOMIC_ACQUIRE);
}

#endif
