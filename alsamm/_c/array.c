/* A numpy array's memory, shape and strides, read where numpy keeps them.
 *
 * PyArrayObject_fields is numpy's public ABI, the same in 1.x and 2.x: every extension that was compiled against numpy has
 * these offsets in it. Asking through Python costs a microsecond and objects; this costs nothing, so it is done anew at each
 * call and an array may be resized, reshaped or retyped between two of them. numpy is not needed to compile this;
 * fast_array_fields lets direct/block_io.py compare once, before the first ring, what is read here with what numpy says.
 *
 * The caller holds the GIL and a reference to the array; while it is the block's the ring holds one too, so that what is
 * asked of it later is asked of an array, whatever became of the caller's. */
#include <Python.h>

#include "direct.h"

struct array { /* numpy/ndarraytypes.h: PyArrayObject_fields */
    PyObject head;
    char *data;
    int nd;
    Py_ssize_t *dimensions, *strides;
    PyObject *base, *descr;
    int flags;
};

#define WRITEABLE 0x0400 /* NPY_ARRAY_WRITEABLE */

/* Bytes from the block's first to behind its last, as far as strides reach; 0: more than an address space. */
static int reach(const struct alsamm_block *block, unsigned int channels, unsigned int width, long *low, long *high)
{
    long along[2];

    *low = 0;
    *high = (long)width;
    if (__builtin_mul_overflow(block->frames - 1, block->frame_stride, &along[0]) ||
        __builtin_mul_overflow((long)channels - 1, block->channel_stride, &along[1]))
        return 0;
    for (int i = 0; i < 2; i++)
        if (__builtin_add_overflow(along[i] < 0 ? *low : *high, along[i], along[i] < 0 ? low : high))
            return 0;
    return 1;
}

static int within_ring(const struct alsamm_ring *ring, const struct alsamm_block *block)
{
    long low, high;
    uintptr_t first, end, ring_first = (uintptr_t)ring->memory, ring_end = ring_first + ring->memory_bytes;

    if (block->frames <= 0)
        return 0;
    if (!reach(block, ring->channels, (unsigned int)ring->item_bytes, &low, &high))
        return 1;
    if (__builtin_add_overflow((uintptr_t)block->samples, low, &first) ||
        __builtin_add_overflow((uintptr_t)block->samples, high, &end))
        return 1;
    return first < ring_end && end > ring_first;
}

/* 1: `out` is filled in; 0: not the shape, dtype or strides that this ring takes. */
static int describe(const struct alsamm_ring *ring, const struct array *array, struct alsamm_block *out)
{
    int axes = array->nd - ring->packed;

    if (array->descr != ring->descr || axes < 1 || axes > 2)
        return 0;
    if (axes == 2 ? array->dimensions[1] != (Py_ssize_t)ring->channels : ring->channels != 1)
        return 0;
    if (ring->packed && (array->dimensions[axes] != 3 || array->strides[axes] != 1))
        return 0;
    out->samples = array->data;
    out->frames = array->dimensions[0];
    /* Of an axis with one place numpy lets a stride be anything; ours is stepped by once more than it is used. */
    out->channel_stride = ring->channels > 1 ? array->strides[1] : (long)ring->item_bytes;
    out->frame_stride = out->frames > 1 ? array->strides[0] : (long)(ring->item_bytes * ring->channels);
    if (ring->capture) { /* it will be written to */
        if (!(array->flags & WRITEABLE))
            return 0;
        if ((out->frame_stride == 0 && out->frames > 1) || (out->channel_stride == 0 && ring->channels > 1 && out->frames > 0))
            return 0;
    }
    return 1;
}

int direct_take(struct alsamm_ring *ring, uintptr_t array, void **old)
{
    struct alsamm_block block;

    *old = ring->block.array;
    ring->block.array = NULL;
    if (!array)
        return 0; /* what was done with the last one can still be read */
    ring->done = 0;
    if (!ring->descr || !describe(ring, (const struct array *)array, &block))
        return 0;
    if (within_ring(ring, &block))
        return -EFAULT;
    block.array = (void *)array;
    Py_INCREF((PyObject *)array);
    ring->takes++;
    ring->block = block;
    return 1;
}

void direct_forget(void *old)
{
    Py_XDECREF((PyObject *)old);
}

/* Make an array the block that the next calls work on. 1: done; 0: it does not fit, Python finds out why; -EFAULT: it lies
 * in the ring itself. `array` is id() of an object of type ndarray or a subclass; 0: no array any more. */
int fast_take(struct alsamm_ring *ring, uintptr_t array)
{
    void *old;
    int taken = direct_enter(ring);

    if (taken < 0)
        return taken;
    taken = direct_take(ring, array, &old);
    direct_leave(ring);
    direct_forget(old);
    return taken;
}

/* Whether the array still is what fast_take saw. */
int direct_block_holds(const struct alsamm_ring *ring)
{
    const struct alsamm_block *seen = &ring->block;
    struct alsamm_block now;

    return seen->array && describe(ring, seen->array, &now) && now.samples == seen->samples && now.frames == seen->frames &&
           now.frame_stride == seen->frame_stride && now.channel_stride == seen->channel_stride;
}

int fast_block_holds(struct alsamm_ring *ring)
{
    return direct_block_holds(ring);
}

int fast_array_fields(uintptr_t object, struct alsamm_array_fields *out)
{
    const struct array *array = (const struct array *)object;

    if (!object)
        return -EINVAL;
    *out = (struct alsamm_array_fields){
        .data = (uintptr_t)array->data, .descr = (uintptr_t)array->descr, .axes = array->nd,
        .writeable = (array->flags & WRITEABLE) != 0,
        .length = array->nd > 0 ? array->dimensions[0] : 0, .stride = array->nd > 0 ? array->strides[0] : 0};
    return 0;
}
