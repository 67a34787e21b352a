"""What is played on one side of an snd-aloop card, heard on its other side."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import numpy as np

import alsamm
from alsamm.enums import Direction

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

    from alsamm.wav import Frames

__all__ = ["Listener", "far_end"]

_DRIVER = "Loopback"
_PATIENCE = 10.0


def far_end(pcm: alsamm.PCM) -> str | None:
    """The name of the capture PCM that hears this one; None where the card is no loopback."""
    info = pcm.info
    for card in alsamm.cards():
        if card.index == info.card and card.driver == _DRIVER:
            return f"hw:CARD={card.id},DEV={1 - info.device},SUBDEV={info.subdevice}"
    return None


class Listener:
    """Captures all that comes by, in a thread of its own, while its ``with`` lasts.

    Synchronization: ``finish`` for the thread that made it.
    """

    def __init__(self, name: str, like: alsamm.Geometry, *, sync_ptr: bool) -> None:
        self._pcm = alsamm.PCM(name, Direction.CAPTURE)
        try:
            hw = alsamm.HwParams(self._pcm)
            hw.access, hw.format, hw.channels, hw.rate = like.access, like.format, like.channels, like.rate
            hw.nearest(period_size=like.period_size)
            hw.largest("buffer_size")
            self._pcm.configure(hw)
            self._ring = alsamm.MmapCapture(self._pcm, force_sync_ptr=sync_ptr)
        except BaseException:
            self._pcm.close()
            raise
        self._tail = like.buffer_size
        self._heard: list[Frames] = []
        self._frames = 0
        self._error: BaseException | None = None
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="alsamm-listener", daemon=True)

    def __enter__(self) -> Self:
        self._ring.start()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._enough.set()
        self._thread.join()
        self._pcm.close()

    def finish(self) -> Frames:
        """All that was heard, with a buffer's length more than until now, for what is still on its way."""
        until = self._frames + self._tail
        deadline = time.monotonic() + _PATIENCE
        while self._frames < until and self._thread.is_alive() and time.monotonic() < deadline:
            time.sleep(0.01)
        self._enough.set()
        self._thread.join()
        if self._error is not None:
            raise self._error
        return np.concatenate([np.empty((0, self._ring.channels), self._ring.geometry.format.dtype), *self._heard])

    def _listen(self) -> None:
        try:
            while not self._enough.is_set():
                self._ring.wait()
                self._heard.append(self._ring.read())
                self._frames += len(self._heard[-1])
        except BaseException as error:  # noqa: BLE001 -- told in finish()
            self._error = error
