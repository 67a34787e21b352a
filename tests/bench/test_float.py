"""float32 into an int16 ring, against numpy's way and against the copy alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.bench import names
from tests.bench.contest import Benchmark, compete, in_c, statement
from tests.bench.stage import Stage, block, others, room_for

# As fast as numpy can: into arrays that are there already. Then what most programs do.
IN_PLACE = "multiply(item, 32767, out)\nclip(out, -32768, 32767, out)\nwhole[:] = out\nring.write(whole)"
IN_NEW = "ring.write(clip(item * 32767, -32768, 32767).astype('i2'))"


@pytest.mark.parametrize("frames", [256, 4096])
def test_float32(benchmark: Benchmark, stage: Stage, frames: int) -> None:
    samples = block(frames, dtype="f4")
    last, new = [samples], others(samples)
    out, whole = np.empty_like(samples), block(frames)
    multiply, clip = np.multiply, np.clip
    room = room_for(stage, frames)
    in_place: dict[str, Any] = {"multiply": multiply, "clip": clip, "out": out, "whole": whole, "ring": stage.ring}
    with Stage(dtype="f4") as converting:
        ring, converting_room = converting.ring, room_for(converting, frames)
        compete(
            benchmark,
            names.float32(frames),
            [
                statement(names.LAST, "ring.write(item)", before=converting_room, items=last, ring=ring),
                statement(names.NEW, "ring.write(item)", before=converting_room, items=new, ring=ring),
                statement(names.NUMPY, IN_PLACE, before=room, items=last, **in_place),
                statement(names.NUMPY_NEW, IN_NEW, before=room, items=last, clip=clip, ring=stage.ring),
                in_c(names.MEMCPY_INPUT, converting.peer.memcpy_loop, samples),
            ],
        )
