"""A block of stereo int16 out of the ring. Each reading is fed first; the feeding's time is taken off."""

from __future__ import annotations

import pytest

from alsamm.enums import Direction
from tests.bench import names
from tests.bench.contest import Benchmark, Contestant, compete, in_c, statement
from tests.bench.stage import Array, Stage, block

FEEDING = "the feeding"


@pytest.mark.parametrize("frames", [256, 4096])
def test_read(benchmark: Benchmark, frames: int) -> None:
    with Stage(Direction.CAPTURE) as plain, Stage(Direction.CAPTURE, dtype="f4") as converting:
        out = block(frames)

        def reading(name: str, code: str, stage: Stage = plain, item: Array = out) -> Contestant:
            return statement(
                name,
                f"feed(frames)\n{code}",
                before=lambda _: stage.peer.set_avail(0),
                items=[item],
                less=FEEDING,
                ring=stage.ring,
                feed=stage.peer.feed,
                frames=frames,
            )

        contestants = [
            reading("ring.read_into", "ring.read_into(item)"),
            reading("ring.fill", "ring.fill(item)"),
            reading("ring.read, into a new array", "ring.read(frames)"),
            reading("ring.read_into as float32", "ring.read_into(item)", converting, block(frames, dtype="f4")),
            in_c(names.MEMCPY, plain.peer.memcpy_loop, out),
            statement(FEEDING, "feed(frames)", feed=plain.peer.feed, frames=frames),
        ]
        if frames == 256:
            contestants.append(reading("the ring's iterator, to its end", "for _ in ring:\n    pass"))
        compete(benchmark, names.read(frames), contestants)
