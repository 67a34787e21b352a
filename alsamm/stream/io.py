"""What a stream stands on: a ring in the kernel's memory, or alsa-lib's transfer where a PCM has none."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from alsamm.account import Interruption, Position
from alsamm.device import Geometry
from alsamm.direct import MmapCapture, MmapPlayback
from alsamm.enums import Access, Direction, State
from alsamm.stream.calls import CallCapture, CallPlayback
from alsamm.stream.wishes import Wishes

if TYPE_CHECKING:
    from alsamm.alsalib import PCM

__all__ = ["CaptureIO", "PlaybackIO", "StreamIO", "open_capture", "open_playback"]

_Array = np.ndarray[Any, np.dtype[Any]]


class StreamIO(Protocol):
    """What both directions do; as MmapIO documents it."""

    on_interruption: Callable[[Interruption], None] | None

    @property
    def refill(self) -> int: ...  # noqa: D102
    @refill.setter
    def refill(self, frames: int) -> None: ...
    @property
    def geometry(self) -> Geometry: ...  # noqa: D102 -- as MmapIO, here and below
    @property
    def dtype(self) -> np.dtype[Any]: ...  # noqa: D102
    @property
    def transport(self) -> object: ...  # noqa: D102
    @property
    def state(self) -> State: ...  # noqa: D102
    @property
    def closed(self) -> bool: ...  # noqa: D102
    @property
    def frame(self) -> int: ...  # noqa: D102
    @property
    def frames_done(self) -> int: ...  # noqa: D102
    @property
    def xruns(self) -> int: ...  # noqa: D102
    @property
    def suspends(self) -> int: ...  # noqa: D102
    @property
    def lost(self) -> int: ...  # noqa: D102
    @property
    def interruptions(self) -> list[Interruption]: ...  # noqa: D102
    @property
    def waited_ns(self) -> int: ...  # noqa: D102
    @property
    def longest_wait_ns(self) -> int: ...  # noqa: D102
    @property
    def latest(self) -> int: ...  # noqa: D102
    def position(self) -> Position: ...  # noqa: D102
    def avail(self) -> int: ...  # noqa: D102
    def delay(self) -> int: ...  # noqa: D102
    def hwsync(self) -> None: ...  # noqa: D102
    def wait(self, timeout: float | None = None) -> None: ...  # noqa: D102
    def prepare(self) -> None: ...  # noqa: D102
    def start(self) -> None: ...  # noqa: D102
    def start_at(self, time_ns: int) -> int: ...  # noqa: D102
    def drop(self) -> None: ...  # noqa: D102
    def drain(self, timeout: float | None = None) -> None: ...  # noqa: D102
    def pause(self, enable: bool = True) -> None: ...  # noqa: D102
    def recover(self, timeout: float | None = None) -> None: ...  # noqa: D102
    def next_view(self, frames: int) -> _Array: ...  # noqa: D102
    def commit(self, frames: int) -> None: ...  # noqa: D102
    def close(self, *, drop: bool = False) -> None: ...  # noqa: D102


class PlaybackIO(StreamIO, Protocol):
    """As MmapPlayback."""

    def write(self, samples: Any) -> int: ...  # noqa: D102
    def write_all(self, samples: Any, timeout: float | None = None, *, recover: bool = False) -> int: ...  # noqa: D102


class CaptureIO(StreamIO, Protocol):
    """As MmapCapture."""

    def read_into(self, out: Any) -> int: ...  # noqa: D102
    def fill(self, out: Any, timeout: float | None = None, *, recover: bool = False) -> int: ...  # noqa: D102


def open_playback(device: str, wishes: Wishes) -> tuple[PCM, PlaybackIO]:
    """Open a device to play on. Raises as Wishes.open."""
    pcm, dtype = wishes.open(device, Direction.PLAYBACK)
    try:
        kind = MmapPlayback if _has_ring(pcm) else CallPlayback
        return pcm, kind(pcm, dtype=dtype, dither=wishes.dither)
    except BaseException:
        pcm.close()
        raise


def open_capture(device: str, wishes: Wishes) -> tuple[PCM, CaptureIO]:
    """Open a device to record from. Raises as Wishes.open."""
    pcm, dtype = wishes.open(device, Direction.CAPTURE)
    try:
        kind = MmapCapture if _has_ring(pcm) else CallCapture
        return pcm, kind(pcm, dtype=dtype, dither=wishes.dither)
    except BaseException:
        pcm.close()
        raise


def _has_ring(pcm: PCM) -> bool:
    return pcm.is_kernel and pcm.geometry().access != Access.RW_INTERLEAVED
