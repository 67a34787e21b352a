/* What cffi's wrappers do around a call, and which calls keep the GIL: the one place that decides.
 *
 * cffi wraps every API-mode call in Py_BEGIN_ALLOW_THREADS / Py_END_ALLOW_THREADS. Giving the GIL up costs 30 ns when
 * nobody wants it and tens of microseconds, now and then milliseconds, when another Python thread is busy: a lost period.
 * The wrappers come after this text in the generated file, so the pair is defined anew here: a function whose name
 * begins with fast_ keeps the GIL. __func__ is constant, so the compiler folds the test away.
 *
 * What may be named fast_: loads, stores and copies of bounded size in memory we mapped, and SYNC_PTR, which takes the
 * stream lock for a few instructions and never waits for the card. Nothing that can sleep (poll, DRAIN, START, PREPARE,
 * mmap, RW transfers, a copy of megabytes) may be.
 *
 * Why it is safe to keep it: such a call ends within microseconds whatever another thread does, takes no lock that a thread
 * waiting for the GIL could hold, and calls nothing of Python but array.c's references: the end of an array, which may run
 * anything, comes last, when the ring is nobody's. tests/unit/test_gil.py holds both halves of the list.
 *
 * Such a call leaves errno out too, which the wrappers save and restore for ffi.errno: ours tell errors by their result. */
#ifndef ALSAMM_GIL_H
#define ALSAMM_GIL_H

#define ALSAMM_KEEPS_GIL(wrapper) (__builtin_strncmp((wrapper), "_cffi_f_fast_", 13) == 0)

#undef Py_BEGIN_ALLOW_THREADS
#undef Py_END_ALLOW_THREADS
#define Py_BEGIN_ALLOW_THREADS \
    { PyThreadState *alsamm_released = ALSAMM_KEEPS_GIL(__func__) ? NULL : PyEval_SaveThread();
#define Py_END_ALLOW_THREADS \
    if (!ALSAMM_KEEPS_GIL(__func__)) PyEval_RestoreThread(alsamm_released); }

/* cffi's own, while they still bear their names. */
static inline void alsamm_restore_errno(void)
{
    _cffi_restore_errno();
}

static inline void alsamm_save_errno(void)
{
    _cffi_save_errno();
}

#undef _cffi_restore_errno
#undef _cffi_save_errno
#define _cffi_restore_errno() do { if (!ALSAMM_KEEPS_GIL(__func__)) alsamm_restore_errno(); } while (0)
#define _cffi_save_errno() do { if (!ALSAMM_KEEPS_GIL(__func__)) alsamm_save_errno(); } while (0)

#endif
