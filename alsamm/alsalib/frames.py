"""Blocks of interleaved frames that go through a call: checked once, here, then moved."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from alsamm import errors
from alsamm._c import ffi
from alsamm.enums import Access

if TYPE_CHECKING:
    from alsamm._c._native import CData
    from alsamm.alsalib.road import Road
    from alsamm.device import Geometry

__all__ = ["Block", "block_of", "move"]


class Block(NamedTuple):
    """Memory of whole interleaved frames; the memory lives as long as the CData."""

    memory: CData
    frames: int
    frame_bytes: int


def block_of(array: object, geometry: Geometry, *, into: bool = False) -> Block:
    """Check an array or a buffer against the configuration, once, before the kernel copies.

    Shape (frames, channels), or (frames,) for one channel, C-contiguous; packed 3-byte formats have a last axis of 3
    ``u1``. Other buffers: bytes, or items of the sample's type, taken as whole interleaved frames. ``into``: it will be
    written to.

    Raises StateError for another access than RW_INTERLEAVED, ArgumentTypeError for another dtype, ArgumentError for
    another shape, for strides, or for a target that is read-only.
    """
    if geometry.access != Access.RW_INTERLEAVED:
        message = f"access is {geometry.access}: readi and writei need RW_INTERLEAVED, mapped access an Mmap object"
        raise errors.StateError(message)
    frame_bytes = geometry.format.physical_width * geometry.channels // 8
    samples = _fitting(array, geometry) if isinstance(array, np.ndarray) else _from_buffer(array, geometry)
    if not samples.flags.c_contiguous:
        raise errors.ArgumentError(f"the array's strides are {samples.strides}: it must be C-contiguous; copy it first")
    if into and not samples.flags.writeable:
        raise errors.ArgumentError("the array to read into is read-only")
    # An empty array has no frames whatever its shape, and cffi refuses it.
    memory: CData = ffi.from_buffer("char[]", samples.reshape(-1).view("u1")) if samples.size else ffi.NULL
    return Block(memory, samples.nbytes // frame_bytes, frame_bytes)


def move(road: Road, func: str, block: Block, most: int) -> int:
    """Move the block in calls of up to ``most`` frames, so that signals are heard; gives how many frames went.

    Raises what stops the first frame; a later stop ends the call early, and the next one raises.
    """
    done = 0
    while done < block.frames:
        at = block.memory + done * block.frame_bytes
        code = road.transfer(at, min(block.frames - done, most))
        if code == -errno.EINTR:
            continue  # the interpreter has run the signal handlers by now, and one that raises ends the loop
        if code < 0 and not done:
            raise road.failure(code, func)
        if code <= 0:
            break
        done += code
    return done


def _fitting(array: Any, geometry: Geometry) -> Any:
    dtype: Any = geometry.format.dtype
    base, extra = dtype.base, dtype.shape
    if array.dtype != base:
        held = f"{geometry.format}, which is numpy {base.str}{list(extra) or ''}"
        raise errors.ArgumentTypeError(f"the PCM holds {held}; the array is {array.dtype.str}")
    wanted = (geometry.channels, *extra)
    if array.shape[1:] != wanted and not (geometry.channels == 1 and array.shape[1:] == extra and array.ndim):
        shape = ", ".join(map(str, ("frames", *wanted)))
        raise errors.ArgumentError(f"the array's shape is {array.shape}; the PCM takes ({shape})")
    return array


def _from_buffer(buffer: object, geometry: Geometry) -> Any:
    try:
        view = memoryview(buffer)  # type: ignore[arg-type]
    except TypeError:
        kind = type(buffer).__name__
        raise errors.ArgumentTypeError(f"samples must be an array or a buffer, not {kind}") from None
    if not view.c_contiguous:
        raise errors.ArgumentError("a buffer must be contiguous")
    array: Any = np.asarray(view)
    if view.format not in ("B", "b", "c") and array.dtype != geometry.format.dtype:
        items = f"the buffer's items are {array.dtype.str}"
        raise errors.ArgumentTypeError(f"the PCM holds {geometry.format}; {items}: give bytes, or its own type")
    frame_bytes = geometry.format.physical_width * geometry.channels // 8
    if view.nbytes % frame_bytes:
        raise errors.ArgumentError(f"{view.nbytes} bytes are no whole frames of {frame_bytes} bytes")
    return array
