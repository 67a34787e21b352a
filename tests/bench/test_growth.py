"""What a write costs must grow with frames and with channels, and no faster."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from tests.bench import names
from tests.bench.contest import Benchmark, compete, statement
from tests.bench.stage import Stage, block, room_for

RING_BYTES = 1 << 17
"""For all points, so that the processor's caches do the same for each."""
FRAMES = [2**power for power in range(4, 15)]
CHANNELS = [1, 2, 4, 6, 8, 12, 16, 24, 32, 40, 48, 56, 64]
BLOCK = 256
ROUNDS = 300


def stage_for(channels: int, dtype: str) -> Stage:
    frames = RING_BYTES // (2 * channels)
    return Stage(channels=channels, frames=1 << frames.bit_length() - 1, dtype=None if dtype == "i2" else dtype)


@pytest.mark.parametrize("dtype", ["i2", "f4"])
def test_growth_with_frames(benchmark: Benchmark, dtype: str) -> None:
    with stage_for(2, dtype) as stage:
        points = [
            statement(
                str(n), "ring.write(item)", before=room_for(stage, n), items=[block(n, 2, dtype)], ring=stage.ring
            )
            for n in FRAMES
        ]
        compete(benchmark, names.growth("frames", dtype), points, rounds=ROUNDS)


@pytest.mark.parametrize("dtype", ["i2", "f4"])
def test_growth_with_channels(benchmark: Benchmark, dtype: str) -> None:
    with ExitStack() as stack:
        stages = {n: stack.enter_context(stage_for(n, dtype)) for n in CHANNELS}
        points = [
            statement(
                str(n), "ring.write(item)", before=room_for(of, BLOCK), items=[block(BLOCK, n, dtype)], ring=of.ring
            )
            for n, of in stages.items()
        ]
        compete(benchmark, names.growth("channels", dtype), points, rounds=ROUNDS)
