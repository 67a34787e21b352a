/* The thread that serves a native callback (native_loop.c). Nothing here is Python's, so that no busy Python thread can make
 * it late. */
#define _GNU_SOURCE
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "native.h"

#define NAP_MS 20 /* until it looks again whether the system is awake */

/* What stop may be: after FINISH the thread plays what is in the ring, as after the
 * callback's 1; after AT_ONCE it leaves all as it is, and a playing of what is left as well. */
enum { AT_ONCE = 1, FINISH = 2 };

/* A driver may stop both of a linked pair when one drains (snd-hda-intel does; rule P20). */
static void part(struct alsamm_native *native)
{
    if (native->playback->linked)
        direct_op(native->playback, ALSAMM_UNLINK);
    native->playback->linked = native->capture->linked = 0;
    native->playback->partner = native->capture->partner = NULL;
    direct_op(native->capture, ALSAMM_DROP);
}

/* A drain comes back every 50 ms (wait.c), and then we look whether to stop. */
static int play_out(const struct alsamm_native *native)
{
    struct alsamm_ring *ring = native->playback;
    long long patience = ring->buffer_ns + 1000 * NS_PER_MS, moved = monotonic_ns(), place = -1;

    for (;;) {
        long long now, here;
        int error = alsamm_drain(ring, (int)(patience / NS_PER_MS)), asleep = 0;

        if (error == -EPIPE && ring->recover) /* all was played, before the callback said that it was all */
            return direct_op(ring, ALSAMM_DROP);
        if (error == -ESTRPIPE && ring->recover) {
            error = alsamm_recover(ring); /* -EAGAIN: the system is not awake yet */
            asleep = error == -EAGAIN;
            if (asleep)
                poll(NULL, 0, NAP_MS);
            if (error == 0 || asleep)
                error = -EINTR;
        }
        if (error != -EINTR || native_asked_to_stop(native) == AT_ONCE)
            return error == -EINTR ? 0 : error;
        now = monotonic_ns();
        here = fast_hw_ptr(&ring->pages);
        if (here != place)
            moved = now;
        place = here;
        if (now - moved > patience)
            return asleep ? -ESTRPIPE : -EIO;
    }
}

/* What the callback's answer, or FINISH, means for the card; who asks for a stop at once says himself what becomes of it. */
static void finish(struct alsamm_native *native)
{
    int plays = native->told == 1 || native->told == 0;

    if (native->result < 0 || (native->told == 0 && native_asked_to_stop(native) != FINISH))
        return;
    if (plays && native->playback && native->capture)
        part(native);
    if (plays && native->playback)
        native->result = play_out(native);
    if (!plays && native->playback)
        direct_op(native->playback, ALSAMM_DROP);
    if (native->capture)
        direct_op(native->capture, ALSAMM_DROP);
}

static void *run(void *argument)
{
    struct alsamm_native *native = argument;
    int ended_fd = native->ended_fd;

    native->result = native_serve(native);
    finish(native);
    __atomic_store_n(&native->running, 0, __ATOMIC_RELEASE);
    eventfd_write(ended_fd, 1);
    return NULL;
}

/* A converter between equal samples only makes silence of NaN, which is the callback's own business. */
static int serves(const struct alsamm_ring *ring, int capture)
{
    const struct alsamm_converter *converter = ring->converter;

    if (ring->pages.fd < 0)
        return -EBADF;
    if (!ring->capture != !capture)
        return -EINVAL;
    if (!ring->contiguous || (converter && memcmp(&converter->from, &converter->to, sizeof converter->from) != 0))
        return -EOPNOTSUPP;
    return 0;
}

int alsamm_native_start(struct alsamm_native *native)
{
    sigset_t all, old;
    pthread_t thread;
    int error = 0;

    if (__atomic_load_n(&native->joinable, __ATOMIC_ACQUIRE))
        return -EBUSY;
    if (!native->callback || (!native->playback && !native->capture))
        return -EINVAL;
    if (native->playback)
        error = serves(native->playback, 0);
    if (error == 0 && native->capture)
        error = serves(native->capture, 1);
    if (error == 0 && native->playback && native->capture && native->playback->partner != native->capture)
        error = -EINVAL; /* what stops one would not stop both, nor mend both */
    if (error < 0)
        return error;
    native->ended_fd = eventfd(0, EFD_CLOEXEC);
    if (native->ended_fd < 0)
        return -errno;
    native->result = native->told = native->stop = 0;
    native->callbacks = 0;
    native->frames = native->longest_callback_ns = native->busy_ns = 0;
    native->pid = (int)getpid();
    native->running = 1;
    sigfillset(&all); /* signals stay with the program's own threads, which expect them */
    pthread_sigmask(SIG_SETMASK, &all, &old);
    error = pthread_create(&thread, NULL, run, native);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (error) {
        native->running = 0;
        close(native->ended_fd);
        return -error;
    }
    native->thread = (uintptr_t)thread;
    native->joinable = 1;
    pthread_setname_np(thread, "alsamm-native");
    return 0;
}

void fast_native_stop(struct alsamm_native *native)
{
    __atomic_store_n(&native->stop, AT_ONCE, __ATOMIC_RELEASE);
}

/* Never in the place of AT_ONCE, which another thread may write meanwhile. */
void fast_native_finish(struct alsamm_native *native)
{
    int nothing = 0;

    __atomic_compare_exchange_n(&native->stop, &nothing, FINISH, 0, __ATOMIC_RELEASE, __ATOMIC_RELAXED);
}

int alsamm_native_join(struct alsamm_native *native, int timeout_ms)
{
    struct pollfd ended = {.fd = native->ended_fd, .events = POLLIN};
    int ready;

    if (!__atomic_load_n(&native->joinable, __ATOMIC_ACQUIRE))
        return 0;
    if (native->pid != (int)getpid())
        return -ECHILD;
    ready = poll(&ended, 1, timeout_ms);
    if (ready <= 0)
        return ready == 0 ? -ETIMEDOUT : -errno;
    if (__atomic_exchange_n(&native->joinable, 0, __ATOMIC_ACQ_REL)) { /* several may wait; one of them joins */
        pthread_join((pthread_t)native->thread, NULL);
        close(native->ended_fd);
    }
    return 0;
}
