"""Whole blocks: written and filled to the last frame by C, and converted on the way."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import alsamm
from alsamm.enums import Direction, State
from tests.contract.devices import BUFFER, PERIOD, Target

OpenRing = Callable[..., Any]
STEP = 1 << 15


def sawtooth(frames: int) -> np.ndarray[Any, np.dtype[np.int16]]:
    """Frames that tell their own number, never silent, with the channels apart."""
    left = np.arange(frames) % 30_011 + 1
    return np.stack([left, -left], axis=1).astype("i2")


@pytest.mark.needs("playback")
def test_write_all_waits_for_room(open_ring: OpenRing, force_sync_ptr: bool) -> None:
    """More than the ring holds, twice; the stream is started at start_threshold and never runs dry."""
    ring = open_ring(Direction.PLAYBACK, force_sync_ptr=force_sync_ptr, start_threshold=BUFFER // 2)
    block = np.zeros((2 * ring.buffer_size + 77, 2), "i2")
    for turn in (1, 2):
        assert ring.write_all(block) == len(block) == ring.frames_done
        assert ring.appl_ptr == turn * len(block) % ring.boundary
        assert ring.state is State.RUNNING
    assert ring.xruns == 0
    ring.drop()


@pytest.mark.needs("capture")
def test_fill_starts_and_waits(open_ring: OpenRing, force_sync_ptr: bool) -> None:
    ring = open_ring(Direction.CAPTURE, force_sync_ptr=force_sync_ptr)
    out = np.zeros((ring.buffer_size + 77, 2), "i2")
    for turn in (1, 2):
        assert ring.fill(out) == len(out) == ring.frames_done
        assert ring.appl_ptr == turn * len(out) % ring.boundary
        assert ring.state is State.RUNNING
    ring.drop()


@pytest.mark.needs("playback")
def test_a_time_limit_tells_how_far_it_came(open_ring: OpenRing, force_sync_ptr: bool) -> None:
    ring = open_ring(Direction.PLAYBACK, force_sync_ptr=force_sync_ptr, start_threshold="boundary")
    block = np.zeros((ring.buffer_size + 1, 2), "i2")
    with pytest.raises(alsamm.StateError, match=rf"start_threshold.*{ring.buffer_size} of {len(block)} frames"):
        ring.write_all(block)
    assert ring.frames_done == ring.buffer_size == ring.appl_ptr
    ring.start()
    if ring.device.hw_params().can_pause:
        ring.pause()
        with pytest.raises(TimeoutError, match=r"0.05 s; \d+ of"):
            ring.write_all(block, timeout=0.05)
        assert ring.frames_done == ring.appl_ptr - ring.buffer_size
    ring.drop()


@pytest.mark.needs("playback")
def test_an_underrun_is_raised_or_recovered_from(open_ring: OpenRing, device: Target, force_sync_ptr: bool) -> None:
    ring = open_ring(Direction.PLAYBACK, force_sync_ptr=force_sync_ptr, start_threshold=1)
    block = np.zeros((BUFFER + 3 * PERIOD, 2), "i2")
    ring.write(block[: 2 * PERIOD])
    while ring.state is State.RUNNING:
        device.pass_time(PERIOD)
    with pytest.raises(alsamm.Underrun):
        ring.write_all(block)
    assert (ring.frames_done, ring.xruns) == (0, 0)
    assert ring.write_all(block, recover=True) == len(block)
    assert ring.xruns >= 1, "a slow machine may have more"
    ring.drop()


@pytest.mark.needs("capture")
def test_an_overrun_is_raised_or_recovered_from(open_ring: OpenRing, device: Target, force_sync_ptr: bool) -> None:
    ring = open_ring(Direction.CAPTURE, force_sync_ptr=force_sync_ptr)
    out = np.zeros((PERIOD, 2), "i2")
    ring.start()
    while ring.state is State.RUNNING:
        device.pass_time(BUFFER // 2)
    with pytest.raises(alsamm.Overrun):
        ring.fill(out)
    assert (ring.frames_done, ring.xruns) == (0, 0)
    assert ring.fill(out, recover=True) == len(out)
    assert ring.xruns >= 1
    ring.drop()


@pytest.mark.needs("capture")
def test_frames_that_were_overwritten_are_skipped(open_ring: OpenRing, device: Target, force_sync_ptr: bool) -> None:
    """With stop_threshold at the boundary nothing stops the card, so the ring itself tells that we are late."""
    ring = open_ring(Direction.CAPTURE, force_sync_ptr=force_sync_ptr, stop_threshold="boundary")
    out = np.zeros((PERIOD, 2), "i2")
    ring.start()
    while ring.avail() <= ring.buffer_size:
        device.pass_time(BUFFER // 2)
        ring.hwsync()
    with pytest.raises(alsamm.Overrun, match="overwrote"):
        ring.fill(out)
    assert ring.fill(out, recover=True) == len(out)
    assert ring.xruns == 1
    assert ring.avail() <= ring.buffer_size
    ring.drop()


@pytest.mark.needs("loop")
@pytest.mark.parametrize("dtype", ["f4", "f8", "i4", "i2"])
def test_converted_there_and_back(open_ring: OpenRing, device: Target, force_sync_ptr: bool, dtype: str) -> None:
    """16 bits fit into each of these dtypes, so what is heard is exactly what was played."""
    if device.card is not None:
        device.card.loop = True
    sent = sawtooth(3 * BUFFER)
    scale = {"f4": 1 / STEP, "f8": 1 / STEP, "i4": 1 << 16, "i2": 1}[dtype]
    size = 2 * BUFFER
    out = open_ring(Direction.PLAYBACK, force_sync_ptr=force_sync_ptr, buffer_size=size, dtype=dtype)
    mic = open_ring(Direction.CAPTURE, force_sync_ptr=force_sync_ptr, buffer_size=size, dtype=dtype)
    assert out.dtype == mic.dtype == np.dtype(dtype)
    mic.start()
    tail = np.zeros((8 * PERIOD, 2), dtype)
    block = np.concatenate([(sent.astype("f8") * scale).astype(dtype), tail])
    take = np.full((len(block) + 4 * PERIOD, 2), 99, dtype)
    failed: list[BaseException] = []

    def play() -> None:
        try:
            out.write_all(block)
            out.drain()
        except BaseException as error:  # noqa: BLE001 -- told below, where a test can hear it
            failed.append(error)

    if device.card is None:
        player = threading.Thread(target=play)
        player.start()
        mic.fill(take)
        player.join()
    else:  # one clock, which only moves while somebody waits
        done = written = 0
        while done < len(take):
            if written < len(block):
                written += out.write(block[written:])
            mic.wait()
            done += mic.read_into(take[done:])
    assert not failed
    first = int(np.flatnonzero((take == block[0]).all(axis=1))[0])
    np.testing.assert_array_equal(take[first : first + len(sent)], block[: len(sent)])


@pytest.mark.needs("playback")
def test_numbers_of_full_scale_reach_the_ring(open_ring: OpenRing, force_sync_ptr: bool) -> None:
    """Rounded to the nearest, clamped, NaN as silence; strides of every kind; nothing of it by the caller's hand."""
    ring = open_ring(Direction.PLAYBACK, force_sync_ptr=force_sync_ptr, start_threshold="boundary", dtype="f4")
    values = np.array([0, 1, -1, 2, -2, np.nan, np.inf, -np.inf, 0.5, 1.5 / STEP, 2.5 / STEP, -0.5 / STEP], "f4")
    expected = [0, 32767, -32768, 32767, -32768, 0, 32767, -32768, 16384, 2, 2, 0]
    block = np.stack([values, values[::-1]], axis=1)
    wide = np.zeros((len(values), 5), "f4")
    wide[:, 1::2] = block
    for given in (block, np.asfortranarray(block), wide[:, 1::2], block[::-1][::-1]):
        ring.prepare()
        assert ring.write(given) == len(values)
        assert ring.channel(0)[: len(values)].tolist() == expected
        assert ring.channel(1)[: len(values)].tolist() == expected[::-1]
    with pytest.raises(alsamm.ArgumentTypeError, match="<i2"):
        ring.write(np.zeros((4, 2), "i2"))
    ring.drop()
