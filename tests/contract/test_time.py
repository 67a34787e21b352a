"""Timestamps, freshness of hw_ptr, delay."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from alsamm.enums import ClockType, Direction, State
from tests.contract.devices import PERIOD, RATE, Target

OpenRing = Callable[..., Any]


def started(open_ring: OpenRing, direction: Direction, **wishes: Any) -> Any:
    ring = open_ring(direction, stop_threshold="boundary", **wishes)
    if direction is Direction.PLAYBACK:
        ring.write(np.zeros((ring.buffer_size, 2), "i2"))
    if ring.state is State.PREPARED:
        ring.start()
    return ring


def test_hwsync_renews_hw_ptr(open_ring: OpenRing, device: Target, direction: Direction, force_sync_ptr: bool) -> None:
    ring = started(open_ring, direction, force_sync_ptr=force_sync_ptr)
    seen = 0
    for _ in range(5):
        device.pass_time(PERIOD + 100)
        ring.hwsync()
        assert ring.hw_ptr > seen, "rule H1"
        seen = ring.hw_ptr


def test_timestamps_belong_to_their_position(
    open_ring: OpenRing, device: Target, direction: Direction, force_sync_ptr: bool
) -> None:
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    ring = started(open_ring, direction, force_sync_ptr=force_sync_ptr)
    pairs = []
    for _ in range(6):
        device.pass_time(PERIOD)
        now = ring.snapshot(hwsync=True)
        pairs.append((now.hw_ptr, now.htstamp_ns))
        assert now.state is State.RUNNING
    after = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    assert ring.geometry.tstamp_type is ClockType.MONOTONIC
    assert pairs == sorted(pairs)
    assert pairs[-1] > pairs[0]
    if device.card is None:
        assert before < pairs[0][1] <= pairs[-1][1] < after, "the clock is CLOCK_MONOTONIC"
    assert ring.status.htstamp_ns >= pairs[-1][1]
    assert ring.status.audio_htstamp_ns > 0
    rate = ring.geometry.rate
    audio = ring.snapshot()
    assert abs(audio.audio_htstamp_ns - audio.hw_ptr * 1_000_000_000 // rate) < 1_000_000_000


def test_status_tells_the_same_and_its_clock(open_ring: OpenRing, device: Target, direction: Direction) -> None:
    ring = started(open_ring, direction)
    device.pass_time(PERIOD)
    status = ring.device.status()
    assert status.state is State.RUNNING
    assert status.trigger_tstamp_ns > 0
    assert status.tstamp_ns >= status.trigger_tstamp_ns
    assert status.appl_ptr == ring.appl_ptr
    assert status.hw_ptr <= ring.snapshot(hwsync=True).hw_ptr


def test_timestamps_can_be_off(open_ring: OpenRing, device: Target, direction: Direction) -> None:
    ring = started(open_ring, direction, tstamp=False)
    device.pass_time(2 * PERIOD)
    ring.hwsync()
    assert ring.snapshot().htstamp_ns == 0, "rule M1"


def test_delay_is_the_fill_and_what_the_card_holds_besides(
    open_ring: OpenRing, device: Target, direction: Direction
) -> None:
    ring = started(open_ring, direction)
    device.pass_time(PERIOD)
    delay = ring.delay()
    filled = ring.buffer_size - ring.avail() if direction is Direction.PLAYBACK else ring.avail()
    assert filled - RATE // 5 < delay < filled + RATE // 5
