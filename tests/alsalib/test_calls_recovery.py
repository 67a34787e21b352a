"""Where a PCM behind alsa-lib's own calls is, and how it goes on after an interruption."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import alsamm
from alsamm import State, sim
from alsamm.account import Interruption
from tests.alsalib.conftest import ramp, state

Open = Callable[..., Any]


# ---- where it is ----


def test_position_is_the_cards_and_never_goes_back(io: Open, quick: sim.Card) -> None:
    out = io(quick.device, "playback", period_size=480, buffer_size=48_000)
    seen: list[Any] = []
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            seen.append(out.position())

    watcher = threading.Thread(target=look)
    watcher.start()
    out.write_all(ramp(96_000))
    stop.set()
    watcher.join()
    assert len(seen) > 20
    assert seen == sorted(seen)
    assert all(place.frame <= 96_000 for place in seen)
    moving = [place for place in seen if place.frame > 0]
    rate = (moving[-1].frame - moving[0].frame) * 1e9 / (moving[-1].time_ns - moving[0].time_ns)
    assert 0.8 < rate / 480_000 < 1.25
    assert out.frame - 48_000 <= out.position().frame <= out.frame


def test_a_plugin_whose_answers_go_back(io: Open, still: sim.Card, monkeypatch: pytest.MonkeyPatch) -> None:
    """As rate plugins' do by a few frames, and all while another thread has written and not counted it yet."""
    out = io(still.device, "playback")
    out.write(ramp(1_000))
    still.advance(256)
    told = out.device.status
    place = out.position()
    assert place.frame == 256
    monkeypatch.setattr(out.device, "status", lambda: replace(told(), avail=told().avail - 9))
    assert out.position() == place


def test_a_position_asked_for_while_another_thread_writes(
    io: Open, still: sim.Card, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = io(still.device, "playback")
    out.write(ramp(500))
    told = out.device.status
    before = [told()]  # of before the write
    monkeypatch.setattr(out.device, "status", lambda: (before.pop(), out.write(ramp(100)))[0] if before else told())
    assert out.position().frame == 0
    assert out.frame == 600


def test_capture_position_counts_what_was_read_ahead(io: Open, still: sim.Card) -> None:
    mic = io(still.device, "capture")
    mic.start()
    still.advance(700)
    assert mic.position().frame == 700
    mic.next_view(200)
    assert mic.position().frame == 700
    mic.drop()
    assert mic.position().frame == 700
    mic.prepare()
    assert mic.frame == mic.position().frame == 700
    assert mic.lost == 0, "nothing was interrupted"


def test_late_is_counted(io: Open, still: sim.Card) -> None:
    out = io(still.device, "playback")
    out.write(ramp(1_024))
    still.advance(256)
    out.wait()
    assert out.latest == 0
    still.advance(300)
    out.wait()
    assert out.latest == 300


# ---- interruptions ----


@pytest.mark.parametrize("refill", [0, 512])
def test_an_underrun_is_raised_or_recovered_from(io: Open, still: sim.Card, refill: int) -> None:
    out = io(still.device, "playback")
    out.refill = refill
    out.write(ramp(600))
    still.advance(4_096)
    uses: list[Callable[[], object]] = [out.avail, out.wait, out.drain, lambda: out.write(ramp(4))]
    uses.append(lambda: out.write_all(ramp(4)))
    for use in uses:
        with pytest.raises(alsamm.Underrun):
            use()
    assert state(out.device) is State.XRUN
    assert out.xruns == 0
    heard: list[Interruption] = []
    out.on_interruption = heard.append
    place = out.position().frame
    assert out.write_all(ramp(100), recover=True) == 100
    assert state(out.device) is State.RUNNING
    assert (out.xruns, out.suspends, out.lost) == (1, 0, 0)
    [what] = out.interruptions
    assert [what] == heard
    assert (what.kind, what.silence, what.lost) == ("xrun", refill, 0)
    assert what.frame == 600
    assert what.resumed + refill + 100 == out.frame
    assert out.position().frame >= place >= 600
    assert 0 < what.time_ns <= time.monotonic_ns()
    assert what.gap_ns >= 0
    still.advance(256)
    assert out.position().frame == what.resumed + 256


def test_an_overrun_is_raised_or_recovered_from(io: Open, still: sim.Card) -> None:
    mic = io(still.device, "capture")
    still.feed(ramp(20_000))
    mic.start()
    still.advance(600)
    assert len(mic.next_view(100)) == 100
    still.advance(1_024)
    mic.commit(100)
    take = np.zeros((300, 2), "i2")
    for use in (mic.wait, lambda: mic.read_into(take), lambda: mic.fill(take)):
        with pytest.raises(alsamm.Overrun):
            use()
    before = mic.position().frame
    mic.recover()
    [what] = mic.interruptions
    assert (what.kind, what.frame, what.silence) == ("xrun", 100, 0)
    assert what.lost == mic.lost == mic.frame - 100 == before - 100 >= 1_024
    assert state(mic.device) is State.RUNNING
    still.advance(256)
    assert mic.fill(take[:256]) == 256
    assert mic.frame == what.resumed + 256


def test_an_overrun_that_stops_nothing(io: Open, still: sim.Card) -> None:
    mic = io(still.device, "capture", stop_threshold="boundary")
    mic.start()
    still.advance(3_000)
    with pytest.raises(alsamm.Overrun, match="overwrote 1976 frames"):
        mic.read_into(np.zeros((10, 2), "i2"))
    mic.recover()
    assert (mic.lost, mic.frame, mic.xruns) == (3_000, 3_000, 1)
    assert state(mic.device) is State.RUNNING


def test_fill_goes_on_after_an_overrun(io: Open, quick: sim.Card) -> None:
    mic = io(quick.device, "capture", period_size=240, buffer_size=2_400)
    mic.start()
    time.sleep(0.05)  # ten buffers
    take = np.zeros((1_000, 2), "i2")
    with pytest.raises(alsamm.Overrun):
        mic.fill(take)
    assert mic.fill(take, recover=True) == 1_000
    assert mic.xruns >= 1
    assert mic.frame == mic.lost + 1_000


@pytest.mark.parametrize("can", [True, False])
def test_a_suspended_card(io: Open, can: bool) -> None:
    with sim.Card("sleepy", resume=can) as card:
        out = io(card.device, "playback")
        out.refill = 256
        out.write(ramp(700))
        card.advance(256)
        card.suspend()
        for use in (out.avail, out.wait, out.drain, lambda: out.write(ramp(4))):
            with pytest.raises(alsamm.SuspendedError):
                use()
        if can:
            with pytest.raises(alsamm.SuspendedError, match="still asleep"):
                out.recover(0.03)
        card.resume_power()
        assert out.write_all(ramp(4), recover=True) == 4
        [what] = out.interruptions
        assert state(out.device) is State.RUNNING
        assert (out.suspends, out.xruns) == (1, 0)
        assert what.kind == "suspend"
        if can:
            assert (what.lost, what.silence, out.frame) == (0, 0, 704)
        else:
            assert (what.lost, what.frame, what.resumed) == (444, 256, 700)
            assert (what.silence, out.frame) == (256, 960)
        out.device.close()


def test_an_unplugged_card(io: Open, still: sim.Card) -> None:
    out = io(still.device, "playback")
    out.write(ramp(700))
    still.unplug()
    uses: list[Callable[[], object]] = [out.avail, out.wait, out.recover, out.position, out.drain]
    uses.append(lambda: out.write_all(ramp(4), recover=True))
    for use in uses:
        with pytest.raises(alsamm.DeviceLostError):
            use()


@pytest.mark.parametrize("refill", [-1, 1_025])
def test_refill_fits_the_buffer(io: Open, refill: int) -> None:
    out = io("null", "playback")
    with pytest.raises(alsamm.ArgumentError, match="0 to 1024 frames"):
        out.refill = refill
