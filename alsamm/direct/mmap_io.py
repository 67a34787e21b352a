"""What MmapPlayback and MmapCapture share: a configured PCM's ring and pointers in our own memory."""

from __future__ import annotations

import errno
import sys
import time
from typing import TYPE_CHECKING, Any, ClassVar

from alsamm import errors
from alsamm._c import CAPTURE_FAILURES, PLAYBACK_FAILURES, failure, ffi, lib
from alsamm.checks import seconds_of
from alsamm.direct.control import Control
from alsamm.direct.mapping import Mapping, channels_of
from alsamm.direct.pages import Pages, Transports
from alsamm.direct.signals import SignalFd
from alsamm.direct.status import Status, state_of
from alsamm.direct.sync_ptr import SyncPtrStatus
from alsamm.direct.timeline import TimelineIO
from alsamm.enums import Access, Direction, State

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import DTypeLike
    from typing_extensions import Self

    from alsamm.device import Device, Geometry

__all__ = ["MmapIO"]

_fast_avail = lib.fast_avail
_fast_commit = lib.fast_commit
_fast_state, _fast_hw_ptr, _fast_appl_ptr = lib.fast_state, lib.fast_hw_ptr, lib.fast_appl_ptr
_fast_ready = lib.fast_ready
_wait_patiently = lib.alsamm_wait_patiently
_MMAP_ACCESSES = (Access.MMAP_INTERLEAVED, Access.MMAP_NONINTERLEAVED, Access.MMAP_COMPLEX)


class MmapIO(TimelineIO):
    """What playback and capture share: a configured PCM's ring and pointers, in our own address space.

    It owns the stream from here on: start, drop, drain and the pointers go straight to the kernel. Leaving ``with``
    normally drains a playback and drops a capture; leaving by an exception drops.

    ``pcm`` must be a kernel device configured for mmap access. ``force_sync_ptr`` takes SYNC_PTR even where the pages
    could be mapped.

    ``dtype`` says which arrays will be handed over: None for the ring's own samples, copied as they are; float32,
    float64, int16 or int32 for numbers of full scale (1.0, 32768, 2**31) that are converted on the way, whatever the
    card's format: rounded to the nearest, clamped at full scale, NaN as silence. ``dither`` adds TPDF noise of one step
    before rounding to 16 bits or fewer.

    Raises ArgumentTypeError for another dtype, ArgumentError for dither where nothing is rounded to 16 bits or fewer;
    UnsupportedError for the other direction, for an access mode, a format or a layout that cannot be mapped, and
    for a PCM that is not one kernel device; StateError before ``configure`` and where the PCM is mapped already.

    Synchronization: one owner at a time; others may read ``status``, ``control``, ``frame``, ``position`` and
    ``interruptions``. Where a second thread moves samples all the same, it may get a StateError, or frames of both may
    be lost; nothing worse. ``close`` from another thread ends a call that waits with ClosedError.
    """

    _DIRECTION: ClassVar[Direction]

    def __init__(
        self, pcm: Device, *, force_sync_ptr: bool = False, dtype: DTypeLike | None = None, dither: bool = False
    ) -> None:
        self._closed = True  # until all is there: __del__ runs on half-made objects too
        self._device = pcm
        capture = self._DIRECTION is Direction.CAPTURE
        self._failures = CAPTURE_FAILURES if capture else PLAYBACK_FAILURES
        if pcm.direction is not self._DIRECTION:
            raise errors.UnsupportedError(
                f"{pcm.name} is a {pcm.direction} PCM; {type(self).__name__} needs a {self._DIRECTION} one"
            )
        fd = pcm.kernel_fd()
        geometry = pcm.geometry()
        SignalFd.make_ready()
        if geometry.access not in _MMAP_ACCESSES:
            raise errors.UnsupportedError(
                f"{pcm.name} is configured for {geometry.access.name}; a ring needs MMAP_INTERLEAVED or _NONINTERLEAVED"
            )
        super().__init__()
        self._set_up(geometry, dtype, dither=dither, capture=capture)
        self._pages = Pages(
            fd,
            status=True,
            control=True,
            force_sync_ptr=force_sync_ptr,
            struct=ffi.addressof(self._ring, "pages"),
            direction=self._DIRECTION,
        )
        try:
            pcm.attach(self)
        except BaseException:
            self._pages.close()
            raise
        try:
            channels = channels_of(fd, geometry, pcm.name)
            self._mapping = Mapping(fd, channels, geometry, writable=not capture, device=pcm.name)
        except BaseException:
            pcm.detach(self)
            self._pages.close()
            raise
        self._areas = ffi.new(
            "struct alsamm_area[]", [(a, c.step) for a, c in zip(self._mapping.addresses, channels, strict=True)]
        )
        ring = self._ring
        ring.capture = capture
        ring.channels = geometry.channels
        ring.sample_bytes = geometry.format.physical_width // 8
        padded = geometry.format.physical_width == 32 > geometry.format.width  # noqa: PLR2004 -- bits
        ring.value_bits = geometry.format.width if padded else 0
        ring.value_signed = geometry.format.signed
        ring.contiguous = self._mapping.contiguous
        ring.swapped = geometry.format.big_endian != (sys.byteorder == "big")
        ffi.memmove(ring.silence, geometry.format.silence, len(geometry.format.silence))
        ring.areas = self._areas
        ring.memory, ring.memory_bytes = self._mapping.memory, self._mapping.length
        self._closed = False
        self._status = Status.over(self._pages)
        self._control = Control.over(self._pages)
        self.reconfigured(geometry)
        if self.state in (State.SETUP, State.PREPARED):
            self.silence()

    # ---- what it is ----

    @property
    def device(self) -> Device:
        """The PCM."""
        return self._device

    @property
    def geometry(self) -> Geometry:
        """Format, rate, sizes and thresholds."""
        return self._geometry

    @property
    def status(self) -> Status:
        """The kernel's side: state, hw_ptr, timestamps. Lives as long as this object."""
        return self._status

    @property
    def control(self) -> Control:
        """The application's side: appl_ptr, avail_min. Lives as long as this object."""
        return self._control

    @property
    def transport(self) -> Transports:
        """Which page is mapped and which goes by SYNC_PTR."""
        return Transports(self._pages.status_transport, self._pages.control_transport)

    @property
    def boundary(self) -> int:
        """Where hw_ptr and appl_ptr wrap to 0, in frames."""
        return self._geometry.boundary

    @property
    def buffer_size(self) -> int:
        """The ring's size in frames."""
        return self._geometry.buffer_size

    @property
    def period_size(self) -> int:
        """Frames between two interrupts of the card."""
        return self._geometry.period_size

    @property
    def channels(self) -> int:
        """Samples in a frame."""
        return self._geometry.channels

    @property
    def state(self) -> State:
        """What the PCM is doing."""
        return state_of(self._of_page(_fast_state, "state"))

    @property
    def hw_ptr(self) -> int:
        """Frames that the card has read or written, modulo boundary; as old as the last interrupt or ``hwsync``."""
        return self._of_page(_fast_hw_ptr, "hw_ptr")

    @property
    def appl_ptr(self) -> int:
        """Frames that we have committed, modulo boundary."""
        return self._of_page(_fast_appl_ptr, "appl_ptr")

    def _of_page(self, read: Callable[[Any], int], what: str) -> int:
        value = read(self._pages.struct)
        return value if value >= 0 else self._check(value, what)

    @property
    def avail_min(self) -> int:
        """Frames at which ``wait`` and poll wake; never sooner than the card's next interrupt (rule I2).

        Raises ArgumentError outside 1 to buffer_size: 0 would wake for ever, more would never (rule I4).
        """
        return self._control.avail_min

    @avail_min.setter
    def avail_min(self, value: int) -> None:
        if not 0 < value <= self.buffer_size:
            raise errors.ArgumentError(f"avail_min {value}: must be 1 to {self.buffer_size}, the buffer's size")
        self._control.avail_min = value

    def snapshot(self, *, hwsync: bool = False) -> SyncPtrStatus:
        """Position, state and timestamps that belong together, by one SYNC_PTR (rules D5, K5).

        With ``hwsync`` the card is asked first, which raises in XRUN and SUSPENDED (rule D6).
        """
        try:
            return SyncPtrStatus.call(self._fd, hwsync, None, None)
        except errors.XrunError:  # which SyncPtrStatus, knowing no direction, cannot name
            self._require_not_drained()
            raise failure(-errno.EPIPE, "SNDRV_PCM_IOCTL_SYNC_PTR", self._label, self._failures) from None

    # ---- moving samples ----

    def avail(self) -> int:
        """Frames that can be written or read now, by the pointers as they stand; no system call where both are mapped.

        More than ``buffer_size`` means late by the difference (rule E3). It is as old as hw_ptr: ``hwsync`` renews it.
        """
        avail = _fast_avail(self._ring)
        if avail < 0:
            self._check(avail, "avail")
        return avail

    def commit(self, frames: int) -> None:
        """Hand ``frames`` over to the kernel: written ones are played, read ones may be overwritten.

        Starts a playback that is PREPARED and holds start_threshold frames, which the kernel does not do for mmap (rule
        G6).

        Raises ArgumentError for a negative count or more than ``avail`` (at most the buffer); errors by state as
        ``data``.
        """
        try:
            result = _fast_commit(self._ring, frames)
        except OverflowError:
            result = -errno.EINVAL
        if result < 0:
            self._require_open()
            if result != -errno.EINVAL:
                self._check(result, "commit")
            most = min(self.avail(), self.buffer_size)
            raise errors.ArgumentError(
                f"{self._device.name}: commit of {frames} frames; 0 to {most} can be committed now"
            )
        if result:
            self._start_committed()

    # ---- state ----

    def wait(self, timeout: float | None = None) -> None:
        """Sleep until avail_min frames can be moved. ``timeout`` in seconds; None is one buffer and a second.

        Raises TimeoutError, StateError for a capture that was not started (it would never wake, rule I5), and the
        errors of ``data`` by state (rule I6).
        """
        if timeout is None and (_fast_ready(self._ring) or self._outside(_wait_patiently, self._ring) == 1):
            return
        if not self._patiently(lib.alsamm_wait, timeout, "wait"):
            raise TimeoutError(f"{self._device.name}: nothing moved in time; the card or its driver stands still")

    def _patiently(self, call: Any, timeout: float | None, what: str) -> int:
        """Call C that waits; come back to Python for its signals, then go on."""
        if timeout is None:
            timeout = self.buffer_size / self._geometry.rate + 1
        timeout = seconds_of(timeout)
        left, end, place = timeout, time.monotonic() + timeout, self.hw_ptr
        while (result := self._outside(call, self._ring, int(left * 1000 + 0.999))) == -errno.EINTR:
            # The interpreter has run the handlers by now, and a handler that raises ends the loop.
            if call is lib.alsamm_drain and self.hw_ptr != place:  # a drain's time is that of a card that stands still
                end, place = time.monotonic() + timeout, self.hw_ptr
            left = max(0.0, end - time.monotonic())
        if result == -errno.EDEADLK:
            raise errors.StateError(f"{self._device.name}: start() the capture before waiting for it")
        return self._check(result, what)

    # ---- the device's side (device.Holder) ----

    def reconfigured(self, geometry: Geometry) -> None:
        """Software parameters were changed."""
        self._geometry = geometry
        ring = self._ring
        ring.buffer_size = geometry.buffer_size
        ring.period_size = geometry.period_size
        ring.boundary = geometry.boundary
        ring.start_threshold = geometry.start_threshold
        ring.stops = geometry.stop_threshold < geometry.boundary
        ring.half_period_ns = geometry.period_size * 500_000_000 // geometry.rate
        ring.buffer_ns = geometry.buffer_size * 1_000_000_000 // geometry.rate
        ring.no_period_wakeup = not geometry.period_wakeup

    def silence(self) -> None:
        """Fill what is not committed with the format's silence (rule F7); for capture there is nothing to do."""

    # ---- lifetime ----

    @property
    def closed(self) -> bool:
        """Whether ``close`` was called, or this process was forked from the owner's."""
        return self._closed or self._pages.closed

    def close(self, *, drop: bool = False) -> None:
        """Unmap, at once; the stream is left as it is, or with ``drop`` stopped. Twice is harmless.

        Views that are still alive, such as a loop's variable, show zeros from here on; what is written there is lost.
        Who waits in another thread gets ClosedError.
        """
        if self._closed:
            return
        self._closed = True  # at once, for another thread may close too; and before it stops, which wakes who waits
        self._under_way += 1  # so that who comes out of C meanwhile does not tidy up beside it
        try:
            if drop and not self._pages.closed:
                lib.alsamm_pcm_op(self._pages.struct.fd, lib.ALSAMM_DROP, 0, ffi.new("long *"))  # it may be gone
            self.part()
            alone = self._under_way == 1
            if alone:
                self._ring.areas = ffi.NULL
            self._mapping.release(in_use=not alone)  # who is in C is left blank memory, and finds the descriptor gone
            if not alone:
                self._pages.leave()
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._out_of_c()
        self._device.detach(self)

    def _out_of_c(self) -> None:
        self._let_go()
        self._pages.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if not self.closed:
                self._finish(drop=kind is not None)
        except errors.AlsaError:
            if kind is None:  # else the error that is under way says more than that the card stopped with it
                raise
        finally:
            self.close()

    def _finish(self, *, drop: bool) -> None:
        """Leave ``with``: a playback that holds frames is drained, anything else that moves is dropped."""
        state = self.state
        if state in (State.RUNNING, State.DRAINING, State.PAUSED, State.PREPARED):
            if not drop and self._DIRECTION is Direction.PLAYBACK and state is not State.PAUSED:
                self.drain()
            else:
                self.drop()

    def drain(self, timeout: float | None = None) -> None:
        """Play what is committed, then stop; for capture see MmapCapture."""
        raise NotImplementedError

    def __del__(self) -> None:
        if not self._closed:
            self.close()

    def __repr__(self) -> str:
        name = type(self).__name__
        if self.closed:
            return f"<{name} closed>"
        g = self._geometry
        return (
            f"<{name} {self._device.name!r} {self.state} {g.format} {g.rate} Hz x {g.channels}, "
            f"{g.period_size}/{g.buffer_size} frames, {self.transport}>"
        )

    # ---- helpers ----

    @property
    def _fd(self) -> int:
        self._require_open()
        return int(self._ring.pages.fd)

    @property
    def _label(self) -> str:
        return self._device.name

    def _require_open(self) -> None:
        if self.closed:
            raise errors.ClosedError(f"{type(self).__name__} of {self._device.name}: closed")
