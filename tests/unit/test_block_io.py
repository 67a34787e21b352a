"""The caller's arrays: what may be done to them while they are kept, and what is refused."""

from __future__ import annotations

import contextlib
import gc
import threading
import time
import tracemalloc
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.lib.stride_tricks import as_strided

import alsamm
from alsamm import sim
from alsamm.enums import Format
from tests.unit.conftest import Opener

Array = np.ndarray[Any, np.dtype[Any]]


def ramp(frames: int = 64, channels: int = 2, dtype: str = "i2") -> Array:
    """An array that owns its memory."""
    block: Array = np.arange(1, frames * channels + 1, dtype=dtype).reshape(frames, channels).copy()
    return block


def in_ring(out: Any, frames: int, start: int = 0) -> list[Any]:
    return [out.channel(c)[start : start + frames].tolist() for c in range(out.channels)]


# ---- an array that is kept ----


def test_a_repeated_write_makes_no_objects(ring: Opener) -> None:
    """Not even one for the count, which is the array's own length."""
    out = ring(buffer_size=65_536)
    block = np.zeros((700, 2), "i2")  # more than the small integers that Python has anyway
    before = after = peak = 0
    out.write(block)
    gc.collect()
    gc.disable()
    tracemalloc.start()
    try:
        write = out.write
        for _ in range(40):  # the first one fills caches of the interpreter
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            write(block)
            after, peak = tracemalloc.get_traced_memory()
        assert (after - before, peak - before) == (0, 0)
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        write(block[:])
        assert tracemalloc.get_traced_memory()[1] > before, "the measurement itself works"
    finally:
        tracemalloc.stop()
        gc.enable()


def test_what_is_in_it_is_read_each_time(ring: Opener) -> None:
    out, block = ring(), ramp()
    for turn in range(3):
        block += 1
        assert out.write(block) == 64
        assert in_ring(out, 64, 64 * turn) == block.T.tolist()


def reshape(block: Array) -> None:
    setattr(block, "shape", (128, 1))  # noqa: B010 -- numpy's types call it deprecated


def retype(block: Array) -> None:
    block.dtype = np.dtype("u2")  # type: ignore[misc]


def resize(block: Array) -> None:
    block.resize((32, 2), refcheck=False)


def grow(block: Array) -> None:
    block.resize((4096, 2), refcheck=False)
    block[:] = 7


def replace(block: Array) -> None:
    """Pickle's way in, which frees the memory that the array had."""
    state: Any = (1, (16, 2), np.dtype("i2"), False, bytes(range(64)))
    block.__setstate__(state)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of numpy, for setting shape and dtype in place
@pytest.mark.parametrize("change", [reshape, retype, resize, grow, replace])
def test_it_may_be_changed_between_two_calls(ring: Opener, change: Callable[[Array], None]) -> None:
    """It is written as it is now, or refused as it is now."""
    out, block = ring(), ramp()
    assert out.write(block) == 64
    change(block)
    if block.shape[1] != 2:
        with pytest.raises(alsamm.ArgumentError, match="shape"):
            out.write(block)
    elif block.dtype != "i2":
        with pytest.raises(alsamm.ArgumentTypeError, match="<u2"):
            out.write(block)
    else:
        frames = min(len(block), out.buffer_size - 64)
        assert out.write(block) == frames == out.frames_done
        assert in_ring(out, frames, 64) == block[:frames].T.tolist()


def test_it_lives_as_long_as_it_is_kept(ring: Opener) -> None:
    out = ring()
    freed: list[int] = []
    for number in range(4):
        block = ramp() + np.int16(number)
        expected = block.T.tolist()
        out.write(block)
        assert in_ring(out, 64, 64 * number) == expected
        weakref.finalize(block, freed.append, number)
        del block
    gc.collect()
    assert freed == [0, 1, 2], "only the last one is kept"
    out.close()
    assert freed == [0, 1, 2, 3]


def test_nobody_can_resize_it_while_it_is_moved(ring: Opener) -> None:
    """write_all gives the GIL up; numpy refuses to resize an array that somebody has a weak reference to."""
    out, block = ring(), np.zeros((2000, 2), "i2")
    out.write(block[:10])
    out.start()
    out.card.freeze()
    told: list[BaseException] = []

    def meddle() -> None:
        time.sleep(0.05)
        try:
            block.resize((1 << 22, 2), refcheck=False)
        except ValueError as error:
            told.append(error)

    thread = threading.Thread(target=meddle)
    thread.start()
    with pytest.raises(TimeoutError):
        out.write_all(block, timeout=0.2)
    thread.join()
    assert told
    block.resize((4, 2), refcheck=False)


# ---- strides ----


@pytest.mark.parametrize("format", ["S16_LE", "S24_3LE", "FLOAT64_LE", "U8"])
@pytest.mark.parametrize("converted", [False, True])
def test_any_strides(ring: Opener, format: str, converted: bool) -> None:  # noqa: A002 -- ALSA's word
    """C- and F-ordered, reversed, every second frame, channels out of a wider array, frames that are all the same."""
    out = ring(format=format, channels=3, buffer_size=4096, dtype="f4" if converted else None)
    shape = (20, 3, *out.dtype.shape)
    random = np.random.default_rng(1)
    block = random.integers(1, 100, shape).astype(out.dtype.base)
    if converted:
        block /= 128
    wide = np.zeros((20, 7, *shape[2:]), block.dtype)
    wide[:, 1:7:2] = block
    given = [
        block,
        np.moveaxis(np.ascontiguousarray(np.moveaxis(block, 1, 0)), 0, 1),
        np.ascontiguousarray(block[::-1])[::-1],
        np.repeat(block, 2, axis=0)[::2],
        wide[:, 1:7:2],
    ]
    out.write(block)
    expected = in_ring(out, 20)
    for number, other in enumerate(given, start=1):
        np.testing.assert_array_equal(other, block)
        assert out.write(other) == 20
        assert in_ring(out, 20, 20 * number) == expected
    assert out.write(np.broadcast_to(block[:1], shape)) == 20
    assert in_ring(out, 20, 20 * (len(given) + 1)) == [[channel[0]] * 20 for channel in expected]


def test_subclasses_and_buffers(ring: Opener) -> None:
    out, block = ring(), ramp(8)
    memory: Any = block
    for number, given in enumerate(
        [block.view(np.matrix), block.tobytes(), bytearray(block.tobytes()), memoryview(memory), block.reshape(-1).data]
    ):
        assert out.write(given) == 8
        assert out.write(given) == 8
        assert in_ring(out, 8, 16 * number + 8) == block.T.tolist()


# ---- what is refused ----

NO_SAMPLES = {
    "object": np.empty((4, 2), object),
    "complex": np.zeros((4, 2), "c8"),
    "byte-swapped": np.zeros((4, 2), ">i2"),
    "bool": np.zeros((4, 2), bool),
    "text": np.zeros((4, 2), "U1"),
    "records": np.zeros((4, 2), "i2,i2"),
    "half": np.zeros((4, 2), "f2"),
    "float": np.zeros((4, 2), "f4"),
    "int": 17,
    "none": None,
}
NO_FRAMES = {
    "a number": np.zeros((), "i2"),
    "flat": np.zeros(8, "i2"),
    "no channels": np.zeros((4, 0), "i2"),
    "more channels": np.zeros((4, 3), "i2"),
    "another axis": np.zeros((4, 2, 1), "i2"),
    "part of a frame": b"abc",
}


@pytest.mark.parametrize("converted", [False, True])
@pytest.mark.parametrize("call", ["write", "write_all", "read_into", "fill"])
@pytest.mark.parametrize("what", [*NO_SAMPLES, *NO_FRAMES])
def test_what_is_no_block(ring: Opener, what: str, call: str, converted: bool) -> None:
    out = ring("playback" if "write" in call else "capture", dtype="i4" if converted else None)
    given = NO_SAMPLES.get(what, NO_FRAMES.get(what))
    expected = alsamm.ArgumentTypeError if what in NO_SAMPLES else alsamm.ArgumentError
    if what in NO_FRAMES and isinstance(given, np.ndarray):
        given = given.astype(out.dtype)
    good = np.zeros((8, 2), out.dtype)
    getattr(out, call.replace("fill", "read_into"))(good)
    with pytest.raises(expected):
        getattr(out, call)(given)
    assert out.appl_ptr == (8 if "write" in call else 0)
    getattr(out, call.replace("fill", "read_into"))(good)


def test_an_array_in_the_ring_itself(ring: Opener) -> None:
    """To copy it onto itself would be wrong where the ring ends; to fill it in place is what the views are for."""
    out = ring()
    view = out.data()[0].view
    for given in (view, view[::2], view[::-1], view[5:9], view[:, ::-1]):
        for call in (out.write, out.write_all):
            with pytest.raises(alsamm.ArgumentError, match="in the ring itself"):
                call(given)
    assert out.appl_ptr == 0
    assert out.write(view.copy()) == len(view)
    del view, given


def test_strides_that_reach_beyond_all_memory(ring: Opener) -> None:
    """Whatever as_strided makes is the caller's, but it must not make us believe that the ring is elsewhere."""
    out, block = ring(), ramp()
    for strides in ((1 << 62, 2), (-(1 << 62), 2), (4, 1 << 62), (4, -(1 << 62))):
        with pytest.raises(alsamm.ArgumentError):
            out.write(as_strided(block, (1 << 20, 2), strides))
    assert out.appl_ptr == 0


def test_counts(ring: Opener) -> None:
    out, mic = ring(), ring("capture")
    nothing = np.zeros((0, 2), "i2")
    for call in (out.write, out.write_all, mic.read_into, mic.fill):
        assert call(nothing) == 0
    endless = np.broadcast_to(np.int16(3), (1 << 50, 2))
    assert out.write(endless) == out.buffer_size == out.frames_done
    assert in_ring(out, 1024) == [[3] * 1024] * 2
    with pytest.raises(alsamm.StateError, match=rf"0 of {1 << 50} frames"):
        out.write_all(endless)


def test_targets(ring: Opener) -> None:
    mic = ring("capture")
    mic.start()
    mic.card.advance(256)
    fixed = np.zeros((64, 2), "i2")
    fixed.flags.writeable = False
    for call in (mic.read_into, mic.fill):
        with pytest.raises(alsamm.ArgumentError, match="read-only"):
            call(fixed)
        with pytest.raises(alsamm.ArgumentError, match="read-only"):
            call(bytes(64 * 4))
        for strides in ((0, 2), (4, 0)):
            with pytest.raises(alsamm.ArgumentError, match="stride of 0"):
                call(as_strided(np.zeros(2, "i2"), (64, 2), strides))
        out = np.zeros((64, 2), "i2")
        call(out)
        out.flags.writeable = False
        with pytest.raises(alsamm.ArgumentError, match="read-only"):
            call(out)
    assert mic.appl_ptr == 128


@pytest.mark.parametrize("timeout", [-1, float("nan"), -float("inf")])
def test_a_time_that_is_none(ring: Opener, timeout: float) -> None:
    out = ring()
    with pytest.raises(alsamm.ArgumentError, match="timeout"):
        out.write_all(np.zeros((2000, 2), "i2"), timeout)


@pytest.mark.parametrize("dtype", ["u2", "c8", "O", ">f4", "U3", "i8", "nonsense", 3, [1]])
def test_a_dtype_that_cannot_be_converted(ring: Opener, dtype: Any) -> None:
    with pytest.raises(alsamm.ArgumentTypeError):
        ring(dtype=dtype)


@pytest.mark.parametrize(
    ("direction", "format", "dtype"),
    [
        ("playback", "S16_LE", None),
        ("playback", "S16_LE", "i2"),
        ("playback", "U8", None),
        ("playback", "S24_LE", "f4"),
        ("playback", "FLOAT_LE", "i2"),
        ("capture", "S16_LE", "i4"),
        ("capture", "U8", "i2"),
    ],
)
def test_dither_where_nothing_is_rounded(ring: Opener, direction: str, format: str, dtype: Any) -> None:  # noqa: A002
    with pytest.raises(alsamm.ArgumentError, match="dither"):
        ring(direction, format=format, dtype=dtype, dither=True)


# ---- conversion, where it differs from a copy ----


def test_the_same_dtype_may_mean_another_scale(ring: Opener) -> None:
    """An S24 ring holds 32-bit integers of 24 bits. As they are: copied. As int32 of full scale: asked for by dtype."""
    block = np.array([[1 << 30, -(1 << 31)], [256, 128], [384, -384]], "i4")
    out = ring(format="S24_LE", dtype="i4")
    out.write(block)
    assert in_ring(out, 3) == [[1 << 22, 1, 2], [-(1 << 23), 0, -2]]
    raw = ring(format="S24_LE")
    raw.write(block)
    assert in_ring(raw, 3) == block.T.tolist()


@pytest.mark.parametrize("format", [f.name for f in Format if f.linear])
@pytest.mark.parametrize("dtype", ["f4", "f8", "i2", "i4"])
@pytest.mark.parametrize("size", [100, 1024])
def test_round_the_rings_end(format: str, dtype: str, size: int) -> None:  # noqa: A002
    """Both spans, by playback and back by capture: 7 bits fit into every format."""
    full = {"f4": 1.0, "f8": 1.0, "i2": 1 << 15, "i4": 1 << 31}[dtype]
    sent = ((np.arange(3 * size * 2).reshape(-1, 2) % 255 - 127) / 128 * full).astype(dtype)
    with sim.Card("both", clock="manual", loop=True) as card, contextlib.ExitStack() as stack:
        rings = []
        for direction, kind in (("playback", alsamm.MmapPlayback), ("capture", alsamm.MmapCapture)):
            pcm = stack.enter_context(alsamm.PCM(card.device, direction))
            pcm.setup(format=format, channels=2, period_size=size // 4, buffer_size=size)
            rings.append(kind(pcm, dtype=dtype))
            stack.callback(rings[-1].close)
        out, mic = rings
        assert isinstance(out, alsamm.MmapPlayback)
        assert isinstance(mic, alsamm.MmapCapture)
        mic.start()
        heard: list[Array] = []
        written = 0
        step = size // 4 + 3
        while written < len(sent) or sum(len(take) for take in heard) < len(sent):
            written += out.write(sent[written : written + step])
            card.advance(size // 4)
            mic.hwsync()
            heard.append(mic.read())
            if written == len(sent) and out.state is not alsamm.State.RUNNING:
                break
        take = np.concatenate(heard)
        np.testing.assert_array_equal(take, sent[: len(take)])
        assert len(take) > 2 * size
        out.drop()
        mic.drop()
