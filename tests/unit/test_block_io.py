"""The caller's arrays: what may be done to them while they are kept, what is refused, and how a whole block ends."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import threading
import time
import tracemalloc
import weakref
from collections.abc import Callable, Generator, Iterator
from typing import Any

import numpy as np
import pytest
from numpy.lib.stride_tricks import as_strided

import alsamm
from alsamm import sim
from alsamm.enums import Format

Array = np.ndarray[Any, np.dtype[Any]]
Opener = Callable[..., Any]


def quietly(call: Callable[[], None]) -> None:
    """At the end of a case, whatever state it left."""
    with contextlib.suppress(alsamm.AlsaError):
        call()


@pytest.fixture
def ring() -> Iterator[Opener]:
    """A ring on a card of its own; frames of period and buffer as given."""
    with contextlib.ExitStack() as stack:
        cards = 0

        def opener(
            direction: str = "playback",
            *,
            format: str = "S16_LE",  # noqa: A002 -- ALSA's word
            channels: int = 2,
            period_size: int = 64,
            buffer_size: int = 1024,
            clock: Any = "manual",
            start: bool = False,
            xruns: bool = False,
            **options: Any,
        ) -> Any:
            nonlocal cards
            cards += 1
            card = stack.enter_context(sim.Card(f"block{cards}", clock=clock))
            pcm = stack.enter_context(alsamm.PCM(card.device, direction))
            pcm.setup(format=format, channels=channels, period_size=period_size, buffer_size=buffer_size)
            sw = pcm.sw_params()
            if not xruns:  # a busy machine is no matter here
                sw.stop_threshold = sw.boundary
            if not start:
                sw.start_threshold = sw.boundary
            pcm.configure(sw=sw)
            kind = alsamm.MmapPlayback if direction == "playback" else alsamm.MmapCapture
            opened: Any = stack.enter_context(kind(pcm, **options))
            stack.callback(quietly, opened.drop)
            opened.card = card
            return opened

        yield opener


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


# ---- how a whole block ends ----


@pytest.fixture
def handler() -> Iterator[list[float]]:
    """SIGUSR1 raises; when it did."""
    heard: list[float] = []

    def interrupt(number: int, frame: object) -> None:  # noqa: ARG001 -- signal's signature
        heard.append(time.monotonic())
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGUSR1, interrupt)
    yield heard
    signal.signal(signal.SIGUSR1, before)


@pytest.mark.parametrize("to", ["the process", "another thread"])
@pytest.mark.parametrize("what", ["write_all", "fill", "wait", "drain"])
def test_ctrl_c_is_answered(ring: Opener, handler: list[float], what: str, to: str) -> None:
    """Within 100 ms, also when the signal was handed to another thread and so did not end our sleep."""
    capture = what == "fill"
    out = ring("capture" if capture else "playback", clock="realtime", buffer_size=512)
    block = np.zeros((10_000, 2), "i2")
    if not capture:
        out.write(block)
    if what in {"fill", "write_all"}:  # under way when the card stops; the others would be over
        out.start()
        time.sleep(0.003)
        out.card.freeze()
    else:
        out.card.freeze()
        out.start()
    sent: list[float] = []
    stop = threading.Event()
    idle = threading.Thread(target=stop.wait, daemon=True)
    idle.start()

    def strike() -> None:
        time.sleep(0.15)
        sent.append(time.monotonic())
        if to == "the process":
            os.kill(os.getpid(), signal.SIGUSR1)
        else:
            assert idle.ident
            signal.pthread_kill(idle.ident, signal.SIGUSR1)

    striker = threading.Thread(target=strike)
    striker.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            getattr(out, what)(*([block] if what in {"write_all", "fill"} else []), timeout=20)
    finally:
        striker.join()
        stop.set()
        idle.join()
    assert handler[0] - sent[0] < 0.1
    if what == "write_all":
        assert out.frames_done == out.appl_ptr - 512
    if what == "fill":
        assert out.frames_done == out.appl_ptr


def test_a_wake_up_descriptor_that_was_set_hears_of_signals_too(ring: Opener, handler: list[float]) -> None:
    """asyncio's, for one."""
    out = ring(clock="realtime", buffer_size=512)
    reading, writing = os.pipe2(os.O_NONBLOCK)
    before = signal.set_wakeup_fd(writing)
    timer = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGUSR1))
    try:
        out.write(np.zeros((512, 2), "i2"))
        out.start()
        out.card.freeze()
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            out.write_all(np.zeros((1000, 2), "i2"), timeout=20)
        assert os.read(reading, 100) == bytes([signal.SIGUSR1])
        assert signal.set_wakeup_fd(before) == writing
    finally:
        signal.set_wakeup_fd(before)
        timer.join()
        os.close(reading)
        os.close(writing)
    assert handler


@pytest.mark.parametrize("what", ["write_all", "fill"])
def test_an_unplugged_card_ends_it_and_the_count_is_right(ring: Opener, what: str) -> None:
    out = ring("capture" if what == "fill" else "playback", clock="realtime", start=True)
    pull = threading.Timer(0.1, out.card.unplug)
    pull.start()
    with pytest.raises(alsamm.DeviceLostError):
        getattr(out, what)(np.zeros((1 << 20, 2), "i2"))
    pull.join()
    assert 0 < out.frames_done < 48_000
    if what == "write_all":
        assert out.frames_done == out.status.hw_ptr + min(out.buffer_size, out.frames_done - out.status.hw_ptr)


def test_a_card_that_stands_still(ring: Opener) -> None:
    """Without a time limit it is a buffer and a second."""
    out = ring()
    out.write(np.zeros((1024, 2), "i2"))
    out.start()
    before = time.monotonic()
    with pytest.raises(TimeoutError, match="stands still; 0 of 10 frames"):
        out.write_all(np.zeros((10, 2), "i2"))
    assert 1 < time.monotonic() - before < 5


def test_other_threads_may_write_too(ring: Opener) -> None:
    """They have no signals to hear of."""
    out = ring(clock="realtime", start=True)
    done: list[int] = []
    thread = threading.Thread(target=lambda: done.append(out.write_all(np.zeros((4800, 2), "i2"))))
    thread.start()
    thread.join(10)
    assert done == [4800]


@contextlib.contextmanager
def undisturbed_by_others() -> Generator[None]:
    """Real-time priority for this thread and the card's, where that is allowed: other processes on this machine are not
    what a case is about. It gets nobody the GIL sooner.
    """
    before = os.sched_getscheduler(0)
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(10))
    try:
        yield
    finally:
        os.sched_setscheduler(0, before, os.sched_param(0))


def test_ten_seconds_beside_a_busy_thread(ring: Opener) -> None:
    """Two periods of 5 ms each, and a thread that wants the GIL all the time. A loop in Python loses a period
    at once; C comes back for nothing. A virtual machine's host may take the CPU away, so there are three tries.
    """
    stop = False

    def spin() -> None:
        n = 0
        while not stop:
            n += 1

    def ten_seconds() -> int:
        out = ring(clock="realtime", period_size=240, buffer_size=480, start=True, xruns=True)
        try:
            return int(out.write_all(np.zeros((480_000, 2), "i2")))
        except alsamm.Underrun:
            return int(out.frames_done)

    busy = threading.Thread(target=spin)
    busy.start()
    try:
        with undisturbed_by_others():
            written: list[int] = []
            while len(written) < 3 and 480_000 not in written:
                written.append(ten_seconds())
        assert written[-1] == 480_000, written
    finally:
        stop = True
        busy.join()
