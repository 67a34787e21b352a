"""Stream(callback): sounddevice's form, whose exceptions reach somebody and whose end never hangs."""

from __future__ import annotations

import gc
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import alsamm
from alsamm import sim
from alsamm.stream.callback import Stream
from alsamm.stream.callback_values import CallbackAbort, CallbackError, CallbackStatus, CallbackStop
from tests.unit.native_callbacks import echo, ramp, refuse
from tests.unit.native_kit import native_tasks, notes, numbers, until

SIZES: dict[str, Any] = {"period_size": 480, "buffer_size": 9_600}
C: dict[str, Any] = {"format": "S16_LE", "period_size": 480, "buffer_size": 9_600}


@pytest.fixture
def card() -> Iterator[sim.Card]:
    with sim.Card("callback", clock="realtime", loop=True) as made:
        yield made


def ours() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "alsamm-callback"]


def forget(kept: list[Stream]) -> None:
    kept.clear()
    gc.collect()


def nothing(outdata: Any, frames: int, time: Any, status: Any) -> None:
    """Plays what is in the ring: silence."""


# ---- what it is given ----


def test_playback(card: sim.Card) -> None:
    """All that was written is played, the last block too, and nothing else."""
    seen: list[tuple[Any, ...]] = []

    def callback(outdata: Any, frames: int, time: Any, status: Any) -> None:
        outdata[:] = len(seen) + 1
        seen.append((outdata.shape, frames, time, bool(status)))
        if len(seen) == 30:
            raise CallbackStop

    with Stream(callback, card.device, **SIZES) as stream:
        assert stream.kind == "playback"
        stream.wait(5)
        assert stream.stopped
    assert stream.closed
    np.testing.assert_array_equal(card.played()[:14_400, 1], np.repeat(np.arange(1, 31), 480))
    assert not card.played()[14_400:].any()
    assert {each[:2] + each[3:] for each in seen} == {((480, 2), 480, False)}
    first, last = seen[0][2], seen[-1][2]
    assert first.output_dac - first.current == pytest.approx(0, abs=0.001)
    assert last.outputBufferDacTime - last.currentTime == pytest.approx(0.19, abs=0.011)
    assert (last.input_adc, last.inputBufferAdcTime) == (0.0, 0.0)
    assert abs(time.monotonic() - last.current) < 5


def test_capture(card: sim.Card) -> None:
    card.loop = False
    card.feed(numbers(48_000))
    heard: list[Any] = []
    late: list[float] = []

    def callback(indata: Any, frames: int, time: Any, status: Any) -> None:  # noqa: ARG001
        heard.append(indata.copy())
        late.append(time.current - time.input_adc)
        if len(heard) == 20:
            raise CallbackStop

    with Stream(callback, card.device, **SIZES) as stream:
        assert stream.kind == "capture"
        stream.wait(5)
    np.testing.assert_array_equal(np.concatenate(heard), numbers(9_600))
    assert 0.0099 < min(late) < 0.02


def test_duplex(card: sim.Card) -> None:
    """What is played comes back, exactly as late as the silence before it is long."""
    heard: list[Any] = []
    times: list[Any] = []

    def callback(indata: Any, outdata: Any, frames: int, time: Any, status: Any) -> None:
        assert not status
        times.append(time)
        heard.append(indata[:, 0].copy())
        outdata[:] = np.arange(len(heard) * frames, (len(heard) + 1) * frames)[:, None]
        if len(heard) == 40:
            raise CallbackAbort

    with Stream(callback, card.device, **SIZES) as stream:
        assert stream.kind == "duplex"
        stream.wait(5)
    sound = np.concatenate(heard)
    assert not sound[:9_600].any()
    np.testing.assert_array_equal(sound[9_600:], np.arange(480, 480 + 9_600))
    assert times[-1].output_dac - times[-1].input_adc == pytest.approx(0.2, abs=0.002)


def test_the_status_tells_of_xruns(card: sim.Card) -> None:
    told: list[str] = []

    def callback(outdata: Any, frames: int, time: Any, status: CallbackStatus) -> None:  # noqa: ARG001
        if status:
            told.append(str(status))
            assert (status.output_underflow, status.input_overflow) == (True, False)

    with Stream(callback, card.device, **SIZES) as stream:
        until(lambda: card.playback.state is alsamm.State.RUNNING)
        card.xrun()
        until(lambda: bool(told))
        assert told == ["output underflow"]
        stream.stop()


def test_converted_arrays(card: sim.Card) -> None:
    def callback(outdata: Any, frames: int, time: Any, status: Any) -> None:  # noqa: ARG001
        assert outdata.dtype == np.float32
        outdata[:] = 0.5
        raise CallbackStop

    with Stream(callback, card.device, dtype="float32", format="S16_LE", **SIZES) as stream:
        stream.wait(5)
    np.testing.assert_array_equal(card.played()[:480], 16_384)


# ---- exceptions ----


class OneOfMineError(Exception):
    pass


def failing(outdata: Any, frames: int, time: Any, status: Any) -> None:  # noqa: ARG001
    raise OneOfMineError("here")


@pytest.mark.parametrize("how", ["stop", "wait", "abort", "close"])
def test_an_exception_reaches_whoever_asks_and_once(card: sim.Card, how: str) -> None:
    stream = Stream(failing, card.device, **SIZES)
    stream.start()
    until(lambda: stream.stopped)
    with pytest.raises(OneOfMineError, match="here") as raised:
        getattr(stream, how)()
    assert raised.traceback[-1].name == "failing"
    getattr(stream, how)()
    stream.close()
    assert not card.playback.is_open


def test_an_exception_surfaces_at_the_end_of_with(card: sim.Card) -> None:
    with pytest.raises(OneOfMineError), Stream(failing, card.device, **SIZES) as stream:
        until(lambda: stream.stopped)
    assert not card.playback.is_open


def test_beside_another_it_goes_along(card: sim.Card) -> None:
    with pytest.raises(KeyError) as raised, Stream(failing, card.device, **SIZES) as stream:  # noqa: PT012 -- raised somewhere in it
        until(lambda: stream.stopped)
        raise KeyError
    assert isinstance(raised.value.__context__, OneOfMineError)


def test_or_is_logged_where_there_is_no_place(card: sim.Card, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(KeyError), Stream(failing, card.device, **SIZES) as stream:  # noqa: PT012 -- raised somewhere in it
        until(lambda: stream.stopped)
        raise KeyError from ValueError()
    assert "OneOfMineError: here" in caplog.text


def test_nobody_asked(card: sim.Card, caplog: pytest.LogCaptureFixture) -> None:
    kept = [Stream(failing, card.device, **SIZES)]
    kept[0].start()
    until(lambda: kept[0].stopped)
    with caplog.at_level(logging.ERROR, "alsamm.stream"), pytest.warns(ResourceWarning, match="OneOfMineError"):
        forget(kept)
    assert "OneOfMineError: here" in caplog.text
    assert not card.playback.is_open


def test_the_cards_errors_too(card: sim.Card) -> None:
    with pytest.raises(alsamm.DeviceLostError), Stream(nothing, card.device, **SIZES) as stream:  # noqa: PT012 -- raised somewhere in it
        until(lambda: card.playback.state is alsamm.State.RUNNING)
        card.unplug()
        stream.wait(5)


def test_xruns_that_are_not_to_be_recovered_from(card: sim.Card) -> None:
    with pytest.raises(alsamm.Underrun), Stream(nothing, card.device, on_xrun="raise", **SIZES) as stream:  # noqa: PT012 -- raised somewhere in it
        until(lambda: card.playback.state is alsamm.State.RUNNING)
        card.xrun()
        stream.wait(5)


# ---- ends ----


@pytest.mark.parametrize("how", ["stop", "abort", "close"])
def test_ending_it_in_the_callback(card: sim.Card, how: str) -> None:
    def callback(outdata: Any, frames: int, time: Any, status: Any) -> None:  # noqa: ARG001
        getattr(stream, how)()
        outdata[:] = 1  # the card is there still

    stream = Stream(callback, card.device, **SIZES)
    stream.start()
    stream.wait(5)
    until(lambda: not ours())
    assert stream.closed == (how == "close")
    assert card.playback.is_open == (how != "close")
    stream.close()


def test_waiting_in_the_callback_is_refused(card: sim.Card) -> None:
    def callback(outdata: Any, frames: int, time: Any, status: Any) -> None:  # noqa: ARG001
        stream.wait()

    stream = Stream(callback, card.device, **SIZES)
    stream.start()
    until(lambda: stream.stopped)
    with pytest.raises(alsamm.StateError, match="its own callback"):
        stream.close()


def test_stop_plays_what_was_written_and_abort_does_not(card: sim.Card) -> None:
    def callback(outdata: Any, frames: int, time: Any, status: Any) -> None:  # noqa: ARG001
        outdata[:] = 1

    stream = Stream(callback, card.device, **SIZES)
    stream.start()
    until(lambda: card.playback.state is alsamm.State.RUNNING)
    stream.stop()
    stopped = card.played()[:, 0]
    assert np.count_nonzero(stopped) >= 9_600
    assert np.count_nonzero(stopped) % 480 == 0
    stream.start()  # opened anew
    until(lambda: card.playback.state is alsamm.State.RUNNING)
    stream.abort()
    assert np.count_nonzero(card.played()[:, 0]) < 9_600
    stream.close()


def test_abort_ends_a_stop_under_way(card: sim.Card) -> None:
    stream = Stream(nothing, card.device, period_size=4_800, buffer_size=480_000)
    stream.start()
    until(lambda: card.playback.state is alsamm.State.RUNNING)
    with pytest.raises(TimeoutError, match=r"did not stop in 0\.1 s"):
        stream.stop(0.1)
    began = time.monotonic()
    stream.abort()
    assert time.monotonic() - began < 1
    stream.close()


def test_wait_has_an_end(card: sim.Card) -> None:
    with Stream(nothing, card.device, **SIZES) as stream:
        with pytest.raises(TimeoutError, match=r"did not end in 0\.05 s"):
            stream.wait(0.05)
        assert stream.active
        with pytest.raises(alsamm.StateError, match="active"):
            stream.start()
    with pytest.raises(alsamm.ClosedError):
        stream.start()
    stream.close()
    stream.stop()


def test_one_that_was_never_started(card: sim.Card) -> None:
    stream = Stream(nothing, card.device, **SIZES)
    stream.stop()
    stream.wait()
    assert (stream.active, stream.stopped) == (False, True)
    stream.close()
    assert not card.playback.is_open


@pytest.mark.parametrize("callback", [nothing, refuse], ids=["Python", "C"])
def test_one_that_is_forgotten(card: sim.Card, callback: Any) -> None:
    endless, user = (nothing, None) if callback is nothing else (ramp, np.array([1 << 40, 0]))
    kept = [Stream(endless, card.device, kind="playback", user=user, **C)]
    kept[0].start()
    until(lambda: card.playback.state is alsamm.State.RUNNING)
    with pytest.warns(ResourceWarning, match="not closed"):
        forget(kept)
    assert (ours(), native_tasks()) == ([], [])
    assert not card.playback.is_open


def test_a_program_that_forgets_it_ends() -> None:
    code = """if True:
        import time
        from alsamm import sim
        from alsamm.stream.callback import Stream
        card = sim.Card("exit", clock="realtime")
        stream = Stream(lambda outdata, frames, time, status: None, card.device)
        stream.start()
        time.sleep(0.2)
        print(stream.active)
    """
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=False, timeout=20
    )
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "True", "")


# ---- C ----


def test_a_c_callback_plays(card: sim.Card) -> None:
    told = np.array([24_000, 0])
    with Stream(ramp, card.device, kind="playback", user=told, **C) as stream:
        stream.wait(5)
    np.testing.assert_array_equal(card.played()[:24_000], numbers(24_000))


def test_a_c_callback_in_duplex(card: sim.Card) -> None:
    told = notes(24_000)
    with Stream(echo, card.device, kind="duplex", user=told, **C) as stream:
        stream.wait(5)
    np.testing.assert_array_equal(told[8 + 9_600 :], np.arange(1, 24_001 - 9_600))


def test_a_c_callback_that_is_stopped_plays_out(card: sim.Card) -> None:
    with Stream(ramp, card.device, kind="playback", user=np.array([1 << 40, 0]), **C) as stream:
        until(lambda: card.playback.state is alsamm.State.RUNNING)
        stream.stop()
        assert stream.stream.state is alsamm.State.SETUP  # type: ignore[union-attr]
    played = card.played()
    assert len(played) >= 9_600
    np.testing.assert_array_equal(played[:9_600], numbers(9_600))


def test_a_c_callbacks_no_is_an_error(card: sim.Card) -> None:
    stream = Stream(refuse, card.device, kind="playback", **C)
    with pytest.raises(CallbackError, match="returned -5") as raised, stream:
        stream.wait(5)
    assert raised.value.value == -5


def test_an_xrun_of_a_c_callback(card: sim.Card) -> None:
    with Stream(ramp, card.device, kind="playback", user=np.array([1 << 40, 0]), **C) as stream:
        until(lambda: card.playback.state is alsamm.State.RUNNING)
        card.xrun()
        until(lambda: stream.stream.stats.xruns == 1)  # type: ignore[union-attr]
        stream.stop()
    stream = Stream(ramp, card.device, kind="playback", user=np.array([1 << 40, 0]), on_xrun="raise", **C)
    with pytest.raises(alsamm.Underrun), stream:  # noqa: PT012 -- in the end it is raised, wherever
        until(lambda: card.playback.state is alsamm.State.RUNNING)
        card.xrun()
        stream.wait(5)


# ---- what cannot be ----


def test_refusals(card: sim.Card) -> None:
    with pytest.raises(alsamm.ArgumentError, match="say kind="):
        Stream(print, card.device)
    with pytest.raises(alsamm.ArgumentError, match="say kind="):
        Stream(ramp, card.device)
    with pytest.raises(alsamm.ArgumentError, match="'both'"):
        Stream(nothing, card.device, kind="both")  # type: ignore[arg-type]
    with pytest.raises(alsamm.ArgumentTypeError, match="callback None"):
        Stream(None, card.device)
    with pytest.raises(alsamm.UnsupportedError, match="hw:"):
        Stream(ramp, "null", kind="playback", format="S16_LE")
    with pytest.raises(alsamm.UnsupportedError, match="format="):
        Stream(ramp, card.device, kind="playback", dtype="float32", format="S16_LE").start()
    gc.collect()
    assert not card.playback.is_open
