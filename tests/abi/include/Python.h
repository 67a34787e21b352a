/* All that array.c takes of Python's: how every object begins, and who keeps it. Debian has Python.h for the machine's own ABI alone. */
#ifndef ALSAMM_TESTS_PYTHON_H
#define ALSAMM_TESTS_PYTHON_H

#include <sys/types.h>

typedef ssize_t Py_ssize_t;
typedef struct {
    Py_ssize_t references;
    void *type;
} PyObject;

#define Py_INCREF(object) ((object)->references++)
#define Py_XDECREF(object) ((object) ? (void)(object)->references-- : (void)0)

#endif
