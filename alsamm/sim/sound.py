"""Frames into and out of a software card: arrays and WAV files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from alsamm import errors
from alsamm.wav import Frames, WavReader, WavWriter

if TYPE_CHECKING:
    import os

    from alsamm.enums import Format

__all__ = ["Frames", "array_of", "bytes_of", "read_wav", "write_wav"]


def array_of(raw: bytes, sample_format: Format, channels: int) -> Frames:
    """Raw interleaved frames as an array (frames, channels) of the format's dtype.

    Packed 3-byte samples, and those that are no numbers, have a last axis of bytes.
    """
    size = sample_format.physical_width // 8
    dtype: Any = sample_format.dtype if sample_format.linear else np.dtype(("u1", (size,)))
    whole = len(raw) // (size * channels) * size * channels
    samples = np.frombuffer(raw[:whole], dtype)
    return samples.reshape((-1, channels, *samples.shape[1:]))


def bytes_of(frames: npt.ArrayLike, sample_format: Format | None, channels: int) -> bytes:
    """Turn an array into raw interleaved frames, checked against what captures them where that is known already.

    Raises ArgumentTypeError and ArgumentError for another dtype or shape than the capture stream's.
    """
    array = np.ascontiguousarray(frames)
    if sample_format is not None and sample_format.linear:
        expected = np.empty((0, channels), sample_format.dtype)
        if array.dtype != expected.dtype:
            raise errors.ArgumentTypeError(f"feed() of {array.dtype} to a capture stream of {expected.dtype}")
        axes = expected.ndim
        matches = array.ndim == axes and array.shape[1:] == expected.shape[1:]
        if not matches and not (channels == 1 and array.ndim == axes - 1 and array.shape[1:] == expected.shape[2:]):
            raise errors.ArgumentError(f"feed() of shape {array.shape} to a capture stream of {channels} channels")
    return array.tobytes()


def read_wav(path: str | os.PathLike[str]) -> tuple[bytes, Format, int, int]:
    """Read a WAV file: raw frames, format, channels, rate (Hz). Raises UnsupportedError for one that is no PCM."""
    with WavReader(path) as file:
        return file.read_all().tobytes(), file.format, file.channels, file.rate


def write_wav(path: str | os.PathLike[str], raw: bytes, sample_format: Format, channels: int, rate: int) -> None:
    """Write raw frames as a WAV file. Raises UnsupportedError for a format that such a file cannot hold."""
    with WavWriter(path, sample_format, channels, rate) as file:
        file.write(raw)
