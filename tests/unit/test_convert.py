"""One sample format into another (``_c/convert.h``), held against a slow model, on every SIMD level of this machine."""

from __future__ import annotations

import ctypes
import mmap
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alsamm._c import ffi, lib
from alsamm.enums import Format
from tests.unit.convert_model import NATIVE, PAIRS, Array, Sample, convert, decode, noise

LEVELS = range(lib.fast_simd() + 1)
GUARD = 64
MARK = 0xA5
RANDOM = np.random.default_rng(5)
EINVAL = -22

each_pair = pytest.mark.parametrize(("source", "target"), PAIRS, ids=str)


def converter_of(source: Sample, target: Sample, *, simd: int = -1, dither: bool = False) -> Any:
    converter = ffi.new("struct alsamm_converter *", {"from": source, "to": target, "dither": dither})
    assert lib.fast_converter(converter, simd) == 0
    return converter


def by_c(
    rows: Array,
    source: Sample,
    target: Sample,
    *,
    simd: int,
    dither: tuple[int, int] | None = None,
    steps: tuple[int, int] | None = None,
    offsets: tuple[int, int] = (0, 0),
) -> Array:
    """Rows of bytes through C. ``steps``, ``offsets``: of source and target, in bytes; nothing else may change."""
    converter = converter_of(source, target, simd=simd, dither=dither is not None)
    from_step, to_step = steps or (source.bytes, target.bytes)
    read = np.full(2 * GUARD + len(rows) * abs(from_step), MARK, np.uint8)
    written = np.full(2 * GUARD + len(rows) * abs(to_step), MARK, np.uint8)
    from_start = _start(len(rows), from_step, offsets[0])
    to_start = _start(len(rows), to_step, offsets[1])
    at = np.arange(len(rows))[:, None]
    read[from_start + at * from_step + np.arange(source.bytes)] = rows
    index, index_step = dither or (0, 0)
    error = lib.fast_convert(
        converter,
        ffi.cast("char *", written.ctypes.data + to_start),
        to_step,
        ffi.cast("char *", read.ctypes.data + from_start),
        from_step,
        len(rows),
        index,
        index_step,
    )
    assert error == 0
    places = to_start + at * to_step + np.arange(target.bytes)
    result: Array = written[places]
    written[places] = MARK
    assert (written == MARK).all(), "bytes beside the samples have been written"
    return result


def _start(samples: int, step: int, offset: int) -> int:
    return GUARD // 2 + offset + (0 if step > 0 else (samples - 1) * -step)


def check(rows: Array, source: Sample, target: Sample, **how: Any) -> None:
    dither = how.get("dither")
    expected = convert(rows, source, target, noise(len(rows), *dither) if dither else None)
    for simd in LEVELS:
        got = by_c(rows, source, target, simd=simd, **how)
        wrong = np.flatnonzero((got != expected).any(axis=1))
        assert not len(wrong), (
            f"level {simd}: sample {wrong[0]}, {rows[wrong[0]].tobytes().hex()} ({decode(rows, source)[wrong[0]]!r}), "
            f"is {got[wrong[0]].tobytes().hex()}, not {expected[wrong[0]].tobytes().hex()}"
        )


def rows_of(values: Any, dtype: Any) -> Array:
    array = np.ascontiguousarray(values, dtype)
    return array.view(np.uint8).reshape(-1, array.dtype.itemsize)


def garbage(samples: int, sample: Sample) -> Array:
    """Random bytes: for floats half of them within full scale, where most things happen."""
    rows = RANDOM.integers(0, 256, (samples, sample.bytes), np.uint8)
    if sample.is_float:
        floats = rows_of(RANDOM.uniform(-1.1, 1.1, samples), f"f{sample.bytes}")
        rows[::2] = floats[::2, ::-1] if sample.swapped else floats[::2]
    return rows


def extremes(sample: Sample) -> Array:
    if not sample.is_float:
        ends = [1 << bit for bit in range(sample.bits)]
        ends += [end - 1 for end in ends]
        ends += [(1 << sample.bits) - 1 - end for end in ends]
        rows = np.array(ends, "<u8").view(np.uint8).reshape(-1, 8)[:, : sample.bytes]
        if sys.byteorder == "big":
            rows = rows[:, ::-1]
    else:
        kind = np.dtype(f"f{sample.bytes}").type
        info = np.finfo(kind)
        positive = np.array(
            [
                *(0, 2, 1e30, 1e-30, info.max, info.tiny, info.smallest_subnormal, np.inf, np.nan),
                *(2.0**-bit for bit in range(60)),
                *(1 - 2.0**-bit for bit in range(60)),
                *(step * 2.0**-31 for step in range(2**31 - 200, 2**31 + 200)),
            ],
            kind,
        )
        near = np.concatenate([positive, np.nextafter(positive, kind(2)), np.nextafter(positive, kind(-2))])
        rows = rows_of(np.concatenate([near, -near]), kind)
    return np.ascontiguousarray(rows[:, ::-1] if sample.swapped else rows)


@each_pair
def test_random_bytes_and_extremes(source: Format, target: Format) -> None:
    a, b = Sample.of(source), Sample.of(target)
    check(np.concatenate([garbage(3000, a), extremes(a)]), a, b)


@pytest.mark.parametrize(("source", "target"), [pair for pair in PAIRS if pair[0].width <= 16], ids=str)
def test_all_samples_of_8_and_16_bits(source: Format, target: Format) -> None:
    bits = source.width
    check(rows_of(np.arange(2**bits), f"u{bits // 8}"), Sample.of(source), Sample.of(target))


@pytest.mark.parametrize("through", [Format.FLOAT, Format.FLOAT64, Format.S32, Format.S24_3LE, Format.S18_3BE], ids=str)
def test_16_bits_come_back_as_they_were(through: Format) -> None:
    rows = rows_of(np.arange(65536), np.uint16)
    a, b = Sample.of(Format.S16), Sample.of(through)
    for simd in LEVELS:
        assert (by_c(by_c(rows, a, b, simd=simd), b, a, simd=simd) == rows).all()


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_every_point_at_which_the_result_changes(kind: Any, bits: int) -> None:
    """And its neighbours, for 8 and for 16 bits, from beyond one end to beyond the other."""
    half_steps = np.arange(-(2**bits) - 4, 2**bits + 5).astype(kind) / kind(2**bits)
    points = np.concatenate([half_steps, np.nextafter(half_steps, kind(9)), np.nextafter(half_steps, kind(-9))])
    source = Sample.of(Format.from_dtype(kind))
    targets = [Format.S8, Format.U8] if bits == 8 else [Format.S16_LE, Format.S16_BE, Format.U16_LE]
    for target in targets:
        check(rows_of(points, kind), source, Sample.of(target))


@pytest.mark.parametrize("bits", [18, 20, 24, 32])
@pytest.mark.parametrize("kind", [np.float32, np.float64, np.int32])
def test_points_at_which_more_bits_change(kind: Any, bits: int) -> None:
    steps = np.concatenate([np.arange(-300, 300), RANDOM.integers(-(2**bits), 2**bits, 20000), [-(2**bits), 2**bits]])
    if kind == np.int32:
        points = np.clip(steps.astype(np.int64) << (32 - bits) >> 1, -(2**31), 2**31 - 1)
        points = np.concatenate([points, np.clip(points + 1, None, 2**31 - 1), np.clip(points - 1, -(2**31), None)])
    else:
        points = steps.astype(kind) / kind(2.0**bits)
        points = np.concatenate([points, np.nextafter(points, kind(9)), np.nextafter(points, kind(-9))])
    target = {18: Format.S18_3LE, 20: Format.U20_LE, 24: Format.S24_3LE, 32: Format.U32_BE}[bits]
    check(rows_of(points, kind), Sample.of(Format.from_dtype(kind)), Sample.of(target))


@pytest.mark.parametrize("source", NATIVE, ids=str)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_any_bits_into_any_format(source: Format, data: st.DataObject) -> None:
    a = Sample.of(source)
    b = Sample.of(data.draw(st.sampled_from([target for _, target in PAIRS])))
    rows = data.draw(st.binary(max_size=70 * a.bytes))
    check(np.frombuffer(rows[: len(rows) // a.bytes * a.bytes], np.uint8).reshape(-1, a.bytes), a, b)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_any_floats_into_any_format(kind: Any, data: st.DataObject) -> None:
    floats = st.one_of(
        st.floats(width=8 * kind(0).itemsize), st.floats(-1.25, 1.25).map(lambda value: float(kind(value)))
    )
    values = data.draw(st.lists(floats, max_size=70))
    target = data.draw(st.sampled_from([target for _, target in PAIRS]))
    check(rows_of(values, kind), Sample.of(Format.from_dtype(kind)), Sample.of(target))


@pytest.mark.parametrize("target", NATIVE, ids=str)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_any_bits_of_any_format(target: Format, data: st.DataObject) -> None:
    a = Sample.of(data.draw(st.sampled_from([source for source, _ in PAIRS])))
    rows = data.draw(st.binary(max_size=70 * a.bytes))
    check(np.frombuffer(rows[: len(rows) // a.bytes * a.bytes], np.uint8).reshape(-1, a.bytes), a, Sample.of(target))


@each_pair
def test_runs_of_every_length(source: Format, target: Format) -> None:
    a, b = Sample.of(source), Sample.of(target)
    rows = garbage(300, a)
    expected = convert(rows, a, b)
    for length in [*range(71), 127, 128, 129, 130, 255, 256, 257, 300]:
        for simd in LEVELS:
            assert (by_c(rows[:length], a, b, simd=simd) == expected[:length]).all(), (length, simd)


STEPS = [(1, 2), (2, 1), (2, 2), (3, 8), (-1, 1), (1, -2)]


@each_pair
def test_samples_apart_and_at_any_address(source: Format, target: Format) -> None:
    a, b = Sample.of(source), Sample.of(target)
    rows = garbage(150, a)
    expected = convert(rows, a, b)
    for number, (from_step, to_step) in enumerate([*STEPS, (1, 1), (1, 1)]):
        odd = number % 3  # steps that are no multiple of the sample's size
        steps = (from_step * a.bytes, to_step * b.bytes)
        if abs(from_step) > 1:
            steps = (steps[0] + odd, steps[1])
        for simd in LEVELS:
            got = by_c(rows, a, b, simd=simd, steps=steps, offsets=(number % 5, number % 7))
            assert (got == expected).all(), (steps, simd)


def test_one_sample_for_all() -> None:
    """As of an array that numpy broadcasts: its step is 0."""
    a, b = Sample.of(Format.FLOAT), Sample.of(Format.S24_3LE)
    rows = np.repeat(garbage(1, a), 200, axis=0)
    for simd in LEVELS:
        assert (by_c(rows, a, b, simd=simd, steps=(0, b.bytes)) == convert(rows, a, b)).all()


@pytest.fixture
def island() -> Iterator[Array]:
    """Memory between two pages that nobody may touch: whoever does ends the process."""
    memory = mmap.mmap(-1, 3 * mmap.PAGESIZE)
    octets = np.frombuffer(memory, np.uint8)
    libc = ctypes.CDLL(None, use_errno=True)
    shores = [ctypes.c_void_p(octets.ctypes.data + page * mmap.PAGESIZE) for page in (0, 2)]
    for shore in shores:
        assert libc.mprotect(shore, mmap.PAGESIZE, 0) == 0
    yield octets[mmap.PAGESIZE : 2 * mmap.PAGESIZE]
    for shore in shores:
        assert libc.mprotect(shore, mmap.PAGESIZE, mmap.PROT_READ | mmap.PROT_WRITE) == 0


@each_pair
def test_nothing_beside_the_samples_is_touched(source: Format, target: Format, island: Array) -> None:
    a, b = Sample.of(source), Sample.of(target)
    beside = np.zeros(mmap.PAGESIZE, np.uint8)
    for simd in LEVELS:
        converter = converter_of(a, b, simd=simd)
        for samples in [*range(1, 40), 64, 100, 128, 150]:
            for step in (1, 2):
                for into in (False, True):
                    size = b.bytes if into else a.bytes
                    for start in (0, mmap.PAGESIZE - ((samples - 1) * step + 1) * size):
                        at, other = island.ctypes.data + start, beside.ctypes.data
                        error = lib.fast_convert(
                            converter,
                            ffi.cast("char *", at if into else other),
                            b.bytes * (step if into else 1),
                            ffi.cast("char *", other if into else at),
                            a.bytes * (1 if into else step),
                            samples,
                            0,
                            0,
                        )
                        assert error == 0


DITHERED = [pair for pair in PAIRS if Sample.of(pair[1]).dithered_from(Sample.of(pair[0]))]
PLAIN = [(Format.FLOAT, Format.S24_3LE), (Format.S32, Format.S24), (Format.S16, Format.FLOAT), (Format.U8, Format.S16)]


@pytest.mark.parametrize(("source", "target"), DITHERED + PLAIN, ids=str)
def test_dither_is_what_it_is_defined_to_be(source: Format, target: Format) -> None:
    a, b = Sample.of(source), Sample.of(target)
    rows = np.concatenate([garbage(3000, a), extremes(a)])
    for dither in [(0, 1), (12345678901, 2), (2**32 - 1000, 1), (1000, -1), (2**64 - 5, 6), (7, 0)]:
        check(rows, a, b, dither=dither)


def test_dither_changes_something() -> None:
    a, b = Sample.of(Format.FLOAT), Sample.of(Format.S16)
    rows = rows_of(np.full(1000, 0.25), np.float32)
    assert len(np.unique(by_c(rows, a, b, simd=-1, dither=(0, 1)).view(np.int16))) == 3
    assert len(np.unique(by_c(rows, a, b, simd=-1).view(np.int16))) == 1


@pytest.mark.parametrize("source", [Format.FLOAT, Format.FLOAT64, Format.S32], ids=str)
def test_a_run_can_be_split_anywhere(source: Format) -> None:
    a, b = Sample.of(source), Sample.of(Format.S16)
    rows = garbage(400, a)
    for index, step in [(5, 1), (2**32 - 100, 1), (2**32 - 201, 2), (150, -1)]:
        for simd in LEVELS:
            whole = by_c(rows, a, b, simd=simd, dither=(index, step))
            for cut in (1, 7, 99, 100, 101, 128, 250):
                first = by_c(rows[:cut], a, b, simd=simd, dither=(index, step))
                second = by_c(rows[cut:], a, b, simd=simd, dither=((index + cut * step) % 2**64, step))
                assert (np.concatenate([first, second]) == whole).all(), (index, step, cut, simd)


@pytest.mark.parametrize("start", [0, 2**32 - 200_000, 2**40])
@pytest.mark.parametrize("level", [0.0, 0.5, 0.3])
def test_the_noise_is_triangular(start: int, level: float) -> None:
    """TPDF: the error of dithered samples has mean 0 and variance 1/6 + 1/12 step^2, whatever the signal is."""
    count = 400_000
    rows = rows_of(np.full(count, (1000 + level) / 32768), np.float32)
    got = by_c(rows, Sample.of(Format.FLOAT), Sample.of(Format.S16), simd=-1, dither=(start, 1)).view(np.int16)[:, 0]
    error = got - (1000 + level)
    assert abs(error.mean()) < 0.005
    assert error.var() == pytest.approx(1 / 6 + 1 / 12, rel=0.01)
    drawn = noise(50_000, start, 1) / 65536
    assert abs(drawn.mean()) < 0.01
    assert drawn.var() == pytest.approx(1 / 6, rel=0.02)
    shares = np.histogram(drawn, bins=8, range=(-1, 1))[0] / len(drawn)
    assert shares == pytest.approx([1 / 32, 3 / 32, 5 / 32, 7 / 32, 7 / 32, 5 / 32, 3 / 32, 1 / 32], abs=0.005)
    for lag in (1, 2, 3, 64):
        assert abs(np.corrcoef(drawn[:-lag], drawn[lag:])[0, 1]) < 0.02


def test_both_halves_of_an_index_count() -> None:
    low, high = noise(1000, 0, 1), noise(1000, 2**32, 1)
    assert (low != high).mean() > 0.99


def test_simd_is_the_most_to_use() -> None:
    a, b = Sample.of(Format.FLOAT), Sample.of(Format.S16)
    for simd in LEVELS:
        assert converter_of(a, b, simd=simd).simd == simd
    for simd in (-1, 99):
        assert converter_of(a, b, simd=simd).simd == lib.fast_simd()


GOOD = Sample.of(Format.FLOAT)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (Sample.of(Format.S24_3LE), Sample.of(Format.S24_LE)),
        (Sample.of(Format.U8), Sample.of(Format.S8)),
        (Sample.of(Format.FLOAT_BE), Sample.of(Format.S16_BE)),
        (Sample(0, 0, is_float=False, is_signed=False, swapped=False), GOOD),
        (GOOD, Sample(2, 12, is_float=False, is_signed=True, swapped=False)),
        (GOOD, Sample(4, 33, is_float=False, is_signed=True, swapped=False)),
        (GOOD, Sample(8, 64, is_float=False, is_signed=True, swapped=False)),
        (GOOD, Sample(2, 16, is_float=True, is_signed=True, swapped=False)),
    ],
)
def test_what_cannot_be_converted(source: Sample, target: Sample) -> None:
    converter = ffi.new("struct alsamm_converter *", {"from": source, "to": target})
    assert lib.fast_converter(converter, -1) == EINVAL
    memory = ffi.new("char[64]")
    assert lib.fast_convert(converter, memory, 8, memory + 32, 8, 1, 0, 0) == EINVAL


def test_arguments_that_are_no_run() -> None:
    converter = converter_of(GOOD, Sample.of(Format.S16))
    memory = ffi.new("char[64]")
    assert lib.fast_converter(ffi.NULL, -1) == EINVAL
    assert lib.fast_convert(ffi.NULL, memory, 2, memory, 4, 1, 0, 0) == EINVAL
    assert lib.fast_convert(converter, ffi.NULL, 2, memory, 4, 1, 0, 0) == EINVAL
    assert lib.fast_convert(converter, memory, 2, ffi.NULL, 4, 1, 0, 0) == EINVAL
    assert lib.fast_convert(converter, memory, 2, memory, 4, -1, 0, 0) == EINVAL
    assert lib.fast_convert(converter, memory, 2, memory, 4, 1, 0, 1 << 25) == EINVAL
    assert lib.fast_convert(converter, ffi.NULL, 2, ffi.NULL, 4, 0, 0, 0) == 0
