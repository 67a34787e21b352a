/* bench_peer: what alsamm is measured against, over the same pages and the same ring.
 *
 * Ring.avail, commit and write are what a hand-written extension type would be: no cffi, all in C. volatile_loop is the
 * seed's write: one volatile store a sample. memcpy_loop is the copy and nothing else. */
#include "peers.h"

#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <sound/asound.h>

typedef struct {
    PyObject_HEAD
    volatile struct snd_pcm_mmap_status *status;
    struct snd_pcm_mmap_control *control;
    char *samples;
    unsigned long buffer_size, boundary, frame_bytes;
    int capture;
} Ring;

static long available(const Ring *ring)
{
    long avail = (long)__atomic_load_n(&ring->status->hw_ptr, __ATOMIC_ACQUIRE) -
                 (long)__atomic_load_n(&ring->control->appl_ptr, __ATOMIC_RELAXED) +
                 (ring->capture ? 0 : (long)ring->buffer_size);

    if (avail < 0)
        avail += (long)ring->boundary;
    else if ((unsigned long)avail >= ring->boundary)
        avail -= (long)ring->boundary;
    return avail;
}

static int may_transfer(const Ring *ring)
{
    int state = (int)ring->status->state;

    if (state == SNDRV_PCM_STATE_PREPARED || state == SNDRV_PCM_STATE_RUNNING || state == SNDRV_PCM_STATE_PAUSED)
        return 1;
    PyErr_Format(PyExc_OSError, "state %d", state);
    return 0;
}

static unsigned long room(const Ring *ring, unsigned long wanted)
{
    unsigned long avail = (unsigned long)available(ring);

    if (avail > ring->buffer_size)
        avail = ring->buffer_size;
    return wanted < avail ? wanted : avail;
}

static void publish(Ring *ring, unsigned long frames)
{
    unsigned long next = ring->control->appl_ptr + frames;

#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_sfence(); /* as alsamm: the ring may be write-combining */
#endif
    __atomic_store_n(&ring->control->appl_ptr, next >= ring->boundary ? next - ring->boundary : next, __ATOMIC_RELEASE);
}

/* ---- the extension type ---- */

static PyObject *ring_avail(PyObject *self, PyObject *unused)
{
    (void)unused;
    return PyLong_FromLong(available((Ring *)self));
}

static PyObject *ring_hw_ptr(PyObject *self, void *unused)
{
    (void)unused;
    return PyLong_FromUnsignedLong(__atomic_load_n(&((Ring *)self)->status->hw_ptr, __ATOMIC_ACQUIRE));
}

static PyObject *ring_commit(PyObject *self, PyObject *argument)
{
    Ring *ring = (Ring *)self;
    long frames = PyLong_AsLong(argument);

    if (frames == -1 && PyErr_Occurred())
        return NULL;
    if (!may_transfer(ring))
        return NULL;
    if (frames < 0 || (unsigned long)frames != room(ring, (unsigned long)frames)) {
        PyErr_SetString(PyExc_ValueError, "more than there is room for");
        return NULL;
    }
    publish(ring, (unsigned long)frames);
    Py_RETURN_NONE;
}

static PyObject *ring_write(PyObject *self, PyObject *samples)
{
    Ring *ring = (Ring *)self;
    Py_buffer block;
    unsigned long frames, offset, first;

    if (PyObject_GetBuffer(samples, &block, PyBUF_SIMPLE) < 0)
        return NULL;
    if ((size_t)block.len % ring->frame_bytes) {
        PyErr_SetString(PyExc_ValueError, "no whole frames");
        goto fail;
    }
    if (!may_transfer(ring))
        goto fail;
    frames = room(ring, (size_t)block.len / ring->frame_bytes);
    offset = ring->control->appl_ptr % ring->buffer_size;
    first = frames < ring->buffer_size - offset ? frames : ring->buffer_size - offset;
    memcpy(ring->samples + offset * ring->frame_bytes, block.buf, first * ring->frame_bytes);
    if (frames > first)
        memcpy(ring->samples, (const char *)block.buf + first * ring->frame_bytes, (frames - first) * ring->frame_bytes);
    publish(ring, frames);
    PyBuffer_Release(&block);
    return PyLong_FromUnsignedLong(frames);
fail:
    PyBuffer_Release(&block);
    return NULL;
}

/* ---- what moves the card, for no clock runs ---- */

static PyObject *ring_set_avail(PyObject *self, PyObject *argument)
{
    Ring *ring = (Ring *)self;
    long wanted = PyLong_AsLong(argument);
    long hw_ptr = (long)ring->control->appl_ptr + wanted - (ring->capture ? 0 : (long)ring->buffer_size);

    if (wanted == -1 && PyErr_Occurred())
        return NULL;
    ring->status->hw_ptr = (unsigned long)(hw_ptr < 0 ? hw_ptr + (long)ring->boundary : hw_ptr);
    Py_RETURN_NONE;
}

static PyObject *ring_feed(PyObject *self, PyObject *argument)
{
    Ring *ring = (Ring *)self;
    unsigned long frames = PyLong_AsUnsignedLong(argument);

    if (PyErr_Occurred())
        return NULL;
    ring->status->hw_ptr = ring->status->hw_ptr + frames;
    Py_RETURN_NONE;
}

/* ---- loops in C: (samples, times) ---- */

/* The seed's write: its two runs, its volatile stores, its commit. */
static PyObject *ring_volatile_loop(PyObject *self, PyObject *arguments)
{
    Ring *ring = (Ring *)self;
    Py_buffer block;
    unsigned long times;

    if (!PyArg_ParseTuple(arguments, "y*k", &block, &times))
        return NULL;
    const int16_t *from = block.buf;
    size_t per_frame = ring->frame_bytes / sizeof *from;
    while (times--) {
        unsigned long frames = room(ring, (size_t)block.len / ring->frame_bytes);
        unsigned long offset = ring->control->appl_ptr % ring->buffer_size;
        unsigned long first = frames < ring->buffer_size - offset ? frames : ring->buffer_size - offset;
        volatile int16_t *to = (int16_t *)ring->samples + offset * per_frame;

        for (size_t n = 0; n < first * per_frame; n++)
            to[n] = from[n];
        to = (int16_t *)ring->samples;
        for (size_t n = first * per_frame; n < frames * per_frame; n++)
            to[n - first * per_frame] = from[n];
        unsigned long next = ring->control->appl_ptr + frames;
        *(volatile unsigned long *)&ring->control->appl_ptr = next >= ring->boundary ? next - ring->boundary : next;
    }
    PyBuffer_Release(&block);
    Py_RETURN_NONE;
}

/* memcpy to one place of the ring after the other, or from there for capture. */
static PyObject *ring_memcpy_loop(PyObject *self, PyObject *arguments)
{
    Ring *ring = (Ring *)self;
    Py_buffer block;
    unsigned long times;

    if (!PyArg_ParseTuple(arguments, ring->capture ? "w*k" : "y*k", &block, &times))
        return NULL;
    size_t size = ring->buffer_size * ring->frame_bytes, at = 0, bytes = (size_t)block.len;
    while (times-- && bytes <= size) {
        if (ring->capture)
            memcpy(block.buf, ring->samples + at, bytes);
        else
            memcpy(ring->samples + at, block.buf, bytes);
        __asm__ volatile("" ::: "memory"); /* each copy is made */
        at += bytes;
        if (at + bytes > size)
            at = 0;
    }
    PyBuffer_Release(&block);
    Py_RETURN_NONE;
}

/* ---- the module ---- */

static int ring_init(PyObject *self, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"fd", "address", "buffer_size", "boundary", "frame_bytes", "capture", NULL};
    Ring *ring = (Ring *)self;
    unsigned long address;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    int fd;

    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "ikkkkp", names, &fd, &address, &ring->buffer_size, &ring->boundary,
                                     &ring->frame_bytes, &ring->capture))
        return -1;
    ring->samples = (char *)address;
    ring->status = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, SNDRV_PCM_MMAP_OFFSET_STATUS);
    ring->control = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, SNDRV_PCM_MMAP_OFFSET_CONTROL);
    if (ring->status == MAP_FAILED || ring->control == MAP_FAILED) { /* a few pages until the process ends */
        PyErr_SetFromErrno(PyExc_OSError);
        return -1;
    }
    return 0;
}

static PyMethodDef ring_methods[] = {
    {"avail", ring_avail, METH_NOARGS, NULL},
    {"commit", ring_commit, METH_O, NULL},
    {"write", ring_write, METH_O, NULL},
    {"set_avail", ring_set_avail, METH_O, NULL},
    {"feed", ring_feed, METH_O, NULL},
    {"volatile_loop", ring_volatile_loop, METH_VARARGS, NULL},
    {"memcpy_loop", ring_memcpy_loop, METH_VARARGS, NULL},
    {0},
};

static PyGetSetDef ring_getters[] = {{"hw_ptr", ring_hw_ptr, NULL, NULL, NULL}, {0}};

static PyTypeObject ring_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "bench_peer.Ring",
    .tp_basicsize = sizeof(Ring),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_new = PyType_GenericNew,
    .tp_init = ring_init,
    .tp_methods = ring_methods,
    .tp_getset = ring_getters,
};

static PyMethodDef functions[] = {
    {"null_open", null_open, METH_VARARGS, NULL},
    {"null_loop", null_loop, METH_VARARGS, NULL},
    {0},
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, .m_name = "bench_peer", .m_size = -1, .m_methods = functions};

PyMODINIT_FUNC PyInit_bench_peer(void)
{
    PyObject *made = PyModule_Create(&module);

    if (!made || PyType_Ready(&ring_type) < 0 || PyModule_AddObjectRef(made, "Ring", (PyObject *)&ring_type) < 0) {
        Py_XDECREF(made);
        return NULL;
    }
    return made;
}
