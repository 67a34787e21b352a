"""The ways to keep a stream going, each as one object that a fault can be tried on: see faultkit.py."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

import alsamm

__all__ = ["CALLBACKS", "HOLDING", "ROADS", "Road", "machine_code"]

RATE = 48_000
PERIOD = 3_000 if "ALSAMM_LAB" in os.environ else 1_200
BUFFER = 4 * PERIOD
"""A quarter of a second: much for an emulated machine to be late by, little to wait for. Less on the host."""
_SIZES: dict[str, Any] = {"rate": RATE, "period_size": PERIOD, "buffer_size": BUFFER, "nearest": True}
_NAP = 0.002


@cache
def machine_code() -> ctypes.CDLL:
    """What faults.c holds, compiled here."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    assert compiler, "a C compiler is needed"
    source = Path(__file__).with_name("faults.c")
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "faults.so"
        subprocess.run([compiler, "-O1", "-shared", "-fPIC", "-o", library, source], check=True)
        return ctypes.CDLL(str(library))


class Ended(Exception):  # noqa: N818 -- no error
    """It was held at the gate when it was ended."""


class Road:
    """One stream, opened, and what keeps it going in the thread that calls ``serve``.

    ``closed_gate``: whoever keeps it going waits, between two blocks or inside a view or a callback, until it is open
    again: so a stream is starved, or held.
    """

    holds: ClassVar[str] = ""
    """What it has in its hands at the gate: a view, a callback; nothing."""

    def __init__(self, direction: str, *, recover: bool = True) -> None:
        self.direction, self.recover = direction, recover
        self.turns = 0
        self.closed_gate = self.at_gate = self.ending = False

    def serve(self) -> None:
        """Move blocks until ``ending``; raises what ends it."""
        with contextlib.suppress(Ended):
            while not self.ending:
                self.turn()
                self.turns += 1

    def turn(self) -> None:
        """Move one block, by way of the gate."""
        raise NotImplementedError

    def gate(self) -> None:
        """Pass it, once it is open. Raises Ended where nothing is to be moved any more."""
        while self.closed_gate and not self.ending:
            self.at_gate = True
            time.sleep(_NAP)
        if self.at_gate and self.ending:
            raise Ended
        self.at_gate = False

    def stop(self) -> None:
        """Let ``serve`` return."""
        self.ending = True

    def drain(self) -> None:
        """Play to the end."""
        raise NotImplementedError

    def wait(self) -> None:
        """Wait for a period."""
        raise NotImplementedError

    def close(self) -> None:
        """Close all."""
        raise NotImplementedError

    def settled_state(self) -> alsamm.State:
        """The state, once the card was asked where it is: else an xrun is found by its next interrupt only."""
        with contextlib.suppress(alsamm.AlsaError):
            self.io.hwsync()
        state: alsamm.State = self.io.state
        return state

    @property
    def io(self) -> Any:
        """What tells numbers and state."""
        raise NotImplementedError

    @property
    def fd(self) -> int:
        """The descriptor that the kernel's calls go to."""
        return int(self.io._ring.pages.fd)


class _Ring(Road):
    """A ring of one's own; write_all, or a view of it where it is to be held."""

    force_sync_ptr: ClassVar[bool] = False
    views: ClassVar[bool] = False

    def __init__(self, device: str, direction: str, *, recover: bool = True) -> None:
        super().__init__(direction, recover=recover)
        self.pcm = alsamm.PCM(device, direction)
        try:
            hw = alsamm.HwParams(self.pcm)
            mode = alsamm.Access.MMAP_INTERLEAVED
            hw.access, hw.format, hw.channels = mode, alsamm.Format.S16_LE, 2
            hw.rate = RATE
            hw.nearest(period_size=PERIOD)
            hw.nearest(buffer_size=BUFFER)
            self.pcm.configure(hw)
            kind = alsamm.MmapPlayback if direction == "playback" else alsamm.MmapCapture
            self.ring: Any = kind(self.pcm, force_sync_ptr=self.force_sync_ptr)
        except BaseException:
            self.pcm.close()
            raise
        self.block = np.zeros((PERIOD, 2), "<i2")

    def turn(self) -> None:
        self.gate()
        move = self.ring.write_all if self.direction == "playback" else self.ring.fill
        move(self.block, recover=self.recover)

    def wait(self) -> None:
        self.ring.wait()

    def drain(self) -> None:
        self.ring.drain()

    def close(self) -> None:
        self.ring.close()
        self.pcm.close()

    @property
    def io(self) -> Any:
        return self.ring


class _SyncPtr(_Ring):
    force_sync_ptr = True


class _Reserve(_Ring):
    """The same by view, which a fault can find in our hands."""

    holds = "view"

    def turn(self) -> None:
        if self.direction == "capture" and self.ring.state == alsamm.State.PREPARED:
            self.ring.start()
        self.ring.wait()
        with self._view() as view:
            self.gate()
            if self.direction == "playback":
                view[...] = 0
            else:
                view.copy()

    def _view(self) -> AbstractContextManager[Any]:
        if self.direction == "playback":
            reserved: AbstractContextManager[Any] = self.ring.reserve(PERIOD)
            return reserved
        return _Peek(self.ring)


class _Peek:
    def __init__(self, ring: Any) -> None:
        self.ring = ring

    def __enter__(self) -> Any:
        self.view = self.ring.next_view(PERIOD)
        return self.view

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self.ring.commit(len(self.view))


class _Stream(Road):
    """``playback`` and ``capture``, blocking."""

    plug: ClassVar[bool] = False

    def __init__(self, device: str, direction: str, *, recover: bool = True) -> None:
        super().__init__(direction, recover=recover)
        opener: Callable[..., Any] = alsamm.playback if direction == "playback" else alsamm.capture
        name = "plug" + device if self.plug else device
        self.stream = opener(name, on_xrun="recover" if recover else "raise", **_SIZES)
        self.block = np.zeros((self.stream.period_size * 3 // 2, 2), "<i2")  # which the ring's end falls into

    def turn(self) -> None:
        self.gate()
        if self.direction == "playback":
            self.stream.write(self.block)
        else:
            self.stream.read(out=self.block)

    def wait(self) -> None:
        self.stream.wait()

    def drain(self) -> None:
        self.stream.drain()

    def close(self) -> None:
        self.stream.close()

    @property
    def io(self) -> Any:
        return self.stream._io


class _Plug(_Stream):
    """Through alsa-lib's plughw."""

    plug = True

    @property
    def fd(self) -> int:
        return int(self.stream.pcm.poll_descriptors()[0][0])


class _Periods(_Stream):
    holds = "view"

    def serve(self) -> None:
        with contextlib.suppress(Ended):
            for block in self.stream.periods():
                self.gate()
                if self.ending:
                    return
                if self.direction == "playback":
                    block[...] = 0
                else:
                    block.copy()
                self.turns += 1


class _Async(_Stream):
    def serve(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        awaited = await self.stream.__aenter__()
        while not self.ending:
            while self.closed_gate and not self.ending:
                self.at_gate = True
                await asyncio.sleep(_NAP)
            if self.at_gate and self.ending:
                return
            self.at_gate = False
            if self.direction == "playback":
                await awaited.write(self.block)
            else:
                await awaited.read(len(self.block))
            self.turns += 1

    def wait(self) -> None:
        async def work() -> None:
            await (await self.stream.__aenter__()).ready()

        asyncio.run(work())

    def drain(self) -> None:
        async def work() -> None:
            await (await self.stream.__aenter__()).drain()

        asyncio.run(work())


class _Callback(Road):
    """``Stream(callback)``: its own thread serves, and ours waits for the end of it."""

    holds = "callback"

    def __init__(self, device: str, direction: str, *, recover: bool = True) -> None:
        super().__init__(direction, recover=recover)
        self.opened = self._open(
            device, kind=direction, on_xrun="recover" if recover else "raise", format="S16_LE", **_SIZES
        )

    def _open(self, device: str, **wishes: Any) -> alsamm.Stream:
        return alsamm.Stream(self._call, device, **wishes)

    def _call(self, block: Any, frames: int, time: Any, status: Any) -> None:
        del block, frames, time, status
        with contextlib.suppress(Ended):
            self.gate()
        self.turns += 1

    def serve(self) -> None:
        self.opened.start()
        while not self.ending:
            try:
                self.opened.wait(0.02)
            except TimeoutError:
                continue
            return

    def wait(self) -> None:
        self.opened.wait()

    def drain(self) -> None:
        self.opened.stop()

    def close(self) -> None:
        self.opened.close()

    @property
    def io(self) -> Any:
        stream = self.opened.stream
        assert not isinstance(stream, alsamm.DuplexStream)
        return stream._io


class _Native(_Callback):
    def _open(self, device: str, **wishes: Any) -> alsamm.Stream:
        self._told = np.zeros(2, np.int64)
        return alsamm.Stream(machine_code().through_gate, device, user=self._told, **wishes)

    @property
    def closed_gate(self) -> bool:
        return bool(self._told[0])

    @closed_gate.setter
    def closed_gate(self, value: bool) -> None:
        if hasattr(self, "_told"):
            self._told[0] = value

    @property
    def at_gate(self) -> bool:
        return self.closed_gate

    @at_gate.setter
    def at_gate(self, value: bool) -> None:
        pass

    @property
    def turns(self) -> int:
        return int(self._told[1]) if hasattr(self, "_told") else 0

    @turns.setter
    def turns(self, value: int) -> None:
        pass

    def stop(self) -> None:
        self.closed_gate = False
        super().stop()


ROADS: dict[str, type[_Ring | _Stream | _Callback]] = {
    "mapped": _Ring,
    "SYNC_PTR": _SyncPtr,
    "reserve": _Reserve,
    "periods": _Periods,
    "blocking": _Stream,
    "asyncio": _Async,
    "callback": _Callback,
    "C callback": _Native,
    "plughw": _Plug,
}
HOLDING = [name for name, road in ROADS.items() if road.holds]
CALLBACKS = [name for name, road in ROADS.items() if road.holds == "callback"]
