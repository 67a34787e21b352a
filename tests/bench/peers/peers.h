/* What the two C files of the peers share. Loops are timed around one call of theirs, so a loop is all C. */
#ifndef BENCH_PEERS_H
#define BENCH_PEERS_H

#include <Python.h>

/* null_pcm.c; <sound/asound.h> and <alsa/asoundlib.h> do not compile together, hence two files */
PyObject *null_open(PyObject *module, PyObject *arguments);
PyObject *null_loop(PyObject *module, PyObject *arguments);

#endif
