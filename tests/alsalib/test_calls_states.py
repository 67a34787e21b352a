"""A PCM behind alsa-lib's own calls: its states, and who waits for it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import alsamm
from alsamm import State, sim
from tests.alsalib.conftest import ramp, state

Open = Callable[..., Any]
MULTI = "plug:{SLAVE={type multi slaves {a {pcm null channels 1} b {pcm null channels 1}} bindings {0 {slave a channel 0} 1 {slave b channel 0}}}}"  # noqa: E501
PLUGINS = pytest.mark.parametrize("name", ["null", "plug:null", "file:FILE=/dev/null", MULTI], ids=str.split)


# ---- states ----


@PLUGINS
def test_states_of_a_playback(io: Open, name: str) -> None:
    out = io(name, "playback")
    assert state(out.device) is State.PREPARED
    out.wait()
    out.wait(0)
    assert out.write(ramp(512)) == 512
    assert state(out.device) is State.RUNNING
    out.hwsync()
    out.drain()
    assert state(out.device) is State.SETUP
    with pytest.raises(alsamm.StateError):
        out.write(ramp(4))
    out.prepare()
    before = time.monotonic_ns()
    out.write(ramp(512))
    assert out.frame == 1_024, "counted on over prepare()"
    assert out.position().frame == 1_024
    assert before <= out.position().time_ns <= time.monotonic_ns()
    with pytest.raises(alsamm.StateError, match="nothing to recover from"):
        out.recover()
    out.drop()
    out.close()
    out.close()
    for use in (out.avail, out.drain, out.position, lambda: out.write(ramp(4)), lambda: out.commit(0)):
        with pytest.raises(alsamm.ClosedError):
            use()


@PLUGINS
def test_states_of_a_capture(io: Open, name: str) -> None:
    mic = io(name, "capture")
    assert mic.avail() == 0
    with pytest.raises(alsamm.StateError, match=r"before start\(\)"):
        mic.wait()
    assert len(mic.next_view(10)) == 0
    mic.start()
    mic.wait()
    assert mic.fill(np.zeros((3_000, 2), "i2")) == 3_000
    place = mic.position()
    assert place.frame >= 3_000
    mic.drop()
    mic.prepare()
    assert mic.frame >= 3_000
    assert mic.position().frame >= place.frame


def test_the_pcm_may_be_closed_first(io: Open) -> None:
    out = io("null", "playback")
    out.device.close()
    assert out.closed
    assert out.geometry.rate == 48_000
    with pytest.raises(alsamm.ClosedError):
        out.write(ramp(4))


def test_a_drained_capture_keeps_what_it_has(io: Open, still: sim.Card) -> None:
    mic = io(still.device, "capture")
    still.feed(ramp(2_000))
    mic.start()
    still.advance(700)
    assert len(mic.next_view(100)) == 100
    mic.commit(40)
    mic.drain()
    assert (state(mic.device), mic.avail()) == (State.SETUP, 660)
    first = np.zeros((260, 2), "i2")
    assert mic.read_into(first) == 260
    assert (first == ramp(260, 40)).all()
    take = np.zeros((500, 2), "i2")
    with pytest.raises(alsamm.StateError):
        mic.fill(take)
    assert mic.frames_done == 400
    assert (take[:400] == ramp(400, 300)).all()


def test_a_paused_stream(io: Open, still: sim.Card) -> None:
    out = io(still.device, "playback")
    out.write(ramp(1_024))
    out.pause()
    assert state(out.device) is State.PAUSED
    with pytest.raises(TimeoutError, match=r"not in 0\.03 s; 0 of 1 frames are done"):
        out.write_all(ramp(1), 0.03)
    out.pause(False)
    assert state(out.device) is State.RUNNING


# ---- waiting ----


def test_write_all_waits_for_room_and_sleeps_meanwhile(io: Open, quick: sim.Card) -> None:
    out = io(quick.device, "playback", period_size=480, buffer_size=48_000)
    block = ramp(96_000)
    began, busy = time.monotonic(), time.thread_time()
    assert out.write_all(block) == 96_000
    took, worked = time.monotonic() - began, time.thread_time() - busy
    assert took > 0.07, "two seconds of sound, ten times as fast, less what the buffer holds"
    assert worked < took / 2, "it slept"
    assert 0 < out.longest_wait_ns <= out.waited_ns <= took * 1e9
    out.drain()
    assert out.xruns == 0
    assert (quick.played()[:96_000] == block).all()


def test_fill_starts_and_waits(io: Open, quick: sim.Card) -> None:
    quick.feed(ramp(20_000))
    mic = io(quick.device, "capture", period_size=480, buffer_size=48_000)
    take = np.zeros((9_600, 2), "i2")
    assert mic.fill(take) == 9_600
    assert (take == ramp(9_600)).all()
    assert mic.waited_ns > 0


def test_a_card_that_stands_still(io: Open, still: sim.Card) -> None:
    out = io(still.device, "playback")
    out.write(ramp(1_024))
    assert out.write(ramp(4)) == 0
    for timeout in (0, 0.02):
        with pytest.raises(TimeoutError):
            out.wait(timeout)
        with pytest.raises(TimeoutError, match=f"not in {timeout} s; 0 of 4 frames"):
            out.write_all(ramp(4), timeout)
    began = time.monotonic()
    with pytest.raises(TimeoutError, match="stands still; 0 of 4 frames"):
        out.write_all(ramp(4))
    assert time.monotonic() - began < 1.5
    with pytest.raises(TimeoutError, match="stood still while draining"):
        out.drain(0.02)


def test_full_and_not_started(io: Open, still: sim.Card) -> None:
    out = io(still.device, "playback", start_threshold="boundary")
    with pytest.raises(alsamm.StateError, match=r"start_threshold is \d+; 1024 of 2000 frames are done"):
        out.write_all(ramp(2_000))
    assert out.frames_done == out.frame == 1_024
    out.start()
    assert state(out.device) is State.RUNNING


def test_a_plugin_that_says_ready_when_it_is_not_is_no_busy_loop(io: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """null is always ready; without room beside it that is what dmix and others are at times."""
    out = io("null", "playback")
    looked = 0

    def full() -> int:
        nonlocal looked
        looked += 1
        return 0

    out.write(ramp(4))
    monkeypatch.setattr(out.device, "avail", full)
    with pytest.raises(TimeoutError):
        out.write_all(ramp(4), 0.2)
    assert 10 < looked < 400


def test_a_signal_is_heard_while_waiting(io: Open, still: sim.Card) -> None:
    class Alarm(Exception):  # noqa: N818
        pass

    def ring(*_: object) -> None:
        raise Alarm

    out = io(still.device, "playback")
    out.write(ramp(1_024))
    before = signal.signal(signal.SIGALRM, ring)
    try:
        uses: list[Callable[[], object]] = [lambda: out.wait(20), lambda: out.write_all(ramp(4), 20)]
        uses.append(lambda: out.drain(20))
        for use in uses:
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            with pytest.raises(Alarm):
                use()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_start_at_a_time(io: Open, quick: sim.Card) -> None:
    for name in ("null", quick.device):
        out = io(name, "playback", start_threshold="boundary", buffer_size=256 * 200)
        out.write(ramp(40_000))
        wanted = time.monotonic_ns() + 60_000_000
        got = out.start_at(wanted)
        assert wanted <= got <= time.monotonic_ns()
        assert state(out.device) is State.RUNNING
        out.device.close()


def test_a_child_has_none(io: Open) -> None:
    out = io("null", "playback")
    child = os.fork()
    if child == 0:
        os._exit(0 if out.closed else 1)
    assert os.waitpid(child, 0)[1] == 0
