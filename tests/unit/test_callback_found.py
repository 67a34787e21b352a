"""Stream(callback): faults that were found, each with the case that showed it."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import alsamm
from alsamm import sim
from alsamm.stream import callback_loop
from alsamm.stream.callback import Stream
from alsamm.stream.callback_values import CallbackStop
from tests.unit.native_callbacks import echo, hear, ramp
from tests.unit.native_kit import notes, until

SIZES: dict[str, Any] = {"period_size": 480, "buffer_size": 9_600}
C: dict[str, Any] = {"format": "S16_LE", "period_size": 480, "buffer_size": 9_600}
PROGRAM = """
    import os, queue, sys, threading, time
    import numpy as np
    from alsamm import sim
    from alsamm.stream.callback import Stream
    card = sim.Card("found", clock="realtime")
    SIZES = {"format": "S16_LE", "period_size": 480, "buffer_size": 9_600}
"""


@pytest.fixture
def card() -> Iterator[sim.Card]:
    with sim.Card("found", clock="realtime", loop=True) as made:
        yield made


def nothing(outdata: Any, frames: int, time: Any, status: Any) -> None:
    """Plays what is in the ring: silence."""


def ran(code: str, *, warn: str = "ignore") -> tuple[float, subprocess.CompletedProcess[str]]:
    """A program of its own, which may hang without hanging us; how long it took, and what came of it."""
    program = textwrap.dedent(PROGRAM) + textwrap.dedent(code)
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-W", warn, "-c", program], capture_output=True, text=True, check=False, timeout=20
    )
    return time.monotonic() - began, done


# ---- a child of fork has no such thread ----

CALLBACKS = {
    "Python": "stream = Stream(lambda outdata, frames, time, status: None, card.device, **SIZES)",
    "C": """from tests.unit.native_callbacks import ramp
stream = Stream(ramp, card.device, kind="playback", user=np.array([1 << 40, 0]), **SIZES)""",
}


@pytest.mark.parametrize("how", ["", "stream.stop()", "stream.wait()", "stream.abort()", "stream.close()"])
@pytest.mark.parametrize("whose", CALLBACKS)
def test_a_child_of_fork_ends(whose: str, how: str) -> None:
    _, done = ran(f"""
{CALLBACKS[whose]}
stream.start()
time.sleep(0.1)
held, done = threading.Event(), threading.Event()
def hold():
    with stream._loop._lock:
        held.set()
        done.wait()
threading.Thread(target=hold).start()
held.wait()
child = os.fork()  # while another thread holds the lock
if child == 0:
    assert not stream.active
    {how}
    sys.exit(0)
done.set()
end = time.monotonic() + 5
while os.waitpid(child, os.WNOHANG) == (0, 0):
    if time.monotonic() > end:
        os.kill(child, 9)
        print("hangs")
    time.sleep(0.01)
print(stream.active)
stream.close()
""")
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "True", "")


# ---- a callback that does not return ----


@pytest.mark.alone
def test_a_program_whose_callback_blocks_ends() -> None:
    took, done = ran(
        """
        stream = Stream(lambda outdata, frames, time, status: queue.Queue().get(), card.device, **SIZES)
        stream.start()
        time.sleep(0.1)
        print("ends", flush=True)
    """,
        warn="always",
    )
    assert (done.returncode, done.stdout.strip()) == (0, "ends")
    assert "ResourceWarning: Stream of sim:found:" in done.stderr
    assert "its callback does not return" in done.stderr
    assert took < 10


@pytest.mark.alone
@pytest.mark.parametrize("end", ["", "thread.ask_to_stop()\nkept.append(thread)", "del thread"])
def test_so_does_one_whose_c_callback_does_not_return(end: str) -> None:
    """Where it is forgotten, too: what it uses lives on, for it may return one day."""
    took, done = ran(
        f"""
import gc
import alsamm
from alsamm.stream.native import NativeThread
from tests.unit.native_callbacks import slow
kept = []
pcm = alsamm.PCM(card.device, "playback")
pcm.setup(period_size=64, buffer_size=128)
told = np.array([0, 0])
thread = NativeThread(slow, playback=alsamm.MmapPlayback(pcm), user=told)
thread.start()
while told[1] == 0:
    time.sleep(0.01)
{end}
gc.collect()
print("ends", flush=True)
""",
        warn="always",
    )
    assert (done.returncode, done.stdout.strip()) == (0, "ends")
    assert "the C callback does not return" in done.stderr
    assert took < 10


def test_what_a_forgotten_c_callback_uses_lives_until_it_returns() -> None:
    _, done = ran("""
import gc
import alsamm
from alsamm.stream.native import NativeThread
from tests.unit.native_callbacks import slow
pcm = alsamm.PCM(card.device, "playback")
pcm.setup(period_size=64, buffer_size=128)
told = np.array([0, 0])
thread = NativeThread(slow, playback=alsamm.MmapPlayback(pcm), user=told)
native = thread._native
thread.start()
while told[1] == 0:
    time.sleep(0.01)
del thread, pcm
gc.collect()
told[1] = 2
while native.running:
    time.sleep(0.01)
print(native.result, native.callbacks)
""")
    assert (done.returncode, done.stdout.strip()) == (0, "0 1"), done.stderr


# ---- what goes wrong at the end ----


class OneOfMineError(Exception):
    pass


def object_to(_: object) -> None:
    raise OneOfMineError("policy")


def running(callback: Any, card: sim.Card, **wishes: Any) -> Stream:
    """One whose card runs."""
    user = None if callback is nothing else np.array([1 << 40, 0])
    stream = Stream(callback, card.device, kind="playback", user=user, **wishes)
    stream.start()
    until(lambda: card.playback.state is alsamm.State.RUNNING)
    return stream


BOTH = pytest.mark.parametrize("callback", [nothing, ramp], ids=["Python", "C"])


@BOTH
def test_a_card_that_freezes_while_the_last_is_played(card: sim.Card, callback: Any) -> None:
    stream = running(callback, card, **{**C, "buffer_size": 48_000})
    timer = threading.Timer(0.2, card.freeze)
    timer.start()
    with pytest.raises(TimeoutError, match=r"stood still|stands still"):
        stream.stop()
    timer.join()
    assert card.playback.state is alsamm.State.SETUP
    stream.close()


def test_an_on_xrun_that_raises_while_the_last_is_played(card: sim.Card, monkeypatch: pytest.MonkeyPatch) -> None:
    finish = callback_loop.finish

    def too_late(stream: callback_loop.AnyStream, how: callback_loop.Asked) -> None:
        card.xrun()
        finish(stream, how)

    stream = running(nothing, card, on_xrun=object_to, **SIZES)
    monkeypatch.setattr(callback_loop, "finish", too_late)
    with pytest.raises(OneOfMineError, match="policy"):
        stream.stop()
    assert card.playback.state is alsamm.State.SETUP
    stream.close()


# ---- C: how it is stopped ----

LONG: dict[str, Any] = {"format": "S16_LE", "period_size": 4_800, "buffer_size": 96_000}


def test_stop_of_a_c_callback_has_a_timeout_and_goes_on(card: sim.Card) -> None:
    stream = running(ramp, card, **{**LONG, "buffer_size": 48_000})
    began = time.monotonic()
    with pytest.raises(TimeoutError, match=r"did not stop in 0\.1 s"):
        stream.stop(0.1)
    assert time.monotonic() - began < 0.3
    assert stream.active
    stream.stop()
    played = card.played()
    assert len(played) >= 48_000
    assert played[47_999, 0] == 47_999 & 0x7FFF
    assert card.playback.state is alsamm.State.SETUP
    stream.close()


def test_abort_ends_the_stop_of_a_c_callback(card: sim.Card) -> None:
    stream = running(ramp, card, **LONG)
    stopper = threading.Thread(target=stream.stop)
    stopper.start()
    time.sleep(0.1)
    began = time.monotonic()
    stream.abort()
    assert time.monotonic() - began < 0.3
    stopper.join(1)
    assert not stopper.is_alive()
    assert card.playback.state is alsamm.State.SETUP
    assert len(card.played()) < 48_000
    stream.close()


def test_a_stop_after_an_abort_does_not_play_on(card: sim.Card) -> None:
    stream = running(ramp, card, **LONG)
    stream._loop.ask(callback_loop.Asked.ABORT)
    stream.stop()
    assert len(card.played()) < 48_000
    stream.close()


@pytest.mark.parametrize("kind", ["capture", "duplex"])
def test_stop_ends_a_c_callbacks_capture_too(card: sim.Card, kind: Any) -> None:
    callback, user = (hear, notes(1 << 20)) if kind == "capture" else (echo, notes(1 << 20))
    with Stream(callback, card.device, kind=kind, user=user, **C) as stream:
        until(lambda: card.capture.state is alsamm.State.RUNNING)
        time.sleep(0.1)
        stream.stop()
        assert card.capture.state is alsamm.State.SETUP
        assert kind == "capture" or card.playback.state is alsamm.State.SETUP


def test_a_suspend_while_a_c_callbacks_last_is_played(card: sim.Card) -> None:
    stream = running(ramp, card, **{**C, "buffer_size": 48_000})
    timers = [threading.Timer(0.2, card.suspend), threading.Timer(0.4, card.resume_power)]
    for timer in timers:
        timer.start()
    stream.stop()
    for timer in timers:
        timer.join()
    assert card.playback.state is alsamm.State.SETUP
    assert stream.stream.stats.suspends == 1  # type: ignore[union-attr]
    stream.close()


def test_a_system_that_stays_asleep_while_a_c_callbacks_last_is_played(card: sim.Card) -> None:
    stream = running(ramp, card, **C)
    card.suspend()
    with pytest.raises(alsamm.SuspendedError):
        stream.stop()
    stream.close()


# ---- C: on_xrun ----


@pytest.mark.parametrize("how", ["stop", "abort", "close"])
def test_on_xrun_is_told_of_a_c_callbacks_xruns(card: sim.Card, how: str) -> None:
    told: list[Any] = []
    stream = running(ramp, card, on_xrun=told.append, **C)
    card.xrun()
    until(lambda: stream.stream.stats.xruns == 1)  # type: ignore[union-attr]
    getattr(stream, how)()
    assert told == stream.stream.interruptions  # type: ignore[union-attr]
    assert len(told) == card.playback.xruns == 1
    stream.close()
    assert len(told) == card.playback.xruns == 1


def test_what_an_on_xrun_of_a_c_callback_raises(card: sim.Card) -> None:
    stream = running(ramp, card, on_xrun=object_to, **C)
    card.xrun()
    until(lambda: stream.stream.stats.xruns == 1)  # type: ignore[union-attr]
    with pytest.raises(OneOfMineError, match="policy"):
        stream.stop()
    stream.close()


def test_an_on_xrun_of_a_c_callback_may_stop_it(card: sim.Card) -> None:
    def stop(_: object) -> None:
        stream.stop()

    stream: Stream = running(ramp, card, on_xrun=stop, **C)
    card.xrun()
    until(lambda: stream.stream.stats.xruns == 1)  # type: ignore[union-attr]
    stream.close()


# ---- what cannot be ----


def test_refusals(card: sim.Card) -> None:
    for address in (1 << 64, 1 << 80):
        with pytest.raises(alsamm.ArgumentError, match="no function's address"):
            Stream(address, card.device, kind="playback", format="S16_LE")
    for user in (-1, 1 << 80):
        with pytest.raises(alsamm.ArgumentError, match="no address"):
            Stream(ramp, card.device, kind="playback", format="S16_LE", user=user)
    with pytest.raises(alsamm.ArgumentError, match="user= is handed to C functions"):
        Stream(nothing, card.device, user=1)
    with pytest.raises(alsamm.ArgumentError, match=r"kind \[\]"):
        Stream(nothing, card.device, kind=[])  # type: ignore[arg-type]
    assert not card.playback.is_open


# ---- times ----


def test_the_time_of_what_was_captured_and_resampled(card: sim.Card) -> None:
    """The callback's own clock: what is written beside a frame is heard ``offset`` after it was captured."""
    times: list[tuple[float, float]] = []

    def callback(indata: Any, outdata: Any, frames: int, time: Any, status: Any) -> None:  # noqa: ARG001
        outdata[:] = 0
        times.append((time.current - time.input_adc, time.output_dac - time.input_adc))
        if len(times) == 40:
            raise CallbackStop

    with Stream(callback, card.device, resample=True, **SIZES) as stream:
        stream.wait(5)
    ago, around = np.median(np.array(times[-20:]), axis=0)
    # A period, what the resampler holds back, and what waits in its fifo; never less than the period itself.
    assert 0.01 < ago < 0.05
    assert around == pytest.approx(0.2, abs=0.035)
    assert around > 0.195
