"""Duplex: what is played and what is heard meanwhile belong together, to the frame."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest

import alsamm
from tests.contract.devices import RATE, Target

pytestmark = pytest.mark.alone

PERIOD, BUFFER = 1024, 16_384  # a third of a second, which an emulated machine now and then needs


def io_of(device: Target, **wishes: Any) -> alsamm.DuplexStream:
    if device.card is not None:
        device.card.loop = True
    assert device.playback
    return alsamm.duplex(device.playback, device.capture, period_size=PERIOD, buffer_size=BUFFER, **wishes)


def noise(frames: int, seed: int) -> Any:
    return np.random.default_rng(seed).integers(-32_768, 32_768, (frames, 2), "i2")


@pytest.mark.needs("loop")
@pytest.mark.parametrize("run", range(20))
def test_recorded_equals_played_shifted_by_the_offset(stream_device: Target, run: int) -> None:
    """Each run opens both anew, and lets them do something else first."""
    with io_of(stream_device) as io:
        assert io.linked
        for heard, played in io.periods(run % 4):
            played[...] = heard
        sent = noise(BUFFER + 100 * run, run)
        begin = io.capture.frame
        taken: list[Any] = []
        for heard, played in io.periods(-(-(len(sent) + io.offset) // PERIOD)):
            first = len(taken) * PERIOD
            part = sent[first : first + PERIOD]
            played[...] = 0
            played[: len(part)] = part
            taken.append(heard.copy())
        assert io.capture.frame == begin + len(taken) * PERIOD
        heard = np.concatenate(taken)
        np.testing.assert_array_equal(heard[io.offset : io.offset + len(sent)], sent)
        assert (io.playback.stats.xruns, io.capture.stats.xruns) == (0, 0)


@pytest.mark.needs("loop")
def test_exchange(stream_device: Target) -> None:
    with io_of(stream_device) as io:
        for seed, frames in enumerate((1, 5000, 2 * BUFFER + 1)):
            sent = noise(frames, seed)
            np.testing.assert_array_equal(io.exchange(sent), sent)


@pytest.mark.needs("playback")
@pytest.mark.needs("capture")
def test_periods_by_either_road(stream_device: Target) -> None:
    with io_of(stream_device, nearest=True) as io:
        count = 0
        for heard, played in io.periods(12):
            assert heard.shape == played.shape == (PERIOD, 2)
            played[...] = heard
            count += 1
        assert count == 12
        assert io.playback.stats.frames == io.capture.stats.frames == 12 * PERIOD
        assert (io.playback.stats.xruns, io.capture.stats.xruns) == (0, 0)
        assert 0 < io.offset < 3 * BUFFER
        assert abs(io.drift_ppm) < 1e5
        assert "DuplexStream" in repr(io)
    assert io.closed


@pytest.mark.needs("loop")
def test_duplex_in_asyncio(stream_device: Target) -> None:
    sent = noise(4 * PERIOD, 9)

    async def play() -> Any:
        taken: list[Any] = []
        async with io_of(stream_device) as io:
            offset = io.stream.offset
            async for heard, played in io.periods(4 + offset // PERIOD):
                first = len(taken) * PERIOD
                played[...] = 0
                played[: len(sent[first : first + PERIOD])] = sent[first : first + PERIOD]
                taken.append(heard.copy())
                await asyncio.sleep(0)
        assert io.stream.closed
        return np.concatenate(taken)[offset:]

    np.testing.assert_array_equal(asyncio.run(play()), sent)


@pytest.mark.needs("faults")
@pytest.mark.needs("loop")
def test_after_an_xrun_the_offset_is_what_it_was(stream_device: Target) -> None:
    card = stream_device.card
    assert card
    with io_of(stream_device) as io:
        first = noise(BUFFER, 1)
        np.testing.assert_array_equal(io.exchange(first), first)
        offset = io.offset
        card.xrun("capture")
        for _, played in io.periods(3):
            played[...] = 0
        assert (io.playback.stats.xruns, io.capture.stats.xruns) == (1, 1)
        assert io.offset == offset
        second = noise(BUFFER, 2)
        np.testing.assert_array_equal(io.exchange(second), second)


@pytest.mark.needs("faults")
@pytest.mark.needs("loop")
def test_xruns_are_raised_on_request(stream_device: Target) -> None:
    card = stream_device.card
    assert card
    with io_of(stream_device, on_xrun="raise") as io:
        for _, played in io.periods(3):
            played[...] = 0
        card.xrun()
        with pytest.raises(alsamm.XrunError):
            next(io.periods())
        io.recover()
        sent = noise(BUFFER, 3)
        np.testing.assert_array_equal(io.exchange(sent), sent)


@pytest.mark.needs("playback")
@pytest.mark.needs("capture")
def test_what_does_not_fit(stream_device: Target) -> None:
    with io_of(stream_device, nearest=True) as io:
        with pytest.raises(alsamm.ArgumentTypeError):
            io.exchange(np.zeros((10, 2), "f8"))
        with pytest.raises(alsamm.ArgumentError):
            io.exchange(np.zeros((10, 3), "i2"))
    with pytest.raises(alsamm.ClosedError):
        next(io.periods())
    assert stream_device.playback
    with pytest.raises(alsamm.ParameterError):
        alsamm.duplex(stream_device.playback, stream_device.capture, rate=1)
    alsamm.duplex(stream_device.playback, stream_device.capture, rate=RATE, nearest=True).close()
