"""Samples through alsa-lib's own calls: what MmapPlayback and MmapCapture show of a ring, on PCMs that have none.

``null`` and what stands on it (file, rate, multi, plug) are always ready; what waits, stops and is late is shown on a
software card that is configured for read and write calls (test_calls_states.py, test_calls_recovery.py). Real ones
through plughw are the lab's.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import alsamm
from alsamm import State, sim
from alsamm.stream.calls import CallCapture, CallPlayback
from tests.alsalib.conftest import ramp, setup, state

Array = np.ndarray[Any, np.dtype[Any]]
Open = Callable[..., Any]
HALF = 1 << 15


def into(path: Path, **slave: str) -> str:
    """A PCM that writes what it is given to a file, raw; by a rate plugin in between if a rate is given."""
    file = f"{{type file slave.pcm null file {path} format raw}}"
    if rate := slave.get("rate"):
        file = f"{{type rate slave {{pcm {file} rate {rate} format S16_LE}}}}"
    return f"plug:{{SLAVE={file}}}"


def out_of(path: Path) -> str:
    """A PCM that captures what is in a file."""
    return f"plug:{{SLAVE={{type file slave.pcm null file /dev/null infile {path} format raw}}}}"


# ---- what arrives ----


def test_what_is_written_is_what_the_device_gets(io: Open, tmp_path: Path) -> None:
    path = tmp_path / "heard.raw"
    block = ramp(5_000)
    out = io(into(path), "playback")
    assert out.write_all(block) == 5_000 == out.frames_done == out.frame
    assert str(out.transport) == "alsa-lib"
    out.device.close()
    assert (np.fromfile(path, "i2").reshape(-1, 2) == block).all()


@pytest.mark.parametrize("cut", [np.s_[::-1], np.s_[::2], np.s_[:, ::-1]], ids=str)
def test_arrays_of_any_strides(io: Open, tmp_path: Path, cut: Any) -> None:
    path = tmp_path / "heard.raw"
    block = ramp(2_000)[cut]
    out = io(into(path), "playback")
    assert out.write_all(block) == len(block)
    out.device.close()
    assert (np.fromfile(path, "i2").reshape(-1, 2) == block).all()


@pytest.mark.parametrize("dtype", ["f4", "f8", "i4", "i2"])
def test_numbers_of_full_scale_are_converted(io: Open, tmp_path: Path, dtype: str) -> None:
    path = tmp_path / "heard.raw"
    sent = ramp(3_000)
    scale = {"f4": 1 / HALF, "f8": 1 / HALF, "i4": 1 << 16, "i2": 1}[dtype]
    block = (sent.astype("f8") * scale).astype(dtype)
    out = io(into(path), "playback", dtype=dtype)
    assert out.dtype == np.dtype(dtype)
    for part in (block[:1_000], np.asfortranarray(block[1_000:2_000]), np.repeat(block[2_000:], 2, axis=0)[::2]):
        assert out.write_all(part) == len(part)
    with pytest.raises(alsamm.ArgumentTypeError):
        out.write(np.zeros((4, 2), "u2"))
    out.device.close()
    assert (np.fromfile(path, "i2").reshape(-1, 2) == sent).all()


def test_packed_samples(io: Open, tmp_path: Path) -> None:
    path = tmp_path / "heard.raw"
    block = np.random.default_rng(1).integers(0, 256, (700, 2, 3)).astype("u1")
    out = io(into(path), "playback", format="S24_3LE")
    assert out.write_all(block) == out.write_all(block[:, ::-1]) == 700
    out.device.close()
    heard = np.fromfile(path, "u1").reshape(-1, 2, 3)
    assert (heard == np.concatenate([block, block[:, ::-1]])).all()


def test_one_channel(io: Open, tmp_path: Path) -> None:
    path = tmp_path / "heard.raw"
    mono = ramp(600)[:, 0]
    out = io(into(path), "playback", channels=1, dtype="f4")
    wide = mono.astype("f4") / HALF
    assert out.write_all(wide) + out.write_all(wide[:, None]) + out.write_all(np.repeat(wide, 3)[::3]) == 1_800
    out.device.close()
    assert (np.fromfile(path, "i2").reshape(3, -1) == mono).all()


def test_dither_is_the_same_however_the_stream_is_cut(io: Open, tmp_path: Path) -> None:
    block = (np.random.default_rng(2).random((3_000, 2)) - 0.5).astype("f4")
    heard = []
    for name, cuts in (("whole", [3_000]), ("cut", [1, 700, 2_000, 299])):
        out = io(into(tmp_path / name), "playback", dtype="f4", dither=True)
        done = 0
        for cut in cuts:
            part = block[done : done + cut]
            done += out.write_all(part if cut != 700 else np.asfortranarray(part))
        out.device.close()
        heard.append(np.fromfile(tmp_path / name, "i2"))
    assert (heard[0] == heard[1]).all()
    plain = np.round(block.reshape(-1) * HALF).astype("i2")
    assert 0 < np.abs(heard[0] - plain).max() <= 2


def test_another_rate_into_a_file(io: Open, tmp_path: Path) -> None:
    """44100 Hz are 48000 in the file: a tone stays the tone that it was (alsa-lib's ratio is that of whole periods)."""
    path = tmp_path / "heard.raw"
    seconds = np.arange(44_100) / 44_100
    tone = np.sin(2 * np.pi * 1_000 * seconds).astype("f4") * np.float32(0.5)
    out = io(into(path, rate="48000"), "playback", rate=44_100, period_size=441, buffer_size=1_764, dtype="f4")
    assert out.write_all(np.stack([tone, tone], axis=1)) == 44_100
    assert 0 <= out.frame - out.position().frame <= out.buffer_size
    out.drain()
    out.device.close()
    heard = np.fromfile(path, "i2").reshape(-1, 2)[:, 0]
    assert abs(len(heard) - 48_000) <= 2 * 1024
    spectrum = np.abs(np.fft.rfft(heard[4_000:40_000]))
    assert int(np.argmax(spectrum)) == 1_000 * 36_000 // 48_000


def test_captured_frames_in_order(io: Open, tmp_path: Path) -> None:
    """Read by every way, in turn, each frame once: into arrays, by views that are committed in part, by fill."""
    path = tmp_path / "spoken.raw"
    spoken = ramp(20_000)
    spoken.tofile(path)
    mic = io(out_of(path), "capture")
    assert mic.read_into(np.zeros((10, 2), "i2")) == 0, "it never starts"
    assert state(mic.device) is State.PREPARED
    got: list[Array] = []
    first = np.zeros((1_000, 2), "i2")
    assert mic.fill(first) == 1_000
    got.append(first)
    for _ in range(3):
        view = mic.next_view(200)
        assert 0 < len(view) <= 200
        assert not view.flags.writeable
        assert mic.avail() >= len(view)
        got.append(view[:150].copy())
        mic.commit(len(got[-1]))
    wide = np.zeros((900, 4), "i2")
    assert mic.fill(wide[:, ::2]) == 900
    got.append(wide[:, ::2])
    out = np.zeros((10, 2), "i2")
    got.append(out[: mic.read_into(out)])
    out = np.zeros((100, 2), "i2")
    count = mic.read_into(out)
    got.append(out[:count])
    heard = np.concatenate(got)
    assert mic.frame == len(heard) > 2_000
    assert (heard == spoken[: len(heard)]).all()


@pytest.mark.parametrize("dtype", ["f4", "i4"])
def test_captured_and_converted(io: Open, tmp_path: Path, dtype: str) -> None:
    path = tmp_path / "spoken.raw"
    spoken = ramp(3_000)
    spoken.tofile(path)
    mic = io(out_of(path), "capture", dtype=dtype)
    scale = {"f4": 1 / HALF, "i4": 1 << 16}[dtype]
    take = np.zeros((2_000, 2), dtype)
    mic.fill(take[:900])
    mic.next_view(50)  # of the PCM's own samples, whatever dtype is
    mic.fill(take[900:])
    assert (take == (spoken[:2_000].astype("f8") * scale).astype(dtype)).all()


@pytest.mark.parametrize(("format_", "signed"), [("S24_LE", True), ("U24_LE", False)])
def test_the_bits_beside_a_value_are_set_right(io: Open, tmp_path: Path, format_: str, signed: bool) -> None:
    """Rule F6: what a card leaves there is anything."""
    path = tmp_path / "spoken.raw"
    values = np.random.default_rng(3).integers(0, 1 << 32, (600, 2), dtype="u4")
    values.tofile(path)
    mic = io(out_of(path), "capture", format=format_)
    dtype = "i4" if signed else "u4"
    take, apart = np.zeros((300, 2), dtype), np.zeros((300, 3), dtype)
    mic.fill(take)
    mic.fill(apart[:, ::2])
    want = (values.view("i4") << 8 >> 8) if signed else values & 0xFFFFFF
    assert (take == want[:300]).all()
    assert (apart[:, ::2] == want[300:]).all()


# ---- views ----


def test_a_view_is_written_when_it_is_committed(io: Open, tmp_path: Path) -> None:
    path = tmp_path / "heard.raw"
    out = io(into(path), "playback", dtype="f4")
    sent = ramp(500)
    view = out.next_view(200)
    assert view.shape == (200, 2)
    assert view.dtype == np.dtype("i2"), "the PCM's own samples"
    view[:] = sent[:200]
    assert out.frame == 0
    out.commit(120)
    out.commit(80)
    for wrong in (1, -1):
        with pytest.raises(alsamm.ArgumentError, match="0 to 0 can be committed"):
            out.commit(wrong)
    assert len(out.next_view(5_000)) == out.period_size
    room = out.next_view(300)
    assert len(room) == out.period_size, "no more than a period"
    room[:] = sent[200 : 200 + len(room)]
    out.commit(len(room))
    assert out.frame == 456
    out.device.close()
    assert (np.fromfile(path, "i2").reshape(-1, 2) == sent[:456]).all()


def test_what_a_view_shows_is_there_once(io: Open, still: sim.Card) -> None:
    mic = io(still.device, "capture")
    still.feed(ramp(2_000))
    mic.start()
    still.advance(300)
    assert (mic.next_view(100)[:, 0] == ramp(100)[:, 0]).all()
    assert mic.avail() == 300
    assert mic.delay() == 300
    mic.commit(30)
    assert (mic.avail(), mic.frame) == (270, 30)
    with pytest.raises(alsamm.ArgumentError, match="0 to 70 can be committed"):
        mic.commit(71)
    rest = np.zeros((300, 2), "i2")
    assert mic.read_into(rest) == 270
    assert (rest[:270] == ramp(270, 30)).all()
    assert mic.read_into(rest) == 0


# ---- what is refused ----


@pytest.mark.parametrize(
    ("block", "error"),
    [
        (np.zeros((10, 2), "f4"), alsamm.ArgumentTypeError),
        (np.zeros((10, 3), "i2"), alsamm.ArgumentError),
        (np.zeros(20, "i2"), alsamm.ArgumentError),
        (np.ma.zeros((10, 2), "i2"), alsamm.ArgumentTypeError),
        (b"abc", alsamm.ArgumentError),
        (None, alsamm.ArgumentTypeError),
    ],
    ids=str,
)
def test_what_does_not_fit_moves_nothing(io: Open, block: Any, error: type[Exception]) -> None:
    out, mic = io("null", "playback"), io("null", "capture")
    for call in (out.write, out.write_all, mic.read_into, mic.fill):
        with pytest.raises(error):
            call(block)
    assert (out.frame, mic.frame) == (0, 0)


def test_what_cannot_be_read_into(io: Open) -> None:
    mic = io("null", "capture")
    locked = np.zeros((4, 2), "i2")
    locked.flags.writeable = False
    for out in (locked, np.broadcast_to(np.zeros(2, "i2"), (4, 2)), b"12345678"):
        with pytest.raises(alsamm.ArgumentError, match=r"read-only|stride of 0"):
            mic.fill(out)


def test_pcms_that_it_cannot_stand_on() -> None:
    with alsamm.PCM("null", "playback", blocking=False) as pcm:
        with pytest.raises(alsamm.StateError, match="not configured"):
            CallPlayback(pcm)
        setup(pcm, access="MMAP_INTERLEAVED")
        with pytest.raises(alsamm.UnsupportedError, match="needs RW_INTERLEAVED"):
            CallPlayback(pcm)
        setup(pcm)
        with pytest.raises(alsamm.UnsupportedError, match="needs a capture one"):
            CallCapture(pcm)
        with pytest.raises(alsamm.ArgumentTypeError):
            CallPlayback(pcm, dtype="c16")
        with pytest.raises(alsamm.ArgumentError, match="dither"):
            CallPlayback(pcm, dither=True)
    with alsamm.PCM("null", "playback") as pcm:
        setup(pcm)
        with pytest.raises(alsamm.UnsupportedError, match="blocking=False"):
            CallPlayback(pcm)


@pytest.mark.parametrize("timeout", [-1, float("nan")])
def test_no_time_at_all(io: Open, timeout: float) -> None:
    out = io("null", "playback")
    uses: list[Callable[[], object]] = [lambda: out.wait(timeout), lambda: out.drain(timeout)]
    uses.append(lambda: out.write_all(ramp(4), timeout))
    for use in uses:
        with pytest.raises(alsamm.ArgumentError, match="0 or more"):
            use()
