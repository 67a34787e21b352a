"""What a callback in C plays and hears, straight on the ring's memory."""

from __future__ import annotations

import ctypes
import os
import time
from pathlib import Path

import cffi
import numpy as np
import pytest

import alsamm
from alsamm._c import ffi
from alsamm.stream.native import NativeThread, is_native
from tests.unit.native_callbacks import echo, hear, ramp
from tests.unit.native_kit import ROADS, SILENCE, Rings, native_tasks, notes, numbers, run, undisturbed_by_others, until
from tests.unit.native_kit import rings as rings  # noqa: PLC0414 -- pytest finds it here

POINTER = "int (*)(void *, const void *, unsigned long, long long, void *)"


# ---- what is played and heard ----


@pytest.mark.parametrize("clock", ["auto", "realtime"])
@pytest.mark.parametrize("road", ROADS)
def test_playback_is_what_the_callback_wrote(rings: Rings, road: str, clock: str) -> None:
    """To the last frame, after which nothing but silence is heard."""
    (out,) = rings("playback", clock=clock, **ROADS[road])
    told = np.array([10_000, 0])
    thread = run(NativeThread(ramp, playback=out, user=told, recover=False))
    assert (thread.answer, thread.frames, thread.running) == (1, 10_048, False)
    assert told[1] == 64
    assert thread.callbacks == 157
    assert 0 < thread.longest_callback_ns <= thread.busy_ns
    assert out.state is alsamm.State.SETUP
    played = out.card.played()
    np.testing.assert_array_equal(played[:10_048], numbers(10_048))
    assert not played[10_048:].any()
    assert out.xruns == 0


@pytest.mark.parametrize("road", ROADS)
def test_capture_is_what_the_card_heard(rings: Rings, road: str) -> None:
    (heard,) = rings("capture", **ROADS[road])
    heard.card.feed(numbers(10_000))
    told = notes(9_000)
    thread = run(NativeThread(hear, capture=heard, user=told))
    assert thread.answer == 1
    assert heard.state is alsamm.State.SETUP
    np.testing.assert_array_equal(told[8:], numbers(9_000)[:, 0])


def test_where_the_ring_ends_a_run_is_shorter(rings: Rings) -> None:
    """Never longer: a period that does not lie in one piece is given in two."""
    (out,) = rings("playback", held=True)
    out.commit(84)
    out.start()
    told = np.array([5_000, 0])
    thread = run(NativeThread(ramp, playback=out, user=told))
    assert told[1] == 64
    assert thread.callbacks == pytest.approx(thread.frames / 64 * 1.5, abs=2)
    played = out.card.played()
    assert not played[:84].any()
    np.testing.assert_array_equal(played[84 : 84 + thread.frames], numbers(thread.frames))


@pytest.mark.parametrize("linked", [True, False], ids=["linked", "not linked"])
@pytest.mark.parametrize("road", ROADS)
def test_duplex_is_exact_to_the_frame(rings: Rings, road: str, linked: bool) -> None:
    """What is played comes back after the silence that was before it, and not a frame sooner or later."""
    out, heard = rings("playback", "capture", linked=linked, loop=True, **ROADS[road])
    told = notes(20_000)
    run(NativeThread(echo, playback=out, capture=heard, user=told))
    assert not told[8 : 8 + SILENCE].any()
    np.testing.assert_array_equal(told[8 + SILENCE :], (np.arange(1, 20_001 - SILENCE) & 0x7FFF).astype("i2"))
    assert (out.xruns, heard.xruns) == (0, 0)


def test_duplex_in_real_time(rings: Rings) -> None:
    told, silence = notes(24_000), 4096
    with undisturbed_by_others():
        out, heard = rings("playback", "capture", clock="realtime", linked=True, loop=True, silence=silence)
        run(NativeThread(echo, playback=out, capture=heard, user=told))
    np.testing.assert_array_equal(told[8 + silence :], (np.arange(1, 24_001 - silence) & 0x7FFF).astype("i2"))


def test_avail_min_of_less_than_a_period_costs_nothing(rings: Rings) -> None:
    """poll would be ready all the time, and the thread never sleep."""
    (out,) = rings("playback", clock="realtime")
    out.avail_min = 1
    told = np.array([1 << 40, 0])
    thread = NativeThread(ramp, playback=out, user=told)
    thread.start()
    until(lambda: bool(native_tasks()))
    time.sleep(0.5)
    (task,) = native_tasks()
    fields = Path(f"/proc/self/task/{task}/stat").read_text().rpartition(")")[2].split()
    assert (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") < 0.25
    thread.ask_to_stop()
    thread.join(1)


# ---- whatever a pointer to a function is ----


def pointer(kind: str) -> object:
    if kind == "cffi, of a module of its own":
        return cffi.FFI().cast(POINTER, ramp.address)
    return {
        "numba": ramp,
        "an address": ramp.address,
        "cffi": ffi.cast(POINTER, ramp.address),
        "cffi, void *": ffi.cast("void *", ramp.address),
        "ctypes": ramp.ctypes,
    }[kind]


@pytest.mark.parametrize(
    "kind", ["numba", "an address", "cffi", "cffi, of a module of its own", "cffi, void *", "ctypes"]
)
def test_every_kind_of_pointer(rings: Rings, kind: str) -> None:
    (out,) = rings("playback")
    callback = pointer(kind)
    assert is_native(callback)
    run(NativeThread(callback, playback=out, user=np.array([500, 0])))
    np.testing.assert_array_equal(out.card.played()[:500], numbers(500))


@pytest.mark.parametrize("kind", ["numpy", "an address", "cffi", "ctypes array", "ctypes pointer", "c_void_p"])
def test_every_kind_of_user(rings: Rings, kind: str) -> None:
    (out,) = rings("playback")
    array = np.array([500, 0])
    address = array.ctypes.data
    users: dict[str, object] = {
        "numpy": array,
        "an address": address,
        "cffi": ffi.cast("long long *", address),
        "ctypes array": (ctypes.c_int64 * 2)(500, 0),
        "ctypes pointer": ctypes.cast(address, ctypes.POINTER(ctypes.c_int64)),
        "c_void_p": ctypes.c_void_p(address),
    }
    assert run(NativeThread(ramp, playback=out, user=users[kind])).frames == 512


def test_what_is_no_pointer_is_refused(rings: Rings) -> None:
    (out,) = rings("playback")
    assert not is_native(len)
    other = cffi.FFI()
    with pytest.raises(alsamm.ArgumentTypeError, match="hand over the function itself"):
        NativeThread(other.callback(POINTER, lambda *_: 0), playback=out)
    with pytest.raises(alsamm.ArgumentTypeError, match="hand over the function itself"):
        NativeThread(ctypes.CFUNCTYPE(ctypes.c_int)(lambda: 0), playback=out)
    with pytest.raises(alsamm.ArgumentTypeError, match="unsigned long frames"):
        NativeThread(other.cast("int (*)(void *)", 1), playback=out)
    with pytest.raises(alsamm.ArgumentTypeError, match="no pointer"):
        NativeThread(other.new("struct { int x; } *")[0], playback=out)
    for none in (0, -1, True, other.NULL):
        with pytest.raises(alsamm.ArgumentError):
            NativeThread(none, playback=out)
    with pytest.raises(alsamm.ArgumentTypeError, match="user"):
        NativeThread(ramp, playback=out, user="memory")


# ---- which rings ----


def test_rings_that_no_pointer_can_show_are_refused(rings: Rings) -> None:
    """And whoever is refused may go on without."""
    (out,) = rings("playback", access="MMAP_NONINTERLEAVED")
    with pytest.raises(alsamm.UnsupportedError, match="MMAP_INTERLEAVED"):
        NativeThread(ramp, playback=out).start()
    out.drop()


def test_rings_that_convert_are_refused(rings: Rings) -> None:
    (out,) = rings("playback", dtype="f4")
    with pytest.raises(alsamm.UnsupportedError, match="format="):
        NativeThread(ramp, playback=out).start()


def test_one_run_at_a_time_and_another_after_it(rings: Rings) -> None:
    (out,) = rings("playback")
    thread = run(NativeThread(ramp, playback=out, user=np.array([500, 0])))
    out.prepare()
    run(thread)
    assert thread.frames == 512
    out.prepare()
    out.card.freeze()
    thread.start()
    with pytest.raises(alsamm.StateError, match="already"):
        thread.start()
    thread.ask_to_stop()
    thread.join(1)


def test_a_closed_ring_is_refused(rings: Rings) -> None:
    (out,) = rings("playback")
    out.close()
    with pytest.raises(alsamm.ClosedError):
        NativeThread(ramp, playback=out).start()
