"""The three tests of alsa-rs's direct::pcm, under their names and with their assertions.

They ran on ``plughw:1`` there, ignored by default; here on the hardware device itself, on every device that can.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from math import pi, sin
from typing import Any

import numpy as np
import pytest

import alsamm
from alsamm.enums import Access, Direction, State
from tests.contract.devices import RATE, Target, configure

OpenRing = Callable[..., Any]


@pytest.mark.needs("capture")
def test_record_from_plughw_rw(device: Target, force_sync_ptr: bool) -> None:
    with device.open(Direction.CAPTURE) as pcm:
        if Access.RW_INTERLEAVED not in alsamm.HwParams(pcm).accesses:
            with pytest.raises(alsamm.ParameterError, match="access"):
                configure(pcm, access=Access.RW_INTERLEAVED)
            return
        status = alsamm.Status(pcm, force_sync_ptr=force_sync_ptr)
        control = alsamm.Control(pcm, force_sync_ptr=force_sync_ptr)
        with status, control:
            configure(pcm, access=Access.RW_INTERLEAVED, tstamp=True)
            assert status.state is State.PREPARED
            pcm.start()
            assert control.appl_ptr == 0
            buffer = np.zeros((512, 2), "i2")
            assert len(pcm.readi(buffer)) == 512
            assert control.appl_ptr == 512
            assert str(status.state) == "RUNNING"
            assert status.hw_ptr >= 512
            assert status.htstamp_ns > 0


@pytest.mark.needs("capture")
def test_record_from_plughw_mmap(open_ring: OpenRing, device: Target, force_sync_ptr: bool) -> None:
    ring = open_ring(Direction.CAPTURE, force_sync_ptr=force_sync_ptr)
    asked = alsamm.SyncPtrStatus.sync_ptr(ring.device.kernel_fd(), hwsync=False)
    assert asked.state is State.PREPARED
    assert ring.status.state is State.PREPARED
    assert ring.appl_ptr == 0
    assert ring.hw_ptr == 0
    now = time.monotonic()
    ring.start()
    while ring.avail() < 256:
        time.sleep(0.001)
        if device.card is not None:
            device.pass_time(ring.period_size)
    if device.card is None:
        assert time.monotonic() - now >= 256 / RATE
    first, more = ring.data()
    assert first.channels == 2
    assert first.frames >= 256
    assert more is None
    samples = list(ring.iter())
    assert len(samples) >= first.frames * 2
    second, _ = ring.data()
    assert first.address + 256 * first.step <= second.address


@pytest.mark.needs("playback")
def test_playback_to_plughw_mmap(open_ring: OpenRing, force_sync_ptr: bool) -> None:
    ring = open_ring(Direction.PLAYBACK, force_sync_ptr=force_sync_ptr, start_threshold="boundary")
    assert ring.status.state is State.PREPARED
    assert ring.appl_ptr == 0
    assert ring.hw_ptr == 0

    def sine() -> Iterator[int]:
        return (int(sin(i // 2 * 2 * pi / 128) * 8192) for i in range(ring.buffer_size * 2))

    ring.write(sine())
    assert ring.appl_ptr == ring.buffer_size
    ring.device.start()
    ring.device.drain()
    assert ring.appl_ptr == ring.buffer_size
    assert ring.hw_ptr >= ring.buffer_size
