"""A ring with no clock: a software card that only the bench moves, so that room or data is there when it is wanted."""

from __future__ import annotations

import gc
import itertools
from contextlib import ExitStack
from types import TracebackType
from typing import Any

import numpy as np
from typing_extensions import Self

import alsamm
from alsamm import sim
from alsamm.enums import Direction
from tests.bench import build
from tests.contract.devices import configure

__all__ = ["FRAMES", "Array", "Stage", "block", "others", "room_for"]

Array = np.ndarray[Any, np.dtype[Any]]

FRAMES = 8192
"""Of the ring: 32 KiB of stereo int16, which a processor's nearest caches hold."""
_LINE = 64
_PAST_LINE = 16
_OTHERS = 64
_numbers = itertools.count()


class Stage:
    """A card, its PCM, a ring on it as ``ring``; as ``peer`` the hand-written extension over the same memory."""

    def __init__(
        self,
        direction: Direction = Direction.PLAYBACK,
        *,
        channels: int = 2,
        frames: int = FRAMES,
        dtype: str | None = None,
    ) -> None:
        playback = direction is Direction.PLAYBACK
        with ExitStack() as stack:
            card = stack.enter_context(sim.Card(f"bench{next(_numbers)}", clock="manual", record=False))
            pcm = stack.enter_context(alsamm.PCM(card.device, direction))
            # Never started, never stopped: the pointers are the bench's.
            thresholds = {"start_threshold": "boundary"} if playback else {}
            geometry = configure(
                pcm,
                channels=channels,
                period_size=frames // 4,
                buffer_size=frames,
                stop_threshold="boundary",
                **thresholds,
            )
            assert geometry.buffer_size == frames
            kind = alsamm.MmapPlayback if playback else alsamm.MmapCapture
            self.ring: Any = kind(pcm, dtype=dtype)
            stack.callback(self.ring.close)
            first = self.ring.data()[0]
            assert first.offset == 0
            self.view: Array = first.view
            """The whole ring, for playback."""
            self.peer: Any = build.hand_written().Ring(
                pcm.kernel_fd(), first.address, frames, geometry.boundary, first.step, capture=not playback
            )
            if playback:  # one turn of the ring, so that hw_ptr behind appl_ptr is no wrap
                self.peer.commit(frames)
            self._stack = stack.pop_all()

    def close(self) -> None:
        del self.view
        gc.collect()  # contestants that hold views go in circles
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def room_for(stage: Stage, frames: int) -> Any:
    """What a contestant needs before its calls: room for ``frames`` in each of them.

    That is more than the ring holds, as for a stream that is late. A write takes no notice.
    """

    def before(calls: int) -> None:
        stage.peer.set_avail(frames * (calls + 1) + FRAMES)

    return before


def block(frames: int, channels: int = 2, dtype: str = "i2") -> Array:
    """A wave in memory that begins 16 bytes behind a cache line's start, where malloc's and so numpy's mostly does.

    Left to chance, the place alone would change what a long copy takes by a third from run to run.
    """
    wave = np.sin(np.arange(frames * channels)) * (1 if dtype == "f4" else 32767)
    memory = np.empty(wave.size * np.dtype(dtype).itemsize + 2 * _LINE, "u1")
    start = -memory.ctypes.data % _LINE + _PAST_LINE
    made = memory[start:][: wave.size * np.dtype(dtype).itemsize].view(dtype).reshape(frames, channels)
    made[:] = wave.reshape(made.shape)
    return made


def others(array: Array) -> list[Array]:
    """Array objects over the same memory, more than any cache of them would keep, so that each call gets a new one."""
    return [array[:] for _ in range(_OTHERS)]
