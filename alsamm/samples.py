"""Arrays and buffers of samples: which of them fit a PCM. Checked once, at the edge, before memory is touched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from alsamm import errors

if TYPE_CHECKING:
    from alsamm.enums import Format

__all__ = ["as_frames", "is_buffer"]

_Array = np.ndarray[Any, np.dtype[Any]]


def as_frames(samples: object, format: Format, channels: int) -> _Array:  # noqa: A002 -- ALSA's word
    """The samples as an array, never a copy: (frames, channels), or (frames,) as it was given for one channel.

    Packed 3-byte formats have a last axis of 3 ``u1``. A buffer of bytes, or a flat one of samples, is taken as whole
    interleaved frames; a buffer must be contiguous.

    Raises ArgumentTypeError for another dtype or for what is no buffer, ArgumentError for another shape.
    """
    array = samples if isinstance(samples, np.ndarray) else _from_buffer(samples, format, channels)
    base, extra = format.dtype.base, format.dtype.shape
    if array.dtype != base:
        held = f"{format.name}, which is numpy {base.str}{list(extra) or ''}"
        raise errors.ArgumentTypeError(f"the PCM holds {held}; the array is {array.dtype.str}")
    wanted = (channels, *extra)
    mono = channels == 1 and array.ndim > 0 and array.shape[1:] == extra
    if array.shape[1:] != wanted and not mono:
        shape = ", ".join(map(str, ("frames", *wanted)))
        raise errors.ArgumentError(f"the array's shape is {array.shape}; the PCM takes ({shape})")
    return array


def is_buffer(samples: object) -> bool:
    """Whether it lends its memory (a memoryview can be had of it)."""
    try:
        memoryview(samples)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] -- asked just here
    except TypeError:
        return False
    return True


def _from_buffer(buffer: object, format: Format, channels: int) -> _Array:  # noqa: A002 -- ALSA's word
    try:
        view = memoryview(buffer)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] -- asked just here
    except TypeError:
        kind = type(buffer).__name__
        raise errors.ArgumentTypeError(f"samples must be an array or a buffer, not {kind}") from None
    if not view.c_contiguous:
        raise errors.ArgumentError("a buffer must be contiguous; a numpy array need not be")
    array = np.asarray(view)
    if view.ndim != 1 or (view.format not in {"B", "b", "c"} and array.dtype != format.dtype):
        return array  # to be judged as one
    frame_bytes = channels * format.physical_width // 8
    if view.nbytes % frame_bytes:
        raise errors.ArgumentError(f"{view.nbytes} bytes are no whole frames of {frame_bytes} bytes")
    flat = np.frombuffer(view, format.dtype.base)
    return flat.reshape((-1, channels, *format.dtype.shape))
