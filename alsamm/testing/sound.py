"""Tones: made, and measured."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from alsamm import errors

__all__ = ["Floats", "fractions_of", "frequency_of", "level_of", "tone"]

Floats = npt.NDArray[np.float64]


def tone(
    frequency: float,
    frames: int,
    *,
    rate: int = 48_000,
    channels: int = 1,
    level: float = -6.0,
    dtype: npt.DTypeLike = "i2",
) -> np.ndarray[Any, np.dtype[Any]]:
    """Make a sine of ``frequency`` Hz, to play or to ``feed``: (frames, channels), ``level`` in dBFS as ``level_of``.

    ``dtype``: a float, 1.0 at full scale, or a signed integer.
    """
    kind: np.dtype[Any] = np.dtype(dtype)
    wave = 10 ** (level / 20) * np.sin(np.arange(frames) * (2 * np.pi * frequency / rate))
    if kind.kind == "i":
        wave = np.rint(wave * np.iinfo(kind).max)
    elif kind.kind != "f":
        raise errors.ArgumentError(f"dtype {kind}: a float or a signed integer")
    return np.repeat(wave.astype(kind)[:, None], channels, axis=1)


def level_of(samples: npt.ArrayLike) -> float:
    """How loud samples are, dBFS: 0 is the RMS of a sine of full scale (AES17), silence is -inf.

    Floats are fractions of full scale, signed integers of their dtype's.
    """
    power = float(np.mean(np.square(fractions_of(samples)))) if np.size(samples) else 0.0
    return 10 * float(np.log10(2 * power)) if power else -float("inf")


def frequency_of(samples: npt.ArrayLike, rate: float) -> float:
    """The frequency of the loudest tone in one channel, Hz, of samples of ``rate``; 0.0 of silence.

    By the peak of a windowed spectrum, to some thousandths of rate / frames for a steady tone of many periods.
    """
    wave = fractions_of(samples)
    if wave.ndim != 1 or len(wave) < 2:  # noqa: PLR2004 -- a tone has a period
        raise errors.ArgumentError(f"samples of shape {wave.shape}: one channel, two frames or more")
    frames = len(wave)
    spectrum = np.abs(np.fft.rfft((wave - wave.mean()) * np.blackman(frames), 4 * frames))
    peak = int(np.argmax(spectrum))
    if not spectrum[peak]:
        return 0.0
    if 0 < peak < len(spectrum) - 1:  # the top of the parabola through three points
        left, top, right = np.log(spectrum[peak - 1 : peak + 2] + np.finfo(float).tiny)
        return float(peak + (left - right) / (2 * (left - 2 * top + right))) * rate / (4 * frames)
    return peak * rate / (4 * frames)


def fractions_of(samples: npt.ArrayLike) -> Floats:
    """Floats as they are, signed integers as fractions of what their dtype holds."""
    array = np.asarray(samples)
    scale = -float(np.iinfo(array.dtype).min) if array.dtype.kind == "i" else 1.0
    return array.astype(np.float64) / scale
