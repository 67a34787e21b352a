/* What native.c and native_loop.c share. C only. */
#ifndef ALSAMM_NATIVE_H
#define ALSAMM_NATIVE_H

#include "direct.h"

/* native_loop.c: until the callback says so (0), somebody asks for it (0), or the card does (-errno) */
int native_serve(struct alsamm_native *native);

static inline int native_asked_to_stop(const struct alsamm_native *native)
{
    return __atomic_load_n(&native->stop, __ATOMIC_ACQUIRE);
}

#endif
