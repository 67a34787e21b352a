"""Card: a sound card made of memory."""

from __future__ import annotations

import errno
import os
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from alsamm import errors
from alsamm._c import check, ffi, lib
from alsamm.checks import count_of, real_number
from alsamm.enums import Access, Direction, Format
from alsamm.sim.limits import ACCESSES, FORMATS, Limits, Range
from alsamm.sim.opener import CARDS, PREFIX, stand_in
from alsamm.sim.sound import Frames, array_of, bytes_of, read_wav, write_wav
from alsamm.sim.substream import Substream

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    import numpy.typing as npt
    from typing_extensions import Self

    from alsamm._c._native import CData

__all__ = ["Card"]

Clock = Literal["manual", "auto", "realtime"]

_CLOCKS = {"manual": lib.SIM_CLOCK_MANUAL, "auto": lib.SIM_CLOCK_AUTO, "realtime": lib.SIM_CLOCK_REALTIME}
_PPM = 1e-6
_SLOWEST, _FASTEST = 1e-3, 1e3
_NEVER = (1 << 8 * ffi.sizeof("unsigned long")) - 1
_FAILURES = {errno.ENODEV: errors.ClosedError, errno.EBADFD: errors.StateError}


class Card:
    """A sound card in software, with one playback and one capture substream, opened as ``PCM(card.device, ...)``.

    ``name`` is what follows ``sim:``; one living card has it at a time.

    ``clock`` says how time passes:

    - ``"manual"``: only ``advance()`` moves the card. Who sleeps (poll, a blocking drain) sleeps in real time.
    - ``"auto"``: as manual, and a client that would sleep lets the card run to its next interrupt instead, so that
      whole streaming programs run at full speed, the same every time. For one thread; a client that sleeps by other
      means than this library's waits, or alsa-lib's poll descriptors, does not move the card.
    - ``"realtime"``: a thread keeps CLOCK_MONOTONIC's time.

    ``speed`` and ``ppm``: a second of CLOCK_MONOTONIC is rate * speed * (1 + ppm * 1e-6) frames. On manual and auto
    cards that is a CLOCK_MONOTONIC of the card's own, ``time_ns``: it begins with the machine's when the card is made,
    and what the card moves is all that lets it go on. Their timestamps are of that time, and those of the other clock
    types as far from it as the machine's clocks were at the beginning.

    What the hardware can do. A range is (least, most) or one number, ``rates`` a tuple (least, most) or any other
    sequence of all rates: ``rates`` (Hz), ``channels``, ``formats`` (default: all that numpy has a type for),
    ``accesses``, ``period_bytes``, ``buffer_bytes``, ``periods``. ``pause``, ``resume``, ``no_rewinds``: whether it
    can. ``batch``: it says that its position is coarse. ``granularity``: the frames by which the position steps, or
    ``"period"`` (rule H2). ``delay``: frames in a FIFO behind hw_ptr (H5). ``no_period_wakeup``: clients may ask for a
    stream without interrupts; ``interrupts=False``: it never sends any, as if asked (H6). ``boundary``: where pointers
    wrap, a multiple of every buffer_size used and at least two of it; by default as the kernel (E1).
    ``separate_channels``: non-interleaved channels each have an mmap offset of their own (F2). ``dma_bytes``: memory
    larger than the buffer, which moves non-interleaved channels apart (F1).

    What the kernel refuses to map (rules C2, C3): ``refuse_control`` as on USB, and then the status page too for those
    who do not tell their protocol version; both as on ARM.

    ``loop``: what is played is what capture hears at the same time, exact to the frame, when both streams agree on
    format, channels and rate. ``record=False`` keeps nothing of what is played.

    ``stands_in_for``: names of other PCMs, such as ``["default", "hw:0"]``, that open this card while it is not closed,
    so that code which asks for them can be tried as it is. Whole names, in this process only.

    Raises ArgumentError for what cannot be, or a name that is taken.

    Synchronization: any thread; every method takes the card's lock.
    """

    def __init__(
        self,
        name: str,
        *,
        clock: Clock = "manual",
        speed: float = 1.0,
        ppm: float = 0.0,
        rates: tuple[int, int] | Sequence[int] = (8_000, 384_000),
        channels: Range = (1, 64),
        formats: Sequence[Format | str] = FORMATS,
        accesses: Sequence[Access | str] = ACCESSES,
        period_bytes: Range = (16, 1 << 22),
        buffer_bytes: Range = (32, 1 << 24),
        periods: Range = (2, 1 << 16),
        pause: bool = True,
        resume: bool = True,
        batch: bool = False,
        no_period_wakeup: bool = False,
        interrupts: bool = True,
        no_rewinds: bool = False,
        refuse_status: bool = False,
        refuse_control: bool = False,
        separate_channels: bool = False,
        granularity: int | Literal["period"] = 1,
        boundary: int | None = None,
        dma_bytes: int | None = None,
        delay: int = 0,
        loop: bool = False,
        record: bool = True,
        stands_in_for: Sequence[str] = (),
    ) -> None:
        if not name or len(name.encode()) >= lib.SIM_NAME or set(name) & {":", "\0"}:
            raise errors.ArgumentError(f"{name!r} is no card name: 1 to {lib.SIM_NAME - 1} bytes without a colon")
        if name in CARDS:
            raise errors.ArgumentError(f"there is a software card {name!r} already")
        if clock not in _CLOCKS:
            raise errors.ArgumentError(f"clock {clock!r}: one of {', '.join(_CLOCKS)}")
        config = ffi.new("struct sim_config *")
        config.name = name.encode()
        config.clock = _CLOCKS[clock]
        config.speed = _speed(speed, ppm)
        Limits(rates, channels, formats, accesses, period_bytes, buffer_bytes, periods).write_to(config)
        for flag, value in {
            "pause": pause,
            "resume": resume,
            "batch": batch,
            "no_period_wakeup": no_period_wakeup,
            "no_interrupts": not interrupts,
            "no_rewinds": no_rewinds,
            "refuse_status": refuse_status,
            "refuse_control": refuse_control,
            "separate_channels": separate_channels,
            "record": record,
        }.items():
            setattr(config, flag, value)
        config.granularity = 0 if granularity == "period" else count_of("granularity", granularity, least=1)
        config.boundary = count_of("boundary", boundary or 0)
        config.dma_bytes = count_of("dma_bytes", dma_bytes or 0)
        config.delay = count_of("delay", delay)
        out = ffi.new("struct sim_card **")
        check(lib.sim_card_new(config, out), "sim_card_new", name)
        self._name = name
        self._handle: CData = ffi.gc(out[0], lib.sim_card_free)
        self._close = weakref.finalize(self, lib.sim_card_close, self._handle)
        self._close.atexit = False  # as a real card, it outlives who plays on it
        self._wav: str | os.PathLike[str] | None = None
        self._loop = False
        self.loop = loop
        self._stand_down = stand_in(self, stands_in_for)
        CARDS[name] = self

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<alsamm.sim.Card {self.device}{'' if self._close.alive else ' closed'}>"

    @property
    def name(self) -> str:
        """What follows ``sim:`` in its device's name."""
        return self._name

    @property
    def device(self) -> str:
        """What to open, in either direction: ``sim:NAME``."""
        return f"{PREFIX}:{self._name}"

    @property
    def closed(self) -> bool:
        """Whether close() was called."""
        return not self._close.alive

    def close(self) -> None:
        """Take the card away; clients see it as unplugged. Writes the file of ``play_to``. A second call does nothing.

        Raises UnsupportedError, after it closed, for frames that a WAV file cannot hold.
        """
        if not self._close.alive:
            return
        path, played = self._wav, self._tape() if self._wav is not None else None
        if CARDS.get(self._name) is self:
            del CARDS[self._name]
        self._stand_down()
        self._close()
        if path is not None and played is not None:
            write_wav(path, *played)

    # ---- time ----

    def advance(self, frames: int) -> None:
        """Let the card's time go on by ``frames`` of every running stream; an interrupt at every period's end.

        Of streams with different rates it is the faster one's frames, and the other moves by as many as it has in that
        time. In between only the hardware's position moves; the status page stays stale (rule H1). When the hardware
        stands still, or nothing runs, time passes without it; when nothing is configured a frame has no length, and
        none passes. Not for realtime cards, nor for more than 73 years: ArgumentError.
        """
        code = lib.sim_advance(self._handle, count_of("frames", frames))
        if code == -errno.EOVERFLOW:
            raise errors.ArgumentError(f"advance of {frames} frames: a card's time goes on for 73 years at the most")
        check(code, "advance", self.device, {**_FAILURES, errno.EINVAL: errors.ArgumentError})

    def advance_periods(self, periods: int) -> None:
        """Let the card run until that many more interrupts came; nothing happens where none will (rule H6)."""
        for _ in range(periods):
            frames = self.frames_to_interrupt
            if frames is None:
                return
            self.advance(frames)

    @property
    def frames_to_interrupt(self) -> int | None:
        """Frames, as ``advance`` counts them, until the next interrupt; None when nothing runs or there is none."""
        out = ffi.new("unsigned long *")
        lib.sim_next_interrupt(self._handle, out)
        return None if out[0] == _NEVER else int(out[0])

    def set_speed(self, speed: float, *, ppm: float = 0.0) -> None:
        """From now on run ``speed`` times as fast as CLOCK_MONOTONIC (``time_ns``), and ``ppm`` millionths faster."""
        self._check(lib.sim_set_speed(self._handle, _speed(speed, ppm)), "set_speed")

    @property
    def time_ns(self) -> int:
        """CLOCK_MONOTONIC as this card's timestamps have it, nanoseconds; of a realtime card time.monotonic_ns().

        Raises ClosedError in a forked child, which has no card.
        """
        out = ffi.new("long long *")
        self._check(lib.sim_time_of(self._handle, out), "time_ns")
        return int(out[0])

    # ---- sound ----

    def played(self) -> Frames:
        """All frames that left the playback ring since it was configured (hw_params), shape (frames, channels).

        Of the format's dtype; packed 3-byte samples have a last axis of 3. Prepare and xruns do not clear it, and it
        stays after the PCM is closed. Raises StateError before the first configuring.
        """
        raw, sample_format, channels, _ = self._tape()
        return array_of(raw, sample_format, channels)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write what was played until now as a WAV file.

        Raises UnsupportedError, naming those that it can, for a format that such a file cannot hold.
        """
        write_wav(path, *self._tape())

    def play_to(self, path: str | os.PathLike[str]) -> None:
        """Write all that is played as a WAV file when the card is closed. See ``save``."""
        Path(path).touch()
        self._wav = path

    def feed(self, frames: npt.ArrayLike | os.PathLike[str]) -> None:
        """Queue what the microphone hears next: an array (frames, channels), or a WAV file's path. Then silence.

        Where the capture stream is configured, dtype, channels and, for a file, rate must be its own: else
        ArgumentError or ArgumentTypeError. Before that nothing can be checked.
        """
        heard = self.capture
        channels = heard.channels
        known = heard.format if channels else None
        if isinstance(frames, (str, os.PathLike)):
            raw, found, width, rate = read_wav(frames)
            if known is not None and (found, width, rate) != (known, channels, heard.rate):
                raise errors.ArgumentError(
                    f"{os.fspath(frames)}: {found.name}, {width} channels, {rate} Hz; the capture stream has "
                    f"{known.name}, {channels} channels, {heard.rate} Hz"
                )
        else:
            raw = bytes_of(frames, known, channels)
        self._check(lib.sim_feed(self._handle, ffi.from_buffer(raw), len(raw)), "feed")

    @property
    def loop(self) -> bool:
        """Whether capture hears what is played."""
        return self._loop

    @loop.setter
    def loop(self, value: bool) -> None:
        self._fault(lib.SIM_FAULT_LOOP, bool(value))
        self._loop = bool(value)

    # ---- faults ----

    def xrun(self, direction: Direction | str = Direction.PLAYBACK) -> None:
        """Let the driver report an xrun (snd_pcm_stop_xrun): the stream, and one linked to it, stops.

        Raises StateError when it does not run.
        """
        self._fault(lib.SIM_FAULT_XRUN, 0, direction)

    def unplug(self) -> None:
        """Pull the plug: every call gives ENODEV, poll gives ERR, what is mapped stays readable (rules A6, C13)."""
        self._fault(lib.SIM_FAULT_UNPLUG)

    def replug(self) -> None:
        """Put it in again: a new card, which who holds the old one must open anew."""
        self._fault(lib.SIM_FAULT_REPLUG)

    def suspend(self) -> None:
        """Send the system to sleep: streams are SUSPENDED until resume() or prepare(), the hardware stands still.

        Until ``resume_power`` a client's resume() is EAGAIN; the kernel would make every call sleep (rule A6), which a
        test of one thread could not leave.
        """
        self._fault(lib.SIM_FAULT_SUSPEND)

    def resume_power(self) -> None:
        """Wake the system up; the streams stay SUSPENDED until their owners act."""
        self._fault(lib.SIM_FAULT_POWER)

    def freeze(self, frozen: bool = True) -> None:
        """Let the hardware stand still, or go on: no position moves, no interrupt comes, and no error tells."""
        self._fault(lib.SIM_FAULT_FREEZE, bool(frozen))

    def late(self, interrupts: int, direction: Direction | str = Direction.PLAYBACK) -> None:
        """Lose that many of the next interrupts (rule H4)."""
        self._fault(lib.SIM_FAULT_LATE, count_of("interrupts", interrupts), direction)

    def bad_position(self, direction: Direction | str = Direction.PLAYBACK) -> None:
        """Make the next reading of the position register nonsense, which the kernel takes for 0 (rule G3)."""
        self._fault(lib.SIM_FAULT_POSITION, 0, direction)

    def busy(self, direction: Direction | str, taken: bool = True) -> None:
        """Let somebody else have the substream open: opening it gives DeviceBusyError."""
        self._fault(lib.SIM_FAULT_BUSY, bool(taken), direction)

    # ---- truth ----

    @property
    def playback(self) -> Substream:
        """The kernel's side of the playback substream."""
        return Substream(lambda: self._truth(Direction.PLAYBACK), Direction.PLAYBACK)

    @property
    def capture(self) -> Substream:
        """The kernel's side of the capture substream."""
        return Substream(lambda: self._truth(Direction.CAPTURE), Direction.CAPTURE)

    def _truth(self, direction: Direction) -> CData:
        out = ffi.new("struct sim_truth *")
        lib.sim_truth_of(self._handle, direction, out)
        return out

    def _tape(self) -> tuple[bytes, Format, int, int]:
        out = ffi.new("struct sim_tape *")
        self._check(lib.sim_tape_of(self._handle, out), "played")
        if out.fd < 0:
            raise errors.StateError(f"{self.device}: nothing was configured to be played, or the card does not record")
        if out.lost:
            raise errors.AlsaError(f"{self.device}: {out.lost} bytes that were played could not be kept")
        raw = bytearray()
        while len(raw) < out.bytes:
            raw += os.pread(out.fd, min(out.bytes - len(raw), 1 << 30), len(raw))
        return bytes(raw), Format(out.format), out.channels, out.rate

    def _fault(self, fault: int, value: int = 0, direction: Direction | str = Direction.PLAYBACK) -> None:
        self._check(lib.sim_fault(self._handle, fault, Direction.of(direction), value), "fault")

    def _check(self, code: int, func: str) -> None:
        check(code, func, self.device, _FAILURES)


def _speed(speed: float, ppm: float) -> float:
    factor = real_number("speed", speed) * (1.0 + real_number("ppm", ppm) * _PPM)
    if not _SLOWEST <= factor <= _FASTEST:
        raise errors.ArgumentError(f"speed {speed}, ppm {ppm}: {_SLOWEST} to {_FASTEST} times CLOCK_MONOTONIC's")
    return factor
