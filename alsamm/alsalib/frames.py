"""Blocks of interleaved frames that go through a call: checked once, here, then moved."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, NamedTuple

from alsamm import errors
from alsamm._c import ffi
from alsamm.enums import Access
from alsamm.samples import as_frames

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

    What fits is told by ``as_frames``; here it must be C-contiguous besides. ``into``: it will be written to.

    Raises StateError for another access than RW_INTERLEAVED; as ``as_frames``; ArgumentError for strides and for a
    target that is read-only.
    """
    if geometry.access != Access.RW_INTERLEAVED:
        message = f"access is {geometry.access}: readi and writei need RW_INTERLEAVED, mapped access an Mmap object"
        raise errors.StateError(message)
    frame_bytes = geometry.format.physical_width * geometry.channels // 8
    samples = as_frames(array, geometry.format, geometry.channels)
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
