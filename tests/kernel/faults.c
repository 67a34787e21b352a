/* A C callback that can be held: what stands for user code that is late, or that never returns. */
#include <stdint.h>
#include <unistd.h>

struct gate {
    volatile int64_t closed, calls;
};

int through_gate(void *playback, const void *capture, unsigned long frames, long long frame, void *user)
{
    struct gate *gate = user;

    (void)playback, (void)capture, (void)frames, (void)frame;
    while (gate->closed)
        usleep(1000);
    gate->calls++;
    return 0;
}

/* A signal's handler that is not Python's, whose C handler would write to its wake-up descriptor. */
void nothing(int number)
{
    (void)number;
}
