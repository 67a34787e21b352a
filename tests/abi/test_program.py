"""Our C as 32-bit programs, with either time: what it answers is what Python and the extension say."""

from __future__ import annotations

import random
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest

from alsamm._c import lib
from alsamm.direct.ring import advance, avail
from tests.unit.convert_model import PAIRS, Array, Sample
from tests.unit.test_convert import by_c

Program = tuple[str, Path]

SAMPLES = [(Sample.of(source), Sample.of(target)) for source, target in PAIRS]


def run(program: Program, what: str, given: bytes = b"") -> bytes:
    done = subprocess.run([program[1], what], input=given, capture_output=True, check=False, timeout=300)
    assert done.returncode == 0, f"{program[0]} {what}: {done.returncode}\n{done.stderr.decode()}"
    return done.stdout


def boundaries() -> list[tuple[int, int]]:
    """Buffer sizes with the kernel's boundary for a ``long`` of 32 bits (rule E1), and with small ones."""
    most = (1 << 31) - 1
    found = []
    for buffer_size in (1, 64, 1000, 4459, 1 << 20, most // 4):
        boundary = buffer_size
        while 2 * boundary <= most - buffer_size:
            boundary *= 2
        found += [(buffer_size, boundary), (buffer_size, 2 * buffer_size)]
    return found


def test_ring_arithmetic_at_the_width_of_long(program: Program) -> None:
    """hw_ptr and appl_ptr at either end, and a buffer late on both sides."""
    rng = random.Random(6)
    cases = []
    for buffer_size, boundary in boundaries():
        edges = [0, 1, buffer_size - 1, buffer_size, boundary // 2, boundary - buffer_size, boundary - 1]
        edges += [rng.randrange(boundary) for _ in range(5)]
        for hw_ptr in edges:
            for appl_ptr in edges:
                cases += [
                    (capture, hw_ptr % boundary, appl_ptr % boundary, buffer_size, boundary, frames)
                    for capture in (0, 1)
                    for frames in (0, 1, buffer_size - 1, buffer_size)
                ]
    lines = run(program, "ring", "\n".join(" ".join(map(str, case)) for case in cases).encode()).decode().splitlines()
    assert len(lines) == len(cases) > 1000
    for line, (capture, hw_ptr, appl_ptr, buffer_size, boundary, frames) in zip(lines, cases, strict=True):
        there = avail(
            capture=bool(capture), hw_ptr=hw_ptr, appl_ptr=appl_ptr, buffer_size=buffer_size, boundary=boundary
        )
        assert line == f"{there} {advance(appl_ptr, frames, boundary)}"


def samples_of(kind: Sample, count: int, rng: np.random.Generator) -> Array:
    """Rows of bytes: any, but floats mostly around full scale."""
    rows = rng.integers(0, 256, (count, kind.bytes), np.uint8)
    if kind.is_float:
        floats = rng.normal(0, 0.6, count).astype(f"f{kind.bytes}")
        floats[::97] = np.nan
        rows = np.frombuffer(floats.tobytes(), np.uint8).reshape(count, kind.bytes).copy()
    return rows


@pytest.mark.parametrize("dither", [False, True], ids=["", "dithered"])
def test_conversion_gives_the_same_bytes(program: Program, dither: bool) -> None:
    """Every pair of formats; a dithered run begins beyond what 32 bits can count, and passes 2^33 on the way."""
    rng = np.random.default_rng(7)
    index, index_step = ((1 << 33) - 200, 2) if dither else (0, 0)
    given, wanted = [], []
    for source, target in SAMPLES:
        rows = samples_of(source, 1000, rng)
        given.append(
            struct.pack(
                "@10i6iQ", *source, *target, dither, len(rows), source.bytes, target.bytes, index_step, -1, index
            )
        )
        given.append(rows.tobytes())
        wanted.append(
            by_c(rows, source, target, simd=lib.fast_simd(), dither=(index, index_step) if dither else None).tobytes()
        )
    heard = run(program, "convert", b"".join(given))
    at = 0
    for (source, target), expected in zip(SAMPLES, wanted, strict=True):
        assert heard[at : at + len(expected)] == expected, f"{source} to {target}"
        at += len(expected)
    assert at == len(heard)


def test_a_stream_over_the_boundary(program: Program) -> None:
    """A software card that has run for six hours: every frame is heard once, in order, on both sides of 2^30."""
    assert run(program, "stream").split() == [b"%d" % (1 << 30), b"1"]
