"""Frames that go through calls: what fits, what does not, and what of it arrives."""

from __future__ import annotations

import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import alsamm
from alsamm import PCM, Format, sim
from tests.alsalib.conftest import setup

Open = Callable[..., PCM]


@pytest.mark.parametrize("format_", ["U8", "S16_LE", "S32_LE", "S24_3LE"])
@pytest.mark.parametrize("channels", [1, 2])
def test_samples_of_every_kind_arrive(playback: PCM, card: sim.Card, format_: str, channels: int) -> None:
    setup(playback, format=format_, channels=channels)
    dtype = Format.of(format_).dtype
    block = np.random.default_rng(1).integers(0, 200, (600, channels, *dtype.shape)).astype(dtype.base)
    assert playback.writei(block) == 600
    playback.drain()
    np.testing.assert_array_equal(card.played()[:600].reshape(block.shape), block)


def test_mono_takes_one_axis(playback: PCM) -> None:
    setup(playback, channels=1)
    assert playback.writei(np.zeros(10, "i2")) == 10
    assert playback.writei(np.zeros((10, 1), "i2")) == 10


@pytest.mark.parametrize(
    "buffer", [b"\1\0\2\0" * 50, bytearray(200), memoryview(b"\0" * 200), array.array("h", range(100))], ids=type
)
def test_any_contiguous_buffer_of_whole_frames(playback: PCM, card: sim.Card, buffer: Any) -> None:
    setup(playback)
    assert playback.writei(buffer) == 50
    playback.drain()
    assert card.played()[:50].tobytes() == bytes(memoryview(buffer).cast("B"))


def test_nothing_is_nothing(playback: PCM) -> None:
    setup(playback)
    assert playback.writei(np.zeros((0, 2), "i2")) == 0
    assert playback.writei(b"") == 0


@pytest.mark.parametrize(
    ("block", "error", "said"),
    [
        (np.zeros((10, 2), "f4"), alsamm.ArgumentTypeError, "holds S16_LE, which is numpy <i2; the array is <f4"),
        (np.zeros((10, 2), ">i2"), alsamm.ArgumentTypeError, "the array is >i2"),
        (np.zeros((10, 3), "i2"), alsamm.ArgumentError, r"shape is \(10, 3\); the PCM takes \(frames, 2\)"),
        (np.zeros(20, "i2"), alsamm.ArgumentError, r"takes \(frames, 2\)"),
        (np.zeros((5, 2, 2), "i2"), alsamm.ArgumentError, r"takes \(frames, 2\)"),
        (np.zeros((), "i2"), alsamm.ArgumentError, r"takes \(frames, 2\)"),
        (np.zeros((2, 10), "i2").T, alsamm.ArgumentError, "must be C-contiguous"),
        (np.zeros((20, 2), "i2")[::2], alsamm.ArgumentError, "must be C-contiguous"),
        (b"abc", alsamm.ArgumentError, "3 bytes are no whole frames of 4 bytes"),
        (array.array("f", [0.0] * 10), alsamm.ArgumentTypeError, "the array is <f4"),
        (memoryview(b"abcdefgh")[::2], alsamm.ArgumentError, "must be contiguous"),
        ([1, 2], alsamm.ArgumentTypeError, "must be an array or a buffer, not list"),
        (None, alsamm.ArgumentTypeError, "not NoneType"),
        ("text", alsamm.ArgumentTypeError, "not str"),
    ],
)
def test_what_does_not_fit_moves_nothing(playback: PCM, block: Any, error: type[Exception], said: str) -> None:
    setup(playback)
    with pytest.raises(error, match=said):
        playback.writei(block)
    assert playback.status().appl_ptr == 0


def test_packed_samples_have_a_last_axis_of_three(playback: PCM) -> None:
    setup(playback, format="S24_3LE")
    assert playback.writei(np.zeros((10, 2, 3), "u1")) == 10
    for shape in ((10, 2), (10, 6), (10, 3, 2)):
        with pytest.raises(alsamm.ArgumentError, match=r"takes \(frames, 2, 3\)"):
            playback.writei(np.zeros(shape, "u1"))


def test_captured_frames_go_into_a_new_array_or_a_given_one(capture: PCM, card: sim.Card) -> None:
    sound = np.arange(2_000, dtype="i2").reshape(-1, 2)
    card.feed(sound)
    setup(capture)
    first = capture.readi(frames=300)
    assert (first.shape, first.dtype) == ((300, 2), np.dtype("<i2"))
    out = np.full((200, 2), -1, "i2")
    second = capture.readi(out)
    assert second.base is out
    third = capture.readi()
    assert len(third) == 256
    np.testing.assert_array_equal(np.concatenate([first, second, third]), sound[:756])


def test_what_cannot_be_read_into(capture: PCM) -> None:
    setup(capture)
    fixed = np.zeros((10, 2), "i2")
    fixed.flags.writeable = False
    cases: list[tuple[Any, type[Exception], str]] = [
        (fixed, alsamm.ArgumentError, "read-only"),
        (np.zeros((10, 4), "i2")[:, ::2], alsamm.ArgumentError, "C-contiguous"),
        (np.zeros((10, 2), "f8"), alsamm.ArgumentTypeError, "the array is <f8"),
        (bytearray(8), alsamm.ArgumentTypeError, "into a numpy array, not bytearray"),
    ]
    for out, error, said in cases:
        with pytest.raises(error, match=said):
            capture.readi(out)
    with pytest.raises(alsamm.ArgumentError, match="not both"):
        capture.readi(np.zeros((10, 2), "i2"), frames=10)
    with pytest.raises(alsamm.ArgumentError, match="-1 frames"):
        capture.readi(frames=-1)
    with pytest.raises(alsamm.ArgumentTypeError, match="a whole number"):
        capture.readi(frames=1.5)  # type: ignore[arg-type]


def test_a_non_blocking_pcm_takes_what_it_can(card: sim.Card, opened: Open) -> None:
    pcm = opened(card.device, "playback", blocking=False)
    setup(pcm)
    assert pcm.writei(np.zeros((3_000, 2), "i2")) == 1_024
    with pytest.raises(alsamm.WouldBlockError) as caught:
        pcm.writei(np.zeros((1, 2), "i2"))
    assert isinstance(caught.value, BlockingIOError)


def test_other_access_is_refused_by_name(playback: PCM, capture: PCM) -> None:
    playback.setup()
    with pytest.raises(alsamm.StateError, match="access is MMAP_INTERLEAVED: readi and writei need RW_INTERLEAVED"):
        playback.writei(np.zeros((10, 2), "i2"))
    capture.setup(access="RW_NONINTERLEAVED")
    with pytest.raises(alsamm.StateError, match="access is RW_NONINTERLEAVED"):
        capture.readi(frames=10)


def test_the_wrong_direction(playback: PCM, capture: PCM) -> None:
    for pcm in (playback, capture):
        setup(pcm)
    with pytest.raises(alsamm.UnsupportedError, match="open for playback: no readi"):
        playback.readi(frames=1)
    with pytest.raises(alsamm.UnsupportedError, match="open for capture: no writei"):
        capture.writei(b"")


def test_before_configure(playback: PCM) -> None:
    with pytest.raises(alsamm.StateError, match="not configured"):
        playback.writei(b"")


def test_alsa_libs_road_writes_a_file(tmp_path: Path) -> None:
    path = tmp_path / "out.raw"
    block = np.arange(2_000, dtype="i2").reshape(-1, 2)
    with PCM(f"file:{path},raw", "playback") as pcm:
        setup(pcm)
        assert pcm.writei(block) == 1_000
        pcm.drain()
    np.testing.assert_array_equal(np.fromfile(path, "i2").reshape(-1, 2), block)


def test_alsa_libs_road_converts(tmp_path: Path) -> None:
    path = tmp_path / "out.raw"
    with PCM(f"plug:'file:{path},raw'", "playback") as pcm:
        setup(pcm, format="FLOAT_LE", channels=1)
        pcm.writei(np.zeros(100, "f4"))
        pcm.drain()
    assert path.stat().st_size > 0
    with PCM("null", "capture") as pcm:
        setup(pcm)
        assert not pcm.readi(frames=100).any()
