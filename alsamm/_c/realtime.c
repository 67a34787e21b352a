/* The scheduler of the calling thread and locked memory. By system calls of their own: the C library's
 * sched_setscheduler is for the whole process in POSIX and therefore missing (ENOSYS) in musl. */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "shim.h"

int alsamm_get_scheduler(int *priority)
{
    struct sched_param parameters = {0};
    long policy = syscall(SYS_sched_getscheduler, 0);

    if (policy < 0 || syscall(SYS_sched_getparam, 0, &parameters) < 0)
        return -errno;
    *priority = parameters.sched_priority;
    return (int)policy;
}

int alsamm_set_scheduler(int policy, int priority)
{
    struct sched_param parameters = {.sched_priority = priority};

    return syscall(SYS_sched_setscheduler, 0, policy, &parameters) < 0 ? -errno : 0;
}

int alsamm_lock_memory(int future)
{
    return mlockall(MCL_CURRENT | (future ? MCL_FUTURE : 0)) < 0 ? -errno : 0;
}

int alsamm_unlock_memory(void)
{
    return munlockall() < 0 ? -errno : 0;
}
