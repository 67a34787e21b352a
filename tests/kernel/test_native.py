"""A C callback at two periods of 64 frames on a real kernel, beside two busy Python threads: not one xrun.

Run it with ``--icount``: an emulated machine whose time is the host's is late whenever the host is, whoever plays.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import alsamm
from tests.busy import busy_thread
from tests.unit.native_callbacks import ramp

SECONDS, RATE = 10, 48_000

# QEMU moves HDA's and USB's samples when its own audio timer says so, which no two periods of 64 frames outlast.
pytestmark = pytest.mark.needs("timer")


def play(device: str, seconds: float) -> alsamm.Stats:
    """A ramp of so many seconds."""
    user = np.array([int(seconds * RATE), 0])
    stream = alsamm.Stream(ramp, device, kind="playback", user=user, format="S16_LE", period_size=64, buffer_size=128)
    # The busy ones first: what is started in realtime() inherits it.
    with busy_thread(), busy_thread(), alsamm.realtime() as granted:
        assert granted.scheduler == "FIFO", granted
        with stream:
            stream.wait(60)
            played = stream.stream
            assert isinstance(played, alsamm.PlaybackStream)
            return played.stats


def test_no_xrun_beside_two_busy_threads(device: dict[str, Any]) -> None:
    name = str(device["playback"])
    play(name, 0.5)  # the first sound brings code into memory, which takes a period over 9p
    stats = play(name, SECONDS)
    print(stats)
    assert stats.xruns == 0
