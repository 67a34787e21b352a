"""What ``_c/convert.h`` defines, slowly and obviously: every sample as an exact fraction in a double.

Each linear format's samples are exact in a double, so nothing is rounded but where the definition says so. Samples are
rows of bytes, as they lie in memory: shape (samples, bytes of one).
"""

from __future__ import annotations

import sys
from typing import Any, NamedTuple

import numpy as np

from alsamm.enums import Format

__all__ = ["NATIVE", "PAIRS", "Sample", "convert", "decode", "encode", "noise"]

Array = np.ndarray[Any, np.dtype[Any]]


class Sample(NamedTuple):
    """How one sample lies in memory, in the order of C's ``struct alsamm_sample``."""

    bytes: int
    bits: int
    is_float: bool
    is_signed: bool
    swapped: bool

    @classmethod
    def of(cls, format: Format) -> Sample:  # noqa: A002 -- ALSA's word
        swapped = format.physical_width > 8 and format.big_endian != (sys.byteorder == "big")
        return cls(format.physical_width // 8, format.width, format.is_float, format.signed, swapped)

    def dithered_from(self, source: Sample) -> bool:
        return not self.is_float and self.bits <= 16 and (source.is_float or source.bits > self.bits)


LINEAR = [member for member in Format if member.linear]
NATIVE = [Format.S16, Format.S32, Format.FLOAT, Format.FLOAT64]
PAIRS = [(source, target) for source in LINEAR for target in LINEAR if source in NATIVE or target in NATIVE]


def _little(rows: Array, sample: Sample) -> Array:
    """The rows with the lowest byte first, or back."""
    big = sample.swapped == (sys.byteorder == "little")
    return rows[:, ::-1] if big else rows


def decode(rows: Array, sample: Sample) -> Array:
    """Samples as fractions of full scale."""
    rows = np.ascontiguousarray(_little(rows, sample))
    if sample.is_float:
        with np.errstate(invalid="ignore"):  # signalling NaNs
            return rows.view(f"<f{sample.bytes}")[:, 0].astype(np.float64)
    value: Array = np.zeros(len(rows), np.int64)
    for i in range(sample.bytes):
        value += rows[:, i].astype(np.int64) << 8 * i
    value %= 1 << sample.bits  # what is above the value is anybody's
    half = 1 << (sample.bits - 1)
    value = np.where(value >= half, value - 2 * half, value) if sample.is_signed else value - half
    return np.asarray(value / half)


def encode(fractions: Array, sample: Sample, dither: Array | None = None) -> Array:
    """Fractions as samples. ``dither``: what is added, in 2^-16 of a step; of the type in which that is done."""
    fractions = np.where(np.isnan(fractions), 0.0, fractions)
    if sample.is_float:
        with np.errstate(over="ignore"):
            floats = fractions.astype(f"<f{sample.bytes}")
        return np.ascontiguousarray(_little(floats.view(np.uint8).reshape(-1, sample.bytes), sample))
    half = 1 << (sample.bits - 1)
    with np.errstate(over="ignore"):
        steps = fractions * half
        if dither is not None:
            steps = (steps.astype(dither.dtype) + dither / dither.dtype.type(65536)).astype(np.float64)
    value = np.clip(np.rint(steps), -half, half - 1).astype(np.int64) + (0 if sample.is_signed else half)
    octets = value.astype("<i8").view(np.uint8).reshape(-1, 8)[:, : sample.bytes]
    return np.ascontiguousarray(_little(octets, sample))


def hashed(x: Array) -> Array:
    """lowbias32 of 32-bit numbers."""
    x = x.astype(np.uint32)
    x = (x ^ x >> np.uint32(16)) * np.uint32(0x7FEB352D)
    x = (x ^ x >> np.uint32(15)) * np.uint32(0x846CA68B)
    return np.asarray(x ^ x >> np.uint32(16))


def noise(samples: int, index: int, index_step: int) -> Array:
    """What dithers the samples of a run, in 2^-16 of a step."""
    n = np.array([(index + i * index_step) % 2**64 for i in range(samples)], np.uint64)
    h = hashed((n & np.uint64(0xFFFFFFFF)).astype(np.uint32) ^ hashed(n >> np.uint64(32)))
    return np.asarray((h >> np.uint32(16)).astype(np.int64) - (h & np.uint32(0xFFFF)).astype(np.int64))


def convert(rows: Array, source: Sample, target: Sample, dither: Array | None = None) -> Array:
    """Samples of ``source`` as samples of ``target``; with ``dither`` where that is defined."""
    if dither is not None:
        exact = np.float32 if source.is_float and source.bytes == 4 else np.float64
        dither = dither.astype(exact) if target.dithered_from(source) else None
    return encode(decode(rows, source), target, dither)
