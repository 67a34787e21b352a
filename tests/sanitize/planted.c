/* One fault of each kind, for the tools to find: what they let pass here they would let pass in our C. */
#include <sched.h>
#include <stdlib.h>

long planted_overflow(long index);
long planted_undefined(int number);
void planted_leak(void);
long planted_race(void);
int planted_uninitialised(void);
int planted_unset(void);

long planted_overflow(long index) /* 8 and more: past its end */
{
    volatile char *memory = malloc(8);
    long value = memory ? memory[index] : 0;

    free((void *)memory);
    return value;
}

long planted_undefined(int number)
{
    return number + 1;
}

void planted_leak(void)
{
    volatile char *memory = malloc(4321);

    if (memory)
        memory[0] = 1;
}

long planted_race(void) /* by two threads, which only meet: else Python's lock orders them */
{
    static int arrived;
    static long counted;

    __atomic_fetch_add(&arrived, 1, __ATOMIC_RELAXED);
    while (__atomic_load_n(&arrived, __ATOMIC_RELAXED) < 2)
        sched_yield();
    return ++counted;
}

int planted_uninitialised(void)
{
    volatile int *memory = malloc(sizeof *memory);
    int value = memory && *memory ? 1 : 2;

    free((void *)memory);
    return value;
}

int planted_unset(void) /* a value that nothing here depends on, only who called */
{
    volatile int *memory = malloc(sizeof *memory);
    int value = memory ? *memory : 1;

    free((void *)memory);
    return value;
}
