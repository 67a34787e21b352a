"""Other libraries, each ready to write to a PCM that takes everything at once and plays nothing."""

from __future__ import annotations

from typing import Any

import alsaaudio  # type: ignore[import-not-found] # a C module without stubs
import sounddevice  # type: ignore[import-untyped]

from alsamm._c import ffi
from tests.bench import build, null
from tests.bench.stage import Stage

__all__ = ["StockRing", "open_alsaaudio", "open_sounddevice", "portaudio_version"]

RATE = 48_000


def open_alsaaudio(period: int) -> Any:
    """pyalsaaudio's PCM, stereo int16, on `null`."""
    return alsaaudio.PCM(
        device="null", channels=2, rate=RATE, format=alsaaudio.PCM_FORMAT_S16_LE, periodsize=period, periods=4
    )


def open_sounddevice(period: int, *, raw: bool = False) -> Any:
    """sounddevice's blocking stream, stereo int16, on a PCM of type null; started."""
    kind = sounddevice.RawOutputStream if raw else sounddevice.OutputStream
    stream = kind(samplerate=RATE, channels=2, dtype="int16", device=null.NAME, blocksize=period)
    stream.start()
    return stream


def portaudio_version() -> str:
    """As PortAudio tells it, without the words around it."""
    text: str = sounddevice.get_portaudio_version()[1]
    return text.removeprefix("PortAudio ").split(",")[0]


class StockRing:
    """A ring's own struct and C, by the calls as cffi makes them; the methods are MmapIO's."""

    def __init__(self, stage: Stage) -> None:
        module = build.stock()
        self.lib: Any = module.lib
        own = module.ffi.cast("struct alsamm_ring *", int(ffi.cast("uintptr_t", stage.ring._ring)))
        self._keeps = stage.ring._ring
        self._ring = own
        self._avail = self.lib.fast_avail
        self._commit = self.lib.fast_commit
        self._write = self.lib.fast_write

    def avail(self) -> int:
        frames: int = self._avail(self._ring)
        if frames < 0:
            raise OSError(-frames, "avail")
        return frames

    def commit(self, frames: int) -> None:
        result: int = self._commit(self._ring, frames)
        if result < 0:
            raise OSError(-result, "commit")

    def write_again(self) -> None:
        """The array that the ring was given last."""
        result: int = self._write(self._ring)
        if result < 0:
            raise OSError(-result, "write")
