/* All that array.c takes of Python's: how every object begins. Debian has Python.h for the machine's own ABI alone. */
#ifndef ALSAMM_TESTS_PYTHON_H
#define ALSAMM_TESTS_PYTHON_H

#include <sys/types.h>

typedef ssize_t Py_ssize_t;
typedef struct {
    Py_ssize_t references;
    void *type;
} PyObject;

#endif
