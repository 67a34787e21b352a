"""A PCM: opened and configured by alsa-lib, then driven by the one road that suits it."""

from __future__ import annotations

import warnings
import weakref
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from alsamm import errors
from alsamm._c import check, lib, string
from alsamm.alsalib.frames import block_of, move
from alsamm.alsalib.hw_params import HwParams
from alsamm.alsalib.kernel_road import KernelRoad
from alsamm.alsalib.open_pcm import OpenPcm
from alsamm.alsalib.status import PcmInfo
from alsamm.alsalib.stream import PcmStream
from alsamm.alsalib.sw_params import SwParams, install
from alsamm.checks import whole_number
from alsamm.device import Geometry, Holder
from alsamm.enums import Access, ClockType, Direction, Format, State

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from types import TracebackType

    from numpy.typing import NDArray
    from typing_extensions import Self

    from alsamm._c._native import CData

__all__ = ["PCM"]

_T = TypeVar("_T")


class PCM(PcmStream):
    """A sound device, playback or capture (snd_pcm_t).

    ``name`` is ALSA's: ``hw:CARD=id,DEV=0``, ``default``, ``plughw:0``, ``null``… ``blocking``: whether writei, readi
    and drain wait; opening never waits for a device that somebody else has.

    A PCM of the kernel's own (type HW, and the software card) can be mapped, by MmapPlayback and MmapCapture; alsa-lib
    only opens and configures it, all else are ioctls on its descriptor. For any other PCM alsa-lib's calls are used.
    The methods are the same.

    ``with`` closes at its end, as ``close`` does: at once, without drain.

    Raises DeviceNotFoundError (with what there is), DeviceBusyError (with who has it), DeviceAccessError; later
    ClosedError once closed, and in a forked child, which must open its own.

    Synchronization: configure, hw_free and close by one thread, while no other is in a call of this PCM; all else may
    be called from any thread.
    """

    def __init__(self, name: str, direction: Direction | str, *, blocking: bool = True) -> None:
        self._direction = Direction.of(direction)
        self._name = name
        self._blocking = blocking
        self._holder: weakref.ref[Holder] | None = None
        self._geometry: Geometry | None = None
        self._hw: HwParams | None = None
        super().__init__(OpenPcm(name, self._direction, blocking), self._direction)

    # ---- what it is ----

    @property
    def blocking(self) -> bool:
        """Whether writei, readi and drain wait."""
        return self._blocking

    @property
    def type_name(self) -> str:
        """alsa-lib's type: ``HW``, ``PLUG``, ``NULL``… (snd_pcm_type)."""
        return string(lib.snd_pcm_type_name(self.call(lib.snd_pcm_type)))

    @property
    def is_kernel(self) -> bool:
        """Whether it is one of the kernel's own (or a software card's), which alone can be mapped."""
        return self._open.is_kernel

    @property
    def info(self) -> PcmInfo:
        """Card, device and names (snd_pcm_info)."""
        info = PcmInfo.blank()
        check(self.call(lib.snd_pcm_info, info), "snd_pcm_info", self._name)
        return PcmInfo.of(info)

    @property
    def handle(self) -> CData:
        """The snd_pcm_t, for calls of alsa-lib that alsamm does not have: see ``call``. Raises ClosedError."""
        return self._open.handle

    def call(self, function: Callable[..., _T], *arguments: object) -> _T:
        """Call a function of alsa-lib with ``handle``, which lives until it comes back, whoever closes meanwhile."""
        return self._open.call(function, *arguments)

    @property
    def closed(self) -> bool:
        """Whether it cannot be used any more."""
        return self._open.closed

    # ---- configuring ----

    def setup(
        self,
        *,
        access: Access | str = Access.MMAP_INTERLEAVED,
        format: Format | str = Format.S16_LE,  # noqa: A002 -- ALSA's word
        channels: int = 2,
        rate: int = 48_000,
        period_size: int | None = None,
        periods: int | None = None,
        buffer_size: int | None = None,
    ) -> HwParams:
        """Configure in one call, exactly so or ParameterError; gives what was granted. None: as alsa-lib chooses.

        The same as HwParams, its properties set in this order, and ``configure``.
        """
        hw = HwParams(self)
        hw.access, hw.format = Access.of(access), Format.of(format)
        hw.channels, hw.rate = channels, rate
        if period_size is not None:
            hw.period_size = period_size
        if periods is not None:
            hw.periods = periods
        if buffer_size is not None:
            hw.buffer_size = buffer_size
        self.configure(hw)
        return hw

    def configure(self, hw: HwParams | None = None, sw: SwParams | None = None) -> None:
        """Set the hardware parameters, the software parameters, or both; then the state is PREPARED.

        ``hw`` afterwards tells what was granted. It sets the software parameters anew (see SwParams), on top of which
        comes what was changed in ``sw``. ``sw`` alone leaves the state, and may be given while the PCM is mapped.

        Raises ParameterError; StateError while the PCM is mapped or running; ArgumentError for another PCM's
        parameters. When ``hw`` is refused the PCM is left unconfigured.
        """
        if hw is None and sw is None:
            raise errors.ArgumentError("configure() needs HwParams, SwParams or both")
        if any(params is not None and params.pcm is not self for params in (hw, sw)):
            raise errors.ArgumentError(f"these parameters were made for another PCM than {self._name!r}")
        if hw is not None:
            self._release("configured anew")
            self._install(hw)
        if sw is not None:
            with self._keeping_avail_min(sw):
                install(sw)
        self._geometry = self._measure()
        if (holder := self._held()) is not None:
            holder.reconfigured(self._geometry)

    def hw_params(self) -> HwParams:
        """The hardware parameters that are set, as a copy. Raises StateError before configure()."""
        self.geometry()
        assert self._hw is not None  # noqa: S101 -- goes with the geometry
        return self._hw.copy()

    def sw_params(self) -> SwParams:
        """The software parameters that are set, to be changed. Raises StateError before configure()."""
        return SwParams(self)

    def hw_free(self) -> None:
        """Give the card's configuration up; the state is OPEN again (snd_pcm_hw_free). StateError while mapped."""
        self._release("freed")
        self._geometry = self._hw = None
        check(self.call(lib.snd_pcm_hw_free), "snd_pcm_hw_free", self._name)

    def _release(self, what: str) -> None:
        """Rules C9 and G: neither with the ring mapped nor while frames move."""
        if (holder := self._held()) is not None:
            raise errors.StateError(f"{self._name} is mapped; close the {type(holder).__name__} before it is {what}")
        if (state := self.state) not in (State.OPEN, State.SETUP, State.PREPARED):
            raise errors.StateError(f"{self._name} is {state}; drop() before it is {what}")

    def _install(self, hw: HwParams) -> None:
        trial = hw.copy()
        self._geometry = self._hw = None
        code = self.call(lib.snd_pcm_hw_params, trial.params)
        if code < 0:
            self.call(lib.snd_pcm_hw_free)  # what was set before it failed
            raise hw.refused(code)
        try:
            trial.verify()
        except errors.ParameterError:
            self.call(lib.snd_pcm_hw_free)
            raise
        lib.snd_pcm_hw_params_copy(hw.params, trial.params)
        self._hw = hw.copy()
        defaults = SwParams(self)
        defaults.tstamp, defaults.tstamp_type = True, ClockType.MONOTONIC
        install(defaults)
        if self.is_kernel and hw.access in (Access.MMAP_INTERLEAVED, Access.MMAP_NONINTERLEAVED):
            check(self.call(lib.alsamm_hide_ring_from_children), "snd_pcm_mmap_begin", self._name)

    @contextmanager
    def _keeping_avail_min(self, sw: SwParams) -> Generator[None]:
        """Rule L2: alsa-lib writes the avail_min that it knows over the one that a mapped ring's owner has set."""
        road = self._road
        if not isinstance(road, KernelRoad) or self._held() is None or "avail_min" in sw.changes:
            yield
            return
        before = road.avail_min
        yield
        road.avail_min = before

    def _measure(self) -> Geometry:
        hw, sw = self._hw, SwParams(self)
        if hw is None:
            raise errors.StateError(f"{self._name}: not configured")
        return Geometry(
            access=hw.access,
            format=hw.format,
            channels=hw.channels,
            rate=hw.rate,
            period_size=hw.period_size,
            buffer_size=hw.buffer_size,
            boundary=sw.boundary,
            start_threshold=sw.start_threshold,
            stop_threshold=sw.stop_threshold,
            period_wakeup=hw.period_wakeup,
            msbits=hw.msbits,
            tstamp_type=sw.tstamp_type,
        )

    # ---- as a Device ----

    def geometry(self) -> Geometry:
        """See Device."""
        self._open.handle  # noqa: B018 -- raises ClosedError
        if self._geometry is None:
            raise errors.StateError(f"{self._name}: not configured yet: setup(), or HwParams and configure()")
        return self._geometry

    def kernel_fd(self) -> int:
        """See Device. The descriptor is this PCM's own: it is not to be closed, nor used after ``close``."""
        if not self.is_kernel:
            raise errors.UnsupportedError(
                f"{self._name} is a {self.type_name} PCM: only the kernel's own (hw:…) can be mapped; what a plugin"
                " plays is not what lies in the card's memory"
            )
        if self.call(lib.snd_pcm_poll_descriptors_count) != 1:
            raise errors.UnsupportedError(f"{self._name} has more than one descriptor (SwParams.period_event?)")
        return self._open.kernel_fd

    def attach(self, holder: Holder) -> None:
        """See Device."""
        self._open.handle  # noqa: B018 -- raises ClosedError
        if (other := self._held()) is not None:
            raise errors.StateError(f"{self._name} is already mapped by {other!r}")
        self._holder = weakref.ref(holder)

    def detach(self, holder: Holder) -> None:
        """See Device."""
        if self._held() is holder:
            self._holder = None

    def _held(self) -> Holder | None:
        return None if self._holder is None else self._holder()

    # ---- frames by call ----

    def writei(self, frames: object) -> int:
        """Give frames to be played; gives how many were taken (snd_pcm_writei, WRITEI_FRAMES). Access RW_INTERLEAVED.

        ``frames``: an array (frames, channels), or (frames,) for one channel, of ``format.dtype`` (packed 3-byte
        formats: (frames, channels, 3) of u1), C-contiguous; or a buffer of whole frames. Starts the stream at
        start_threshold.

        Fewer are taken by a non-blocking PCM, or when the stream stops on the way; the next call then raises. Raises
        Underrun, WouldBlockError, StateError for another access, UnsupportedError for a capture PCM, ArgumentError and
        ArgumentTypeError for what does not fit.
        """
        geometry = self._for_calls(Direction.PLAYBACK, "writei")
        return move(self._road, "writei", block_of(frames, geometry), geometry.buffer_size)

    def readi(self, out: NDArray[Any] | None = None, frames: int | None = None) -> NDArray[Any]:
        """Read what was captured (snd_pcm_readi, READI_FRAMES). Access RW_INTERLEAVED.

        Into ``out``, an array as for ``writei``, or a new array of ``frames`` frames, by default a period; gives the
        part that was filled. Starts the stream. Errors as ``writei``, with Overrun.
        """
        geometry = self._for_calls(Direction.CAPTURE, "readi")
        if out is None:
            count = geometry.period_size if frames is None else whole_number("frames", frames)
            if count < 0:
                raise errors.ArgumentError(f"{count} frames: 0 or more")
            out = np.empty((count, geometry.channels), geometry.format.dtype)
        elif frames is not None:
            raise errors.ArgumentError("readi() takes an array to fill or a number of frames, not both")
        elif not isinstance(out, np.ndarray):  # pyright: ignore[reportUnnecessaryIsInstance] -- callers may be untyped
            raise errors.ArgumentTypeError(f"readi() reads into a numpy array, not {type(out).__name__}")
        return out[: move(self._road, "readi", block_of(out, geometry, into=True), geometry.buffer_size)]

    def _for_calls(self, direction: Direction, what: str) -> Geometry:
        if self._direction != direction:
            raise errors.UnsupportedError(f"{self._name} is open for {self._direction}: no {what}")
        geometry = self.geometry()
        if self._blocking and not geometry.period_wakeup:  # rule H6
            raise errors.UnsupportedError(f"{self._name}: without interrupts {what} would never wake; blocking=False")
        return geometry

    # ---- its end ----

    def close(self) -> None:
        """Unmap, stop at once and close; twice is harmless. What was not played yet is lost: ``drain`` first."""
        holder, self._holder = self._held(), None
        try:
            if holder is not None:
                holder.close()  # rules C9, C10: with the ring mapped the card would stay busy
        finally:
            self._open.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        opened: OpenPcm | None = getattr(self, "_open", None)  # None when opening failed
        if opened is not None and not opened.closed:
            warnings.warn(f"{self!r} was never closed", ResourceWarning, stacklevel=2, source=self)
            self.close()

    def __repr__(self) -> str:
        how = "closed"
        if not self.closed:
            how = f"{self.type_name}, {self.state}"
            if (geometry := self._geometry) is not None:
                how += (
                    f", {geometry.format} x {geometry.channels} at {geometry.rate} Hz, {geometry.access}, periods of"
                    f" {geometry.period_size} in {geometry.buffer_size} frames"
                )
        return f"<PCM {self._name!r} {self._direction}: {how}>"
