"""Frames into and out of a software card: arrays and WAV files."""

from __future__ import annotations

import os
import wave
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from alsamm import errors
from alsamm.enums import Format

__all__ = ["Frames", "array_of", "bytes_of", "read_wav", "write_wav"]

Frames = npt.NDArray[Any]

# What the standard library's wave module can: little-endian PCM, of which only 8 bits is unsigned.
_WAV_FORMATS = {1: Format.U8, 2: Format.S16_LE, 3: Format.S24_3LE, 4: Format.S32_LE}


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
    """An array's raw interleaved frames; checked against what captures them where that is known already.

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
    """A WAV file's raw frames, its format, channels and rate (Hz). Raises UnsupportedError for one that is no PCM."""
    try:
        with wave.open(os.fspath(path), "rb") as file:
            raw = file.readframes(file.getnframes())
            return raw, _WAV_FORMATS[file.getsampwidth()], file.getnchannels(), file.getframerate()
    except (wave.Error, KeyError, EOFError) as error:
        raise errors.UnsupportedError(f"{path}: only WAV files of 8, 16, 24 or 32 bit integers ({error})") from error


def write_wav(path: str | os.PathLike[str], raw: bytes, sample_format: Format, channels: int, rate: int) -> None:
    """Write raw frames as a WAV file. Raises UnsupportedError for a format that such a file cannot hold."""
    widths = {member: width for width, member in _WAV_FORMATS.items()}
    if sample_format not in widths:
        possible = ", ".join(member.name for member in widths)
        raise errors.UnsupportedError(
            f"{Path(path).name}: {sample_format.name} frames cannot be kept in a WAV file here; {possible} can"
        )
    with wave.open(os.fspath(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(widths[sample_format])
        file.setframerate(rate)
        file.writeframes(raw)
