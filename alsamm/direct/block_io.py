"""BlockIO: the caller's arrays, as C takes them, moves them and waits for them."""

from __future__ import annotations

import errno
import threading
import time
import weakref
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from alsamm import errors
from alsamm._c import ffi, lib
from alsamm._c.ops import KernelOps
from alsamm.checks import seconds_of
from alsamm.conversion import conversion
from alsamm.direct.signals import SignalFd
from alsamm.samples import as_frames

if TYPE_CHECKING:
    from collections.abc import Callable

    from alsamm.device import Geometry

__all__ = ["NOTHING", "BlockIO", "is_array", "require_target", "require_unmasked"]

_Array = np.ndarray[Any, np.dtype[Any]]

NOTHING: Any = object()
"""No array, and nothing that a caller could hand over."""

_START_DUE: int = lib.ALSAMM_START_DUE
_COME_BACK = (-errno.EINTR, -errno.ERESTART)
_fast_take = lib.fast_take


class BlockIO(KernelOps):
    """Moves arrays between the caller and a ring; MmapIO makes the ring.

    The array seen last is kept, so that handing it over again costs nothing: C reads its memory, shape and strides anew
    each time where numpy keeps them (``_c/array.c``), so it may change in between.
    """

    _ring: Any
    _geometry: Geometry
    _array: Any = NOTHING
    """What the caller handed over last: what C works on. NOTHING: whatever C has, it must be taken anew."""
    _frames = 0
    """Its length."""
    _under_way = 0
    """Calls that work without the GIL just now."""
    _closed: bool
    """``close`` was called: whoever comes out of C last tidies up."""

    def _set_up(self, geometry: Geometry, dtype: object, *, dither: bool, capture: bool) -> None:
        """Which arrays the caller will hand over, and what is to be done to their samples."""
        _require_known_arrays()
        held, self._converter = conversion(dtype, geometry.format, dither=dither, capture=capture)
        self._held = held
        ring = self._ring
        ring.packed = held.dtype.subdtype is not None
        ring.item_bytes = held.physical_width // 8
        self._learning = threading.RLock()  # a signal's handler may learn while its thread does
        self._array_dtype: np.dtype[Any] = held.dtype.base
        ring.descr = ffi.cast("void *", id(self._array_dtype))
        if self._converter is not None:
            ring.converter = self._converter

    @property
    def dtype(self) -> np.dtype[Any]:
        """The numpy type of the samples in the arrays to hand over; packed samples are three ``u1``."""
        return self._held.dtype

    @property
    def frames_done(self) -> int:
        """How many frames the last write or read moved, whatever ended it: also an exception, also Ctrl-C."""
        return int(self._ring.done)

    def _take(self, array: _Array) -> None:
        """Make an array the block that C works on, checked once.

        Raises as ``as_frames``; ArgumentError for an array that lies in the ring, and for a target that is read-only or
        lays frames over one another.
        """
        if type(array) is not np.ndarray:
            require_unmasked(array)
        # First: a signal's exception between two of these lines must not leave C with another array.
        self._array = NOTHING
        if not (taken := _fast_take(self._ring, id(array))):
            self._require_fit(array)
            # numpy has one object for each plain dtype, but an equal one may be another: byte-swapped ones are.
            dtype = array.dtype
            with self._learning:
                self._ring.descr = ffi.NULL  # never the address of one that is gone, whatever a signal does in between
                self._array_dtype = dtype
                self._ring.descr = ffi.cast("void *", id(dtype))
            taken = _fast_take(self._ring, id(array))
        if taken == -errno.EALREADY:
            self._check(taken, "take")
        if taken < 0:
            raise errors.ArgumentError("the array lies in the ring itself: fill it there (data, reserve) and commit")
        if not taken:
            raise errors.ArgumentError(f"an array of shape {array.shape} and strides {array.strides} cannot be moved")
        self._frames = len(array)
        self._array = array

    def _borrow(self, call: Callable[..., int], samples: object, *arguments: Any, **options: Any) -> int:
        """Hand over a buffer that is no array, and let go of it: who exports one cannot resize it meanwhile."""
        self._ring.done = 0
        try:
            return call(as_frames(samples, self._held, self._geometry.channels), *arguments, **options)
        finally:
            self._let_go()

    def _let_go(self) -> None:
        """Keep no array any more."""
        self._array = NOTHING
        _fast_take(self._ring, 0)

    def _require_fit(self, array: _Array) -> None:
        as_frames(array, self._held, self._geometry.channels)
        packed = self._ring.packed
        if packed and array.strides[-1] != 1:
            raise errors.ArgumentError("the three bytes of a packed sample must lie side by side")
        if self._ring.capture:
            require_target(array)

    def _settle(
        self, result: int, array: _Array, quick: Callable[[Any, int], int], slow: Callable[[Any, int], int]
    ) -> int:
        """What is left to do when not simply all of the block was moved; gives the frames moved.

        ``quick`` takes the array anew, whoever took another meanwhile; ``slow`` refuses then.
        """
        if result == -errno.ESTALE:  # not taken yet; or resized, reshaped or retyped since
            self._take(array)
            result = quick(self._ring, id(array))
        else:
            self._frames = len(array)
            self._array = array  # which C has taken
        if result == -errno.E2BIG:
            pin = self._pin(array)
            result = self._outside(slow, self._ring, id(array))
            del pin
        if result < 0:
            self._fail(result)
        if result & _START_DUE:
            self._start_committed()
        return int(self._ring.done)

    def _start_committed(self) -> None:
        """Rule G6. The frames are in the ring, whoever goes to sleep just now: the next call tells that."""
        with suppress(errors.SuspendedError):
            self.start()

    def _outside(self, call: Callable[..., int], *arguments: Any) -> int:
        """Call C that works without the GIL, so that close() of another thread knows of it."""
        self._under_way += 1
        try:
            if self._closed:  # now: who closes looks whether somebody is in C only after it has said so
                self._require_open()
            return call(*arguments)
        finally:
            self._under_way -= 1
            if self._closed and not self._under_way:
                self._out_of_c()

    def _out_of_c(self) -> None:
        """It is closed, and nobody works without the GIL any more."""
        raise NotImplementedError

    def _pin(self, array: _Array) -> object:
        """What keeps the array's memory where it is while C works without the GIL: numpy resizes none that has one."""
        pin = weakref.ref(array)
        if not lib.fast_block_holds(self._ring):
            self._require_open()  # close() lets go of it
            raise errors.ArgumentError("the array was changed by another thread while it was handed over")
        return pin

    def _check(self, code: int, func: str) -> int:
        """Give back a result that is none; raise what a negative one means."""
        if code < 0:
            if code == -errno.EALREADY:
                self._require_open()  # it may be of a parent's call, in its child
                raise errors.StateError(
                    f"{self._label}: another thread uses this ring just now; it has one owner at a time"
                )
            if code == -errno.ESTALE:
                raise errors.StateError(
                    f"{self._label}: a signal's handler, or another thread, used the ring meanwhile"
                )
            raise self._failure(code, func)
        return code

    def _require_open(self) -> None:
        raise NotImplementedError

    def _fail(self, result: int) -> None:
        """Raise what a negative result of moving frames means."""
        raise NotImplementedError

    def _all(
        self,
        samples: Any,
        quick: Callable[[Any, int], int],
        loop: Callable[[Any, int, int, int], int],
        timeout: float | None,
        *,
        recover: bool,
    ) -> int:
        """Move every frame: ``quick`` what can be moved at once, ``loop`` the rest, from ring.done on.

        That one works without the GIL and comes back to Python for its signals only.
        """
        if samples is not self._array:
            if not is_array(samples):
                return self._borrow(self._all, samples, quick, loop, timeout, recover=recover)
            self._take(samples)
        if timeout is not None:
            self._ring.done = 0
        end = None if timeout is None else time.monotonic() + seconds_of(timeout)
        if not (result := quick(self._ring, id(samples))):
            return self._frames
        if result == -errno.ESTALE:
            self._take(samples)
        self._ring.recover = self._policy(recover)
        if (result := self._loop(samples, loop, end)) < 0:
            self._explain(result, timeout)
        return self._frames

    def _loop(self, samples: _Array, loop: Callable[[Any, int, int, int], int], end: float | None) -> int:
        ring, array = self._ring, id(samples)
        pin = self._pin(samples)
        takes = ring.takes
        # So that a signal's handler that writes here itself takes its own array, and is found out.
        self._array = NOTHING
        with SignalFd() as signals:
            while (result := self._outside(loop, ring, array, signals.fd, _milliseconds_to(end))) in _COME_BACK:
                signals.clear()
                if result == -errno.ERESTART:
                    self._tell()
                if ring.takes != takes:
                    raise errors.StateError(
                        f"{self._label}: a signal's handler, or who was told of an xrun, used the ring"
                    )
        self._array = samples
        del pin
        return result

    def _policy(self, recover: bool) -> int:
        """What C is to do about an xrun."""
        raise NotImplementedError

    def _tell(self) -> None:
        """Tell of interruptions."""
        raise NotImplementedError

    def _explain(self, result: int, timeout: float | None) -> None:
        """Raise what a negative result of a loop means."""
        ring, name = self._ring, self._label
        done = f"{ring.done} of {self._frames} frames are done"
        if result == -errno.ETIMEDOUT:
            raise TimeoutError(f"{name}: not in {timeout} s; {done}")
        if result == -errno.EIO:
            raise TimeoutError(f"{name}: the card stands still; {done}")
        if result == -errno.EDEADLK:
            raise errors.StateError(
                f"{name}: the ring is full and was not started, for start_threshold is {ring.start_threshold}; {done}"
            )
        self._fail(result)


def require_unmasked(array: _Array) -> None:
    """Raises ArgumentTypeError for a masked array. To ask numpy what one is loads numpy.ma: not in a plain write."""
    if type(array) is np.ndarray:
        return
    if isinstance(array, np.ma.MaskedArray):
        raise errors.ArgumentTypeError("a masked array: say what is to be heard for what is masked, with filled()")


def require_target(array: _Array) -> None:
    """Raises ArgumentError for an array that cannot be read into: read-only, or with frames over one another."""
    if not array.flags.writeable:
        raise errors.ArgumentError("the array to read into is read-only")
    if len(array) and any(n > 1 and stride == 0 for n, stride in zip(array.shape, array.strides, strict=True)):
        raise errors.ArgumentError("the array to read into has a stride of 0: its frames lie over one another")


def is_array(samples: object) -> bool:
    """Whether C may read it as one: a weakref.proxy is an instance of what it stands for, too."""
    return issubclass(type(samples), np.ndarray)


def _milliseconds_to(end: float | None) -> int:
    if end is None:
        return -1
    return int(max(0.0, end - time.monotonic()) * 1000 + 0.999)


def _require_known_arrays() -> None:
    """Whether numpy keeps an array's memory, shape and strides where its ABI says (``_c/array.c``).

    Raises UnsupportedError where it does not: a numpy to come.
    """
    global _known_arrays  # noqa: PLW0603 -- asked once
    if _known_arrays is None:
        probe = np.zeros((3, 5), "i2")[:, 1:]
        fields = ffi.new("struct alsamm_array_fields *")
        lib.fast_array_fields(id(probe), fields)
        _known_arrays = (
            (fields.data, fields.descr) == (probe.__array_interface__["data"][0], id(probe.dtype))
            and (fields.axes, fields.length, fields.stride) == (2, 3, 10)
            and fields.writeable == 1
        )
    if not _known_arrays:
        raise errors.UnsupportedError(f"numpy {np.__version__} keeps its arrays otherwise than this alsamm knows")


_known_arrays: bool | None = None
