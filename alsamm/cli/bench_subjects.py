"""What ``bench`` times: the calls of a period on a ring, and what else would move the same frames."""

from __future__ import annotations

import importlib
import os
import tempfile
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import numpy as np

import alsamm
from alsamm import sim
from alsamm.cli.correlation import Array, noise
from alsamm.cli.turns import Contestant, statement
from alsamm.enums import Access, Direction

__all__ = ["CALLS", "COPY", "libraries", "numpys", "on_device", "on_software_card"]

FRAMES = 256
_RATE = 48_000
_BUFFER = 8192  # 32 KiB of stereo int16, which a processor's nearest caches hold
_WRITE = f"write {FRAMES} frames"
_FLOATS = f"{_WRITE} of float32"
_READ = f"read {FRAMES} frames"
_CALLS = {
    "avail()": "ring.avail()",
    "commit()": "ring.commit(frames)",
    _WRITE: "ring.write(item)",
    "a period: avail, write, avail": "ring.avail()\nring.write(item)\nring.avail()",
}
CALLS = (*_CALLS, _READ, _FLOATS)
"""What is timed on each ring."""
COPY = f"numpy copies {FRAMES} frames"
"""The yardstick: what a slice assignment costs."""
NUMPY = "numpy: multiply, clip, cast of float32"
_BACK = "setting appl_ptr back"
_NULL = "alsamm_bench"
# PortAudio lists cards and the PCMs of alsa-lib's configuration, but not `null` itself.
_CONFIGURATION = f"</usr/share/alsa/alsa.conf>\npcm.{_NULL} {{ type null }}\n"


def _block(dtype: str) -> Array:
    wave = noise(FRAMES, 2, 0.25)
    return wave if dtype == "f4" else (wave * 32_768).astype(dtype)


# ---- on a ring ----


@contextmanager
def _ring(device: str, direction: Direction, dtype: str) -> Generator[Any]:
    """A ring that is ready and never starts, so that nothing is heard: its pointers are the bench's."""
    with alsamm.PCM(device, direction) as pcm:
        hw = alsamm.HwParams(pcm)
        hw.access = Access.MMAP_INTERLEAVED if Access.MMAP_INTERLEAVED in hw.accesses else Access.MMAP_NONINTERLEAVED
        hw.format, hw.channels = "S16_LE", 2
        hw.nearest(rate=_RATE)
        hw.nearest(buffer_size=_BUFFER)
        pcm.configure(hw)
        sw = pcm.sw_params()
        sw.start_threshold = sw.stop_threshold = sw.boundary
        pcm.configure(sw=sw)
        kind = alsamm.MmapPlayback if direction is Direction.PLAYBACK else alsamm.MmapCapture
        ring = kind(pcm, dtype=dtype)
        try:
            yield ring
        finally:
            ring.drop()
            ring.close()


def _room(ring: Any, frames: int) -> Callable[[int], None]:
    """Before so many calls: room for all of them, which is more than the ring has, as for a stream that is late."""

    def before(calls: int) -> None:
        avail = frames * (calls + 1)
        ring.control.appl_ptr = (ring.hw_ptr + ring.buffer_size - avail) % ring.boundary

    return before


def _playback_calls(ring: Any, column: str) -> Iterator[Contestant]:
    room, block = _room(ring, FRAMES), _block("i2")
    for row, code in _CALLS.items():
        yield statement(f"{row} | {column}", code, before=room, items=[block], ring=ring, frames=FRAMES)


def _capture_calls(ring: Any, column: str) -> Iterator[Contestant]:
    """A read takes what is there, so each has the pointer set back first; that is timed too, and taken off."""
    back, begin = f"{_BACK} | {column}", (ring.hw_ptr - FRAMES) % ring.boundary
    code = "control.appl_ptr = begin"
    yield statement(back, code, control=ring.control, begin=begin)
    yield statement(
        f"{_READ} | {column}",
        f"{code}\nring.read_into(item)",
        items=[_block("i2")],
        less=back,
        control=ring.control,
        begin=begin,
        ring=ring,
    )


def on_device(stack: ExitStack, device: str, column: str) -> tuple[list[Contestant], str]:
    """Every call on a device's ring, and how its pages are reached; closed by the stack.

    A direction that the device has not is left out. Raises as PCM, HwParams and MmapIO.
    """
    found: list[Contestant] = []
    transport, missing = "", None
    for direction, calls in ((Direction.PLAYBACK, _playback_calls), (Direction.CAPTURE, _capture_calls)):
        try:
            ring = stack.enter_context(_ring(device, direction, "i2"))
        except alsamm.DeviceNotFoundError as error:
            missing = error
            continue
        transport = str(ring.transport)
        found += calls(ring, column)
    if missing is not None and not found:
        raise missing
    return found, transport


def on_software_card(stack: ExitStack, column: str, *, refuse: bool) -> list[Contestant]:
    """The same, and float32 that is converted, on cards whose pages are mapped, or refused."""

    def card(name: str) -> str:
        made = sim.Card(name, clock="manual", record=False, refuse_status=refuse, refuse_control=refuse)
        return stack.enter_context(made).device

    found, transport = on_device(stack, card(f"bench-{column}"), column)
    assert transport == column  # noqa: S101 -- else the table's heading would be wrong
    floats = stack.enter_context(_ring(card(f"bench-{column}-floats"), Direction.PLAYBACK, "f4"))
    row = statement(
        f"{_FLOATS} | {column}", "ring.write(item)", before=_room(floats, FRAMES), items=[_block("f4")], ring=floats
    )
    return [*found, row]


# ---- beside it ----


def numpys() -> list[Contestant]:
    """What it costs in numpy to put the same samples into memory."""
    ints, floats, spare = _block("i2"), _block("f4"), np.empty((FRAMES, 2), "f4")
    code = (
        "np.multiply(item, 32768, out=spare)\nnp.clip(spare, -32768, 32767, out=spare)\n"
        "target[:] = spare  # which casts"
    )
    return [
        statement(COPY, "target[:] = item", items=[ints], target=np.empty_like(ints)),
        statement(NUMPY, code, items=[floats], np=np, spare=spare, target=np.empty_like(ints)),
    ]


def libraries(stack: ExitStack) -> list[Contestant]:
    """Other libraries that are installed, writing to a PCM of type null: their own cost and alsa-lib's, no card's."""
    found: list[Contestant] = []
    block = _block("i2")
    stack.enter_context(_null_pcm())
    with suppress(ImportError):
        alsaaudio: Any = importlib.import_module("alsaaudio")
        pcm = alsaaudio.PCM(device="null", channels=2, rate=_RATE, format=alsaaudio.PCM_FORMAT_S16_LE,
                            periodsize=FRAMES, periods=4)  # fmt: skip
        stack.callback(pcm.close)
        name = f"pyalsaaudio writes {FRAMES} frames to null"
        found.append(statement(name, "pcm.write(item)", items=[block], pcm=pcm))
    with suppress(ImportError, OSError):  # OSError: there is no PortAudio
        sounddevice: Any = importlib.import_module("sounddevice")
        sounddevice._terminate()  # noqa: SLF001 -- the documented way to have PortAudio look for devices again
        sounddevice._initialize()  # noqa: SLF001
        stream = sounddevice.OutputStream(samplerate=_RATE, channels=2, dtype="int16", device=_NULL, blocksize=FRAMES)
        stack.callback(stream.close)
        stream.start()
        name = f"sounddevice writes {FRAMES} frames to null"
        found.append(statement(name, "stream.write(item)", items=[block], stream=stream))
    return found


@contextmanager
def _null_pcm() -> Generator[None]:
    """While it lasts alsa-lib has a PCM of type null that PortAudio sees."""
    before = os.environ.get("ALSA_CONFIG_PATH")
    with tempfile.NamedTemporaryFile("w", prefix="alsamm-", suffix=".conf") as file:
        file.write(_CONFIGURATION)
        file.flush()
        os.environ["ALSA_CONFIG_PATH"] = file.name
        try:
            yield
        finally:
            if before is None:
                del os.environ["ALSA_CONFIG_PATH"]
            else:
                os.environ["ALSA_CONFIG_PATH"] = before
