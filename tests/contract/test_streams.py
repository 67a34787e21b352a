"""What alsamm.playback() and capture() promise, on any device and by either road."""

from __future__ import annotations

import asyncio
import itertools
import select
import signal
import time
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import numpy as np
import pytest

import alsamm
from alsamm.enums import Access, State
from tests.contract.devices import PLUG, RATE, Target

PERIOD, BUFFER = 1024, 8192
SECOND = np.zeros((RATE, 2), "i2")


def out_of(device: Target, **wishes: Any) -> alsamm.PlaybackStream:
    assert device.playback
    sizes: dict[str, Any] = {"period_size": PERIOD, "buffer_size": BUFFER, "nearest": True}
    return alsamm.playback(device.playback, **sizes | wishes)


def mic_of(device: Target, **wishes: Any) -> alsamm.CaptureStream:
    assert device.capture
    sizes: dict[str, Any] = {"period_size": PERIOD, "buffer_size": BUFFER, "nearest": True}
    return alsamm.capture(device.capture, **sizes | wishes)


def by_calls(device: Target) -> bool:
    return device.name.startswith(PLUG) or device.name == "sim-rw"


@contextmanager
def interrupting(seconds: float) -> Generator[None]:
    """Ctrl-C, after a while."""

    def press(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, press)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.needs("playback")
def test_what_was_granted_can_be_read(stream_device: Target) -> None:
    with out_of(stream_device) as out:
        assert (out.rate, out.channels, out.format.name) == (RATE, 2, "S16_LE")
        assert (out.dtype, out.period_size, out.buffer_size) == (np.dtype("i2"), PERIOD, BUFFER)
        assert (out.transport == "alsa-lib") == by_calls(stream_device)
        for told in ("S16_LE", "48000 Hz", "period 1024", "buffer 8192", out.transport, out.device):
            assert told in repr(out)


@pytest.mark.needs("playback")
@pytest.mark.parametrize("dtype", ["i2", "f4"])
def test_all_that_is_written_is_played(stream_device: Target, dtype: str) -> None:
    began = time.monotonic()
    with out_of(stream_device, dtype=dtype) as out:
        assert out.write(SECOND[: 2 * BUFFER].astype(dtype)) == 2 * BUFFER
        assert out.write(iter([SECOND[:300].astype(dtype), SECOND[:700].astype(dtype)])) == 1000
        stats = out.stats
        assert (stats.frames, stats.xruns, stats.lost) == (2 * BUFFER + 1000, 0, 0)
        assert 0 < stats.queued <= BUFFER
        out.drain()
        assert out.state is State.SETUP
    assert 0.9 * (2 * BUFFER + 1000) / RATE < time.monotonic() - began < 20


@pytest.mark.needs("capture")
@pytest.mark.parametrize("dtype", ["i2", "f4"])
def test_reading(stream_device: Target, dtype: str) -> None:
    with mic_of(stream_device, dtype=dtype) as mic:
        take = mic.read(3000)
        assert (take.shape, take.dtype) == ((3000, 2), np.dtype(dtype))
        assert mic.read(out=take) is take
        assert mic.read().shape == (PERIOD, 2)
        assert (mic.stats.frames, mic.frame) == (6000 + PERIOD, 6000 + PERIOD)
        for count, block in enumerate(mic, 1):
            assert block.shape == (PERIOD, 2)
            if count == 2:
                break
        assert mic.stats.xruns == 0


@pytest.mark.needs("playback")
def test_periods_to_fill(stream_device: Target) -> None:
    with out_of(stream_device) as out:
        for period in out.periods(12):
            assert period.shape == (PERIOD, 2)
            period[...] = 0
        assert (out.stats.frames, out.stats.xruns) == (12 * PERIOD, 0)
        with out.reserve(100) as room:
            room[...] = 0
        assert out.stats.frames == 12 * PERIOD + len(room)


@pytest.mark.needs("capture")
def test_periods_to_read(stream_device: Target) -> None:
    with mic_of(stream_device) as mic:
        assert [period.shape for period in mic.periods(5)] == [(PERIOD, 2)] * 5
        assert (mic.stats.frames, mic.stats.xruns) == (5 * PERIOD, 0)


@pytest.mark.needs("playback")
def test_a_loop_of_ones_own_with_poll(stream_device: Target) -> None:
    """write_available, fileno: as select and event loops want it."""
    with out_of(stream_device) as out:
        poll = select.poll()
        for fd, events in out.pcm.poll_descriptors():
            poll.register(fd, events)
        done, total = 0, 3 * BUFFER
        while done < total:
            done += out.write_available(SECOND[done:total])
            if done < total:
                ready = poll.poll(2000)
                assert ready, "nothing woke us"
                out.pcm.poll_revents(ready)
        assert (out.stats.frames, out.stats.xruns) == (total, 0)


@pytest.mark.needs("capture")
def test_read_available(stream_device: Target) -> None:
    with mic_of(stream_device) as mic:
        frames = len(mic.read_available())
        while frames < 3 * PERIOD:
            mic.wait()
            frames += len(mic.read_available())
        assert mic.stats.frames == frames


@pytest.mark.needs("playback")
def test_a_write_ends_in_time_and_can_be_gone_on_with(stream_device: Target) -> None:
    with out_of(stream_device) as out:
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            out.write(SECOND, timeout=0.3)
        assert time.monotonic() - began < 5
        done = out.frames_done
        assert BUFFER <= done < RATE
        out.write(SECOND[done : done + 500])
        assert out.stats.frames == done + 500


@pytest.mark.needs("capture")
def test_a_read_that_ran_out_of_time_loses_nothing(stream_device: Target) -> None:
    with mic_of(stream_device) as mic:
        with pytest.raises(TimeoutError):
            mic.read(RATE, timeout=0.2)
        kept = mic.stats.frames
        assert 0 < kept < RATE
        assert len(mic.read(kept + 100)) == kept + 100
        assert mic.stats.frames == kept + 100, "the first of them had been read before"


@pytest.mark.needs("playback")
def test_ctrl_c_in_a_write(stream_device: Target) -> None:
    with out_of(stream_device) as out:
        began = time.monotonic()
        with pytest.raises(KeyboardInterrupt), interrupting(0.3):
            out.write(np.zeros((20 * RATE, 2), "i2"))
        assert time.monotonic() - began < 5
        assert out.stats.frames == out.frames_done > 0
        out.write(SECOND[:100])


@pytest.mark.needs("playback")
def test_an_exception_stops_at_once_and_frees_the_device(stream_device: Target) -> None:
    def play(out: alsamm.PlaybackStream) -> None:
        with out:
            for period in out.periods():
                period[...] = 0
                if out.state is State.RUNNING:
                    raise ZeroDivisionError

    out = out_of(stream_device)
    with pytest.raises(ZeroDivisionError):
        play(out)
    assert out.closed
    out.close()
    out_of(stream_device).close()


@pytest.mark.needs("playback")
def test_after_the_end(stream_device: Target) -> None:
    with out_of(stream_device) as out:
        out.write(SECOND[:BUFFER])
        out.drain()
        with pytest.raises(alsamm.StateError, match="prepare"):
            out.write(SECOND[:10])
        out.prepare()
        assert out.write(SECOND[:10]) == 10
        assert BUFFER + 10 <= out.frame < 2 * BUFFER, "silence that was heard behind the end counts"
    for call in (lambda: out.write(SECOND), lambda: out.write_available(SECOND), out.time, out.start, out.wait):
        with pytest.raises(alsamm.ClosedError):
            call()
    assert (out.state, out.stats.queued) == (State.OPEN, 0)
    assert "closed" in repr(out)


@pytest.mark.needs("playback")
def test_what_does_not_fit(stream_device: Target) -> None:
    with out_of(stream_device) as out:
        with pytest.raises(alsamm.ArgumentTypeError, match="<f8"):
            out.write(np.zeros((10, 2)))
        with pytest.raises(alsamm.ArgumentError, match="shape"):
            out.write(np.zeros((10, 3), "i2"))
        with pytest.raises(alsamm.ArgumentTypeError):
            out.write(None)
        assert out.stats.frames == 0
    refusals: list[tuple[dict[str, Any], type[Exception]]] = [
        ({"rate": 1, "nearest": False}, alsamm.ParameterError),
        ({"channels": 1_000_000, "nearest": False}, alsamm.ParameterError),
        ({"dtype": "no such"}, alsamm.ArgumentTypeError),
        ({"format": "S99"}, alsamm.ArgumentError),
        ({"latency": -1, "buffer_size": None}, alsamm.ArgumentError),
        ({"latency": 0.1}, alsamm.ArgumentError),
        ({"on_xrun": "ignore"}, alsamm.ArgumentError),
    ]
    for wishes, error in refusals:
        with pytest.raises(error):
            out_of(stream_device, **wishes)
    out_of(stream_device).close()  # none of them kept it open


@pytest.mark.needs("playback")
def test_an_underrun_is_recovered_from_and_told(stream_device: Target) -> None:
    told: list[alsamm.Interruption] = []
    with out_of(stream_device, on_xrun=told.append) as out:
        out.write(SECOND[:BUFFER])
        time.sleep(2 * BUFFER / RATE + 0.1)
        out.write(SECOND[: 2 * BUFFER])
        stats = out.stats
        assert (stats.xruns, stats.suspends, stats.frames) == (1, 0, 3 * BUFFER)
        assert out.interruptions == told
        (what,) = told
        # A USB card stops while the last of it are under way to the bus.
        assert (what.kind, what.frame + what.lost) == ("xrun", BUFFER)
        assert stats.lost == what.lost < PERIOD
        assert what.silence == BUFFER - PERIOD
        assert 0 < what.gap_ns < 60e9
        assert 0 <= time.monotonic_ns() - what.time_ns < 60e9
        assert out.frame == what.resumed + what.silence + 2 * BUFFER


@pytest.mark.needs("playback")
def test_an_underrun_is_raised_on_request(stream_device: Target) -> None:
    with out_of(stream_device, on_xrun="raise") as out:
        out.write(SECOND[:BUFFER])
        time.sleep(2 * BUFFER / RATE + 0.1)
        with pytest.raises(alsamm.Underrun):
            out.write(SECOND[:BUFFER])
        out.recover()
        assert out.write(SECOND[:BUFFER]) == BUFFER
        assert out.stats.xruns == 1
        with pytest.raises(alsamm.StateError):
            out.recover()


@pytest.mark.needs("capture")
def test_an_overrun_is_recovered_from_and_told(stream_device: Target) -> None:
    with mic_of(stream_device) as mic:
        mic.read(PERIOD)
        time.sleep(2 * BUFFER / RATE + 0.1)
        mic.read(2 * PERIOD)
        assert mic.stats.xruns == 1
        (what,) = mic.interruptions
        assert (what.kind, what.silence) == ("xrun", 0)
        assert what.lost >= BUFFER - PERIOD
        assert mic.stats.lost == what.lost


@pytest.mark.needs("playback")
def test_time(stream_device: Target) -> None:
    with out_of(stream_device) as out:
        with pytest.raises(alsamm.StateError):
            out.time_at(0)
        places = []
        for _ in range(20):
            out.write(SECOND[:PERIOD])
            places.append(out.time())
        assert all(a.frame <= b.frame and a.time_ns <= b.time_ns for a, b in itertools.pairwise(places))
        assert 0 <= time.monotonic_ns() - places[-1].time_ns < 5e9
        assert places[-1].frame <= out.frame
        now = time.monotonic_ns()
        assert abs(out.clock.time_at(out.clock.frame_at(now)) - now) < 1e9 / RATE
        assert abs(out.frame_at(now) - places[-1].frame) < RATE
        assert 0 <= out.delay <= BUFFER + PERIOD
        assert out.latency < 1


@pytest.mark.needs("playback")
def test_a_start_at_a_time(stream_device: Target) -> None:
    with out_of(stream_device) as out:
        out.write(SECOND[: BUFFER // 2])
        wanted = time.monotonic_ns() + 200_000_000
        achieved = out.start(at_ns=wanted)
        assert out.state is State.RUNNING
        assert 0 <= achieved - wanted < 1e9
        assert time.monotonic_ns() >= wanted


@pytest.mark.needs("playback")
def test_playing_in_asyncio(stream_device: Target) -> None:
    async def play() -> int:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                ticks += 1
                await asyncio.sleep(0.01)

        ticking = asyncio.ensure_future(tick())
        async with out_of(stream_device) as out:
            assert await out.write(SECOND[: 2 * BUFFER]) == 2 * BUFFER
            writing = asyncio.ensure_future(out.write(np.zeros((30 * RATE, 2), "i2")))
            await asyncio.sleep(0.2)
            writing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await writing
            assert 0 < out.frames_done < 30 * RATE
            assert out.stream.stats.frames == 2 * BUFFER + out.frames_done
            await out.write(iter([SECOND[:50], SECOND[:50]]))
            assert out.stream.stats.xruns == 0
        assert out.stream.closed
        ticking.cancel()
        return ticks

    assert asyncio.run(play()) > 5, "other tasks ran meanwhile"


@pytest.mark.needs("capture")
def test_recording_in_asyncio(stream_device: Target) -> None:
    async def record() -> None:
        async with mic_of(stream_device) as mic:
            reading = asyncio.ensure_future(mic.read(30 * RATE))
            await asyncio.sleep(0.2)
            reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading
            had = mic.stream.stats.frames
            assert 0 < had < 30 * RATE
            assert len(await mic.read(had + 10)) == had + 10
            blocks = 0
            async for block in mic:
                assert block.shape == (PERIOD, 2)
                blocks += 1
                if blocks == 3:
                    break
            assert mic.stream.stats.frames == had + 10 + 3 * PERIOD

    asyncio.run(record())


@pytest.mark.needs("faults")
def test_an_unplugged_device_is_told_by_every_call_at_once(stream_device: Target) -> None:
    card = stream_device.card
    assert card
    with out_of(stream_device) as out, mic_of(stream_device) as mic:
        out.write(SECOND[:BUFFER])
        mic.read(PERIOD)
        card.unplug()
        for call in (
            lambda: out.write(SECOND),
            lambda: out.write_available(SECOND),
            out.wait,
            lambda: mic.read(RATE),
            mic.wait,
            lambda: next(out.periods()),
            lambda: next(mic.periods()),
        ):
            began = time.monotonic()
            with pytest.raises(alsamm.DeviceLostError):
                call()
            assert time.monotonic() - began < 0.5
        out.close()
        mic.close()


def test_access(stream_device: Target) -> None:
    """That the devices stand for what their names say."""
    with out_of(stream_device) as out:
        access = out.pcm.geometry().access
        assert (access == Access.RW_INTERLEAVED) == by_calls(stream_device)
