"""The clock model on a real driver: snd-aloop's clock is the kernel's own, so it is off by its jitter at most."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import alsamm

SECONDS, RATE, PERIOD = 20, 48_000, 1024

pytestmark = pytest.mark.needs("loop")


def test_the_clock_is_found_within_what_its_jitter_allows(device: dict[str, Any]) -> None:
    block = np.zeros((PERIOD, 2), "i2")
    with alsamm.playback(str(device["playback"]), period_size=PERIOD, buffer_size=16 * PERIOD) as out:
        for _ in range(SECONDS * RATE // PERIOD):
            out.write(block)
            out.time()
        clock = out.clock
        print(f"{clock.ppm:+.2f} ppm, sure to {clock.rate_error_ppm:.2f}, jitter {clock.jitter_ns / 1e6:.2f} ms")
        # The driver moves by ticks of 4 ms (rule P11), which 20 s of positions average to some ppm.
        assert clock.rate_error_ppm < 50
        assert abs(clock.ppm) < 4 * clock.rate_error_ppm
        assert out.stats.xruns == 0
