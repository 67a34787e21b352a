"""What each call does to state and pointers (rule G), when the card wakes us (rules H, I), and what is late."""

from __future__ import annotations

import select
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import alsamm
from alsamm.enums import Direction, State
from tests.contract.devices import PERIOD, Target

OpenRing = Callable[..., Any]


def silence(frames: int) -> np.ndarray[Any, np.dtype[np.int16]]:
    return np.zeros((frames, 2), "i2")


def run(ring: Any, frames: int | None = None) -> None:
    """Start, with ``frames`` (else a full ring) to play."""
    if isinstance(ring, alsamm.MmapPlayback):
        ring.write(silence(ring.buffer_size if frames is None else frames))
    if ring.state == State.PREPARED:
        ring.start()
    assert str(ring.state) == "RUNNING"


def overtake(ring: Any, device: Target) -> None:
    """Let the card run past what it was given."""
    for _ in range(40):
        device.pass_time(ring.buffer_size + 2 * PERIOD)
        try:
            ring.hwsync()
        except alsamm.XrunError:
            return
    pytest.fail("the card never overran")


@pytest.mark.needs("playback")
def test_start_without_data(open_ring: OpenRing, force_sync_ptr: bool) -> None:
    ring = open_ring(Direction.PLAYBACK, force_sync_ptr=force_sync_ptr)
    with pytest.raises(alsamm.Underrun, match="nothing to play") as caught:
        ring.start()
    assert caught.value.device == ring.device.name
    assert ring.state is State.PREPARED
    assert ring.drain() is None, "nothing to drain is no error"


@pytest.mark.needs("playback")
def test_the_start_threshold_is_honoured(open_ring: OpenRing, force_sync_ptr: bool) -> None:
    """The kernel does not look at it when appl_ptr moves by mmap (rule G6), so we do."""
    ring = open_ring(
        Direction.PLAYBACK, force_sync_ptr=force_sync_ptr, start_threshold=2 * PERIOD, stop_threshold="boundary"
    )
    ring.write(silence(2 * PERIOD - 1))
    assert ring.state is State.PREPARED
    ring.commit(1)
    assert str(ring.state) == "RUNNING"
    ring.drop()
    ring.prepare()
    ring.write(silence(2 * PERIOD))
    assert str(ring.state) == "RUNNING"


def test_pointers_after_drop_and_prepare(
    open_ring: OpenRing, device: Target, direction: Direction, force_sync_ptr: bool
) -> None:
    ring = open_ring(direction, force_sync_ptr=force_sync_ptr, stop_threshold="boundary")
    run(ring)
    device.pass_time(2 * PERIOD)
    ring.hwsync()
    ring.drop()
    appl_ptr, hw_ptr = ring.appl_ptr, ring.hw_ptr
    assert ring.state is State.SETUP
    assert hw_ptr > 0, "drop keeps the pointers"
    assert appl_ptr == (ring.buffer_size if direction is Direction.PLAYBACK else 0)
    with pytest.raises(alsamm.StateError):
        ring.commit(0)
    with pytest.raises(alsamm.StateError):
        ring.data()
    ring.prepare()
    assert (ring.state, ring.appl_ptr, ring.hw_ptr) == (State.PREPARED, 0, 0)
    ring.prepare()
    run(ring)
    with pytest.raises(alsamm.StateError):
        ring.prepare()


@pytest.mark.needs("playback")
def test_drain_plays_all_and_silence_after_it(open_ring: OpenRing, device: Target, force_sync_ptr: bool) -> None:
    ring = open_ring(Direction.PLAYBACK, force_sync_ptr=force_sync_ptr, start_threshold="boundary")
    ring.channel(0)[:] = ring.channel(1)[:] = 123  # what stood in the ring before
    frames = 3 * PERIOD + 17
    ring.write(np.full((frames, 2), 456, "i2"))
    ring.drain()
    assert ring.state is State.SETUP
    assert ring.appl_ptr == frames
    assert ring.hw_ptr >= frames
    behind = min(ring.hw_ptr, ring.buffer_size)
    assert np.all(ring.channel(0)[frames:behind] == 0), (
        "the card stops at a period's end: what it played there is silent"
    )
    if device.card is not None:
        played = device.card.played()
        assert np.all(played[:frames] == 456)
        assert np.all(played[frames:] == 0)


@pytest.mark.needs("playback")
def test_a_full_ring_drains_without_playing_old_frames(
    open_ring: OpenRing, device: Target, force_sync_ptr: bool
) -> None:
    """With no room left there is nowhere to put silence until the card has moved on."""
    ring = open_ring(Direction.PLAYBACK, force_sync_ptr=force_sync_ptr, start_threshold="boundary")
    odd = ring.buffer_size - 5
    ring.write(np.full((odd, 2), 11, "i2"))
    ring.start()
    device.pass_time(PERIOD)
    ring.hwsync()
    more = ring.write(np.full((PERIOD, 2), 22, "i2"))
    ring.drain()
    assert ring.state is State.SETUP
    assert ring.appl_ptr == odd + more
    if device.card is not None:
        played = device.card.played()
        assert np.all(played[:odd] == 11)
        assert np.all(played[odd : odd + more] == 22)
        assert np.all(played[odd + more :] == 0)


def test_xrun(open_ring: OpenRing, device: Target, direction: Direction, force_sync_ptr: bool) -> None:
    ring = open_ring(direction, force_sync_ptr=force_sync_ptr)
    expected = alsamm.Underrun if direction is Direction.PLAYBACK else alsamm.Overrun
    run(ring)
    overtake(ring, device)
    assert ring.state is State.XRUN
    appl_ptr = ring.appl_ptr
    assert appl_ptr == (ring.buffer_size if direction is Direction.PLAYBACK else 0), "an xrun keeps the pointers"
    block = silence(10)
    for call in (
        lambda: ring.commit(1),
        ring.data,
        ring.wait,
        ring.hwsync,
        lambda: ring.write(block) if direction is Direction.PLAYBACK else ring.read_into(block),
    ):
        with pytest.raises(expected, match="prepare"):
            call()
    with pytest.raises(alsamm.StateError):
        ring.start()
    assert ring.appl_ptr == appl_ptr
    assert ring.snapshot().state is State.XRUN
    ring.prepare()
    assert (ring.state, ring.appl_ptr, ring.hw_ptr) == (State.PREPARED, 0, 0)
    run(ring)


def test_late_avail_is_more_than_the_buffer(
    open_ring: OpenRing, device: Target, direction: Direction, force_sync_ptr: bool
) -> None:
    """stop_threshold at boundary: the card never stops, and says how late we are (rules E3, G4)."""
    ring = open_ring(direction, force_sync_ptr=force_sync_ptr, stop_threshold="boundary")
    run(ring)
    for _ in range(60):
        device.pass_time(ring.buffer_size)
        ring.hwsync()
        if ring.avail() > ring.buffer_size:
            break
    late = ring.avail() - ring.buffer_size
    assert late > 0
    assert ring.state is State.RUNNING
    first, second = ring.data()
    assert first.frames + (second.frames if second else 0) == ring.buffer_size, "the span is clamped to the ring"
    if direction is Direction.CAPTURE:
        appl_ptr = ring.appl_ptr
        with pytest.raises(alsamm.Overrun, match="frames that were not read"):
            ring.read_into(silence(10))
        with pytest.raises(alsamm.Overrun):
            ring.iter()
        assert ring.appl_ptr == appl_ptr, "nothing is committed"
        assert ring.forward(late + PERIOD) >= late


def test_wait_and_avail_min(open_ring: OpenRing, direction: Direction, force_sync_ptr: bool) -> None:
    ring = open_ring(direction, force_sync_ptr=force_sync_ptr, stop_threshold="boundary")
    if direction is Direction.CAPTURE:
        with pytest.raises(alsamm.StateError, match="start"):
            ring.wait()
    run(ring)
    ring.avail_min = 3 * PERIOD
    ring.wait()
    assert ring.avail() >= 3 * PERIOD
    for bad in (-1, float("nan")):
        with pytest.raises(alsamm.ArgumentError, match="timeout"):
            ring.wait(bad)
    ring.drop()
    with pytest.raises(alsamm.StateError):
        ring.wait()
    if direction is Direction.PLAYBACK:
        ring.prepare()
        ring.wait(0)  # an empty ring is ready at once (rule I5)


@pytest.mark.needs("playback")
def test_waiting_for_a_card_that_stands_still_ends(open_ring: OpenRing, force_sync_ptr: bool) -> None:
    ring = open_ring(Direction.PLAYBACK, force_sync_ptr=force_sync_ptr, start_threshold="boundary")
    ring.write(silence(ring.buffer_size))
    before = time.monotonic()
    with pytest.raises(TimeoutError):
        ring.wait(0.05)
    assert time.monotonic() - before >= 0.05


@pytest.mark.needs("playback")
def test_poll_by_descriptor(open_ring: OpenRing, device: Target) -> None:
    ring = open_ring(Direction.PLAYBACK, start_threshold="boundary")
    pcm = ring.device

    def ready(timeout: float) -> bool:
        poller = select.poll()
        for fd, events in pcm.poll_descriptors():
            poller.register(fd, events)
        return bool(pcm.poll_revents(poller.poll(timeout * 1000)) & select.POLLOUT)

    assert ready(0)
    ring.write(silence(ring.buffer_size))
    assert not ready(0)
    ring.start()
    device.pass_time(2 * PERIOD)
    assert ready(2)


def test_pause_where_the_card_can(open_ring: OpenRing, device: Target, direction: Direction) -> None:
    ring = open_ring(direction, stop_threshold="boundary")
    run(ring)
    if not ring.device.hw_params().can_pause:
        with pytest.raises(alsamm.UnsupportedError):
            ring.pause()
        return
    ring.pause()
    assert ring.state is State.PAUSED
    hw_ptr = ring.snapshot(hwsync=True).hw_ptr
    device.pass_time(PERIOD)
    assert ring.snapshot(hwsync=True).hw_ptr == hw_ptr
    ring.pause(enable=False)
    assert str(ring.state) == "RUNNING"


@pytest.mark.needs("playback")
def test_rewind_and_forward(open_ring: OpenRing, force_sync_ptr: bool) -> None:
    ring = open_ring(Direction.PLAYBACK, force_sync_ptr=force_sync_ptr, start_threshold="boundary")
    ring.write(silence(4 * PERIOD))
    assert ring.rewind(PERIOD) in (PERIOD, 0), "a card that cannot take back says 0 (rule E7)"
    place = ring.appl_ptr
    assert ring.forward(100) == 100
    assert ring.appl_ptr == place + 100
    for call in (ring.rewind, ring.forward):
        with pytest.raises(alsamm.ArgumentError):
            call(-1)
    ring.reset()
    assert ring.appl_ptr == ring.hw_ptr


@pytest.mark.needs("capture")
def test_capture_drain_leaves_the_rest_to_read(open_ring: OpenRing, device: Target) -> None:
    ring = open_ring(Direction.CAPTURE, stop_threshold="boundary")
    run(ring)
    while ring.avail() < PERIOD:
        device.pass_time(PERIOD)
        ring.hwsync()
    ring.drain()
    assert ring.state is State.DRAINING
    assert len(ring.read(PERIOD)) == PERIOD


@pytest.mark.needs("playback")
def test_prepare_by_the_pcm_silences_and_drain_by_the_pcm_too(open_ring: OpenRing) -> None:
    """The ring's owner may still call the PCM: it knows who has it mapped."""
    ring = open_ring(Direction.PLAYBACK, start_threshold="boundary")
    ring.write(np.full((PERIOD, 2), 99, "i2"))
    ring.device.drop()
    ring.device.prepare()
    assert not ring.channel(0).any()
    ring.write(np.full((PERIOD, 2), 99, "i2"))
    ring.device.drain()
    assert ring.state is State.SETUP
    assert not ring.channel(0)[PERIOD : min(ring.hw_ptr, ring.buffer_size)].any()


def test_software_parameters_change_under_the_ring(open_ring: OpenRing, direction: Direction) -> None:
    ring = open_ring(direction)
    sw = alsamm.SwParams(ring.device)
    sw.stop_threshold = sw.boundary
    sw.avail_min = 3 * ring.period_size
    ring.device.configure(sw=sw)
    assert ring.geometry.stop_threshold == ring.boundary
    assert ring.avail_min == 3 * ring.period_size
    with pytest.raises(alsamm.ParameterError, match=str(ring.period_size)):
        sw.avail_min = ring.period_size - 1  # alsa-lib would make a period of it without a word
