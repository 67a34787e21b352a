/* What the targets share: numbers out of the fuzzer's bytes, and a numpy array as array.c reads one. */
#ifndef ALSAMM_TESTS_FUZZ_KIT_H
#define ALSAMM_TESTS_FUZZ_KIT_H

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <Python.h>

#include "shim.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition)                                                                  \
    do {                                                                                 \
        if (!(condition)) {                                                              \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);      \
            abort();                                                                     \
        }                                                                                \
    } while (0)

struct bytes {
    const uint8_t *at, *end;
};

static inline unsigned int byte(struct bytes *in)
{
    return in->at < in->end ? *in->at++ : 0;
}

static inline unsigned long long wide(struct bytes *in)
{
    unsigned long long value = 0;
    size_t left = (size_t)(in->end - in->at), count = left < sizeof value ? left : sizeof value;

    memcpy(&value, in->at, count);
    in->at += count;
    return value;
}

/* Mostly small or about a bound, now and then anything. */
static inline long long number(struct bytes *in)
{
    static const long long bounds[] = {0, 1, 64, 256, 1024, 1 << 16, INT_MAX, 1LL << 32, LLONG_MAX, INT_MIN, LLONG_MIN};
    unsigned int kind = byte(in);

    if (kind < 128)
        return kind;
    if (kind < 224) {
        long long bound = bounds[kind % (sizeof bounds / sizeof *bounds)];
        int apart = (int)(byte(in) % 5) - 2;
        return (long long)((unsigned long long)bound + (unsigned long long)apart);
    }
    return (long long)wide(in);
}

struct array { /* numpy's, as array.c has it */
    PyObject head;
    char *data;
    int nd;
    Py_ssize_t *dimensions, *strides;
    PyObject *base, *descr;
    int flags;
};

#endif
