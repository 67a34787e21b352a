"""A block of stereo int16 into the ring, by alsamm and by everybody else."""

from __future__ import annotations

from contextlib import closing

import numpy as np
import pytest

from alsamm._c import lib
from tests.bench import build, names
from tests.bench.contest import Benchmark, compete, in_c, statement
from tests.bench.others import RATE, open_alsaaudio, open_sounddevice, portaudio_version
from tests.bench.stage import Stage, block, others, room_for

RESERVE = "with ring.reserve(frames) as view:\n    view[:] = item"
SLICE = "view[:] = item\nring.commit(frames)"


@pytest.mark.parametrize("frames", [256, 4096])
def test_write(benchmark: Benchmark, stage: Stage, frames: int) -> None:
    ring, peer, module = stage.ring, stage.peer, build.hand_written()
    room = room_for(stage, frames)
    samples = block(frames)

    def taken(calls: int) -> None:
        room(calls + 1)
        ring.write(samples)

    last, new = [samples], others(samples)
    view = stage.view[:frames]
    null = module.null_open(2, RATE)
    pcm = open_alsaaudio(frames)
    benchmark.extra_info["portaudio"] = portaudio_version()
    with closing(open_sounddevice(frames)) as stream, closing(open_sounddevice(frames, raw=True)) as raw:
        compete(
            benchmark,
            names.write(frames),
            [
                statement(names.LAST, "ring.write(item)", before=room, items=last, ring=ring),
                statement(names.NEW, "ring.write(item)", before=room, items=new, ring=ring),
                statement(names.WRITE_CALL, "write(ring)", before=taken, write=lib.fast_write, ring=ring._ring),
                statement(names.WRITE_ALL, "ring.write_all(item)", before=room, items=last, ring=ring),
                statement(names.RESERVE, RESERVE, before=room, items=last, ring=ring, frames=frames),
                statement(names.SLICE, SLICE, before=room, items=last, view=view, ring=ring, frames=frames),
                statement(names.SLICE_ONLY, "view[:] = item", items=last, view=view),
                statement(names.HAND_WRITTEN, "ring.write(item)", before=room, items=last, ring=peer),
                in_c(names.VOLATILE, peer.volatile_loop, samples, before=room),
                in_c(names.MEMCPY, peer.memcpy_loop, samples),
                in_c(names.MMAP_WRITEI, module.null_loop, null, samples, frames),
                statement(names.ALSAAUDIO_LAST, "pcm.write(item)", items=last, pcm=pcm),
                statement(names.ALSAAUDIO_NEW, "pcm.write(item)", items=new, pcm=pcm),
                statement(names.SOUNDDEVICE, "stream.write(item)", items=last, stream=stream),
                statement(names.SOUNDDEVICE_RAW, "stream.write(item)", items=last, stream=raw),
            ],
        )


def test_iterators(benchmark: Benchmark, stage: Stage) -> None:
    values = [[int(value) for value in block(256).reshape(-1)]]
    room, ring = room_for(stage, 256), stage.ring
    compete(
        benchmark,
        names.ITERATORS,
        [
            statement(
                "ring.write of a list's iterator", "ring.write(iter(item))", before=room, items=values, ring=ring
            ),
            statement("ring.write of a generator", "ring.write(v for v in item)", before=room, items=values, ring=ring),
            statement("the list as an array alone", "array(item, 'i2')", items=values, array=np.array),
        ],
    )
