"""Level metering: every format against one definition, and how it is drawn."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from alsamm import ArgumentTypeError, UnsupportedError
from alsamm.cli.levels import Level, Levels, bar, loudest_of, meters
from alsamm.enums import Format

LINEAR = [member for member in Format if member.linear]
VALUES = (0.25, -0.5, 0.0, 0.125)  # exact in every format


def encoded(values: list[float], sample_format: Format, garbage: int = 0) -> np.ndarray[Any, Any]:
    """Samples, one at a time and in Python's own numbers; ``garbage`` fills the bits above a sample's."""
    if sample_format.is_float:
        return np.array(values, sample_format.dtype)
    raw = bytearray()
    for value in values:
        number = round(value * (1 << sample_format.width - 1))
        number += 0 if sample_format.signed else 1 << (sample_format.width - 1)
        number = number & (1 << sample_format.width) - 1 | garbage << sample_format.width
        number &= (1 << sample_format.physical_width) - 1
        order = "big" if sample_format.big_endian else "little"
        raw += number.to_bytes(sample_format.physical_width // 8, order)  # type: ignore[arg-type]
    return np.frombuffer(bytes(raw), sample_format.dtype.base).reshape((len(values), *sample_format.dtype.shape))


@pytest.mark.parametrize("garbage", [0, 0x5A5])
@pytest.mark.parametrize("sample_format", LINEAR)
def test_every_format_has_the_same_levels(sample_format: Format, garbage: int) -> None:
    mono = encoded(list(VALUES), sample_format, garbage)
    two = np.stack([mono, encoded([0.0] * 4, sample_format)], axis=1).astype(sample_format.dtype.base)
    levels = Levels(2, sample_format)
    levels.add(two[:1])
    levels.add(two[1:])
    loud, silent = levels.take()
    assert loud.peak == pytest.approx(20 * math.log10(0.5))
    assert loud.rms == pytest.approx(10 * math.log10(sum(value**2 for value in VALUES) / 4))
    assert silent == Level(-math.inf, -math.inf, over=False)
    assert not loud.over
    assert levels.take() == [silent, silent]  # begun anew


@pytest.mark.parametrize("sample_format", LINEAR)
@pytest.mark.parametrize("end", [-1, 1])
def test_full_scale_is_over(sample_format: Format, end: int) -> None:
    step = 0.0 if sample_format.is_float or end < 0 else 2.0 ** (1 - sample_format.width)
    levels = Levels(1, sample_format)
    levels.add(encoded([end * (1.0 - step)], sample_format))
    assert levels.take()[0].over
    levels.add(encoded([end * 0.5], sample_format))
    assert not levels.take()[0].over


def test_a_sine_is_three_decibels_below_its_peak() -> None:
    levels = Levels(1, Format.S32)
    levels.add(np.rint(np.sin(np.arange(48_000) * 2 * np.pi / 48) * (2**31 - 1)).astype("i4"))
    (level,) = levels.take()
    assert level.peak == pytest.approx(0.0, abs=1e-6)
    assert level.rms == pytest.approx(-3.0103, abs=1e-3)


def test_floats_beyond_full_scale_and_nan() -> None:
    levels = Levels(1, Format.FLOAT)
    levels.add(np.array([np.nan, 2.0], "f4"))
    (level,) = levels.take()
    assert level.peak == pytest.approx(6.02, abs=0.01)
    assert level.over


def test_what_it_does_not_take() -> None:
    with pytest.raises(UnsupportedError):
        Levels(2, Format.MU_LAW)
    with pytest.raises(ArgumentTypeError):
        Levels(2, Format.S16).add(np.zeros((4, 2), "f4"))
    levels = Levels(1, Format.S16)
    levels.add(np.zeros((0, 1), "i2"))
    assert levels.take() == [Level(-math.inf, -math.inf, over=False)]


def test_the_loudest_of_all() -> None:
    quiet, loud = Level(-3.0, -30.0, over=True), Level(-9.0, -20.0, over=False)
    assert loudest_of([quiet, loud]) == Level(-3.0, -20.0, over=True)


@pytest.mark.parametrize(
    ("dbfs", "drawn"),
    [(0.0, "████████"), (6.0, "████████"), (-30.0, "████····"), (-33.0, "███▋····"), (-60.0, "········")],
)
def test_bars(dbfs: float, drawn: str) -> None:
    assert bar(dbfs, 8) == drawn
    assert bar(-math.inf, 3) == "···"


@pytest.mark.parametrize("width", [0, 1, 7, 40])
def test_bars_have_their_width_and_grow(width: int) -> None:
    bars = [bar(float(dbfs), width) for dbfs in np.arange(-70, 10, 0.1)]
    assert {len(drawn) for drawn in bars} == {width}
    fills = [sum("·▏▎▍▌▋▊▉█".index(sign) for sign in drawn) for drawn in bars]
    assert fills == sorted(fills)
    assert fills[-1] == width * 8


def test_meters_are_a_line_for_each_channel() -> None:
    first, second = meters([Level(-1.5, -12.0, over=False), Level(0.0, -math.inf, over=True)], 10)
    assert first == f"  1 {bar(-12.0, 10)}   -1.5 dB"
    assert second == f"  2 {'·' * 10}    0.0 dB  OVER"
