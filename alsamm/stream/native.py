"""NativeThread: a C function called for each period, by a thread that never takes the GIL."""

from __future__ import annotations

import ctypes
import errno
import logging
import time
import warnings
import weakref
from typing import TYPE_CHECKING, Any

import numpy as np

from alsamm import errors
from alsamm._c import CAPTURE_FAILURES, PLAYBACK_FAILURES, failure, ffi, lib

if TYPE_CHECKING:
    from alsamm.direct import MmapCapture, MmapPlayback

__all__ = ["NativeThread", "is_native"]

_CData: Any = type(ffi.NULL)  # what cffi's pointers are, of whatever module
_CFunction: Any = ctypes.CFUNCTYPE(None).__mro__[1]
_COME_BACK = 50  # ms after which a join lets Python look for signals that ended nobody's sleep
_SIGNATURE = "int (void *playback, const void *capture, unsigned long frames, long long frame, void *user)"
_PARAMETERS = 5
_ADDRESSES = 1 << 8 * ctypes.sizeof(ctypes.c_void_p)
_log = logging.getLogger("alsamm.stream")


def is_native(callback: object) -> bool:
    """Whether this is a C function: a pointer of cffi or ctypes, numba's ``@cfunc``, or an address."""
    return isinstance(callback, (_CData, _CFunction, int)) or isinstance(getattr(callback, "address", None), int)


class NativeThread:
    """A C function and the thread that calls it, with pointers straight into the memory of one ring, or of two.

    ``callback`` is ``int (void *playback, const void *capture, unsigned long frames, long long frame, void *user)``: a
    function pointer of cffi or ctypes, numba's ``@cfunc``, or an address. ``frames`` (a period at the most) lie side by
    side, interleaved, in the ring's own format; the direction that is not there is NULL; ``frame`` counts those that
    were given before. Its answer: 0 to go on, 1 to stop when what is in the ring was played, anything else to stop at
    once.

    ``playback`` and ``capture`` are the rings; they must not be used, or closed, by anybody else until ``join``.
    Playback alone is filled by the callback, then started. With both (duplex) each period is given when it was captured
    and there is room to play it: playback must hold silence already, and the rings be a pair (``pair_with``); both are
    started if they are not. ``user`` is handed on: a pointer of cffi or ctypes, a numpy array, an address.

    ``recover``: go on after an xrun or a suspend; the rings' ``xruns`` count them.

    The thread has the scheduling policy of the one that calls ``start``. avail_min is raised to a period.

    One that is forgotten ends as ``ask_to_stop`` says. Where the callback does not return for a buffer's time and a
    second, which nobody can help, its thread, rings and ``user`` stay as long as the process does: a ResourceWarning.

    Raises ArgumentTypeError and ArgumentError for what is no such function or pointer, and for Python functions in the
    clothes of C: they would take the GIL, and whatever they raise would be lost.

    Synchronization: ``start`` and ``join`` from one thread, ``ask_to_stop`` and the figures from any.
    """

    def __init__(
        self,
        callback: object,
        *,
        playback: MmapPlayback | None = None,
        capture: MmapCapture | None = None,
        user: object = None,
        recover: bool = False,
    ) -> None:
        self._rings = [ring for ring in (playback, capture) if ring is not None]
        self._native = native = ffi.new("struct alsamm_native *")
        native.callback = ffi.cast(ffi.typeof(native.callback), _address_of(callback))
        native.user = ffi.cast("void *", _pointer_of(user))
        for ring in self._rings:
            ring._ring.recover = lib.ALSAMM_RECOVER if recover else lib.ALSAMM_RAISE  # noqa: SLF001 -- C's struct is shared among the package's rooms
        native.playback = playback._ring if playback else ffi.NULL  # noqa: SLF001
        native.capture = capture._ring if capture else ffi.NULL  # noqa: SLF001
        # All that the thread uses lives until it has ended, whoever forgets to join it.
        self._end = weakref.finalize(self, _end, native, self._rings, callback, user)

    def start(self) -> None:
        """Start the thread, and with it the card.

        Raises UnsupportedError for a ring whose samples do not lie interleaved, or are to be converted; ArgumentError
        for two rings that are no pair, or none; ClosedError; StateError before the last run was joined.
        """
        result = lib.alsamm_native_start(self._native)
        if result == -errno.EOPNOTSUPP:
            ring = next(r for r in self._rings if r.dtype != r.geometry.format.dtype or not r._ring.contiguous)  # noqa: SLF001
            raise errors.UnsupportedError(
                f"{ring.device.name}: a C callback works on the ring's own memory, which holds "
                f"{ring.geometry.access.name} {ring.geometry.format.name}: ask for access MMAP_INTERLEAVED and "
                f"format= what the callback wants, and for no other dtype"
            )
        if result == -errno.EBUSY:
            raise errors.StateError("the thread was started already")
        if result == -errno.EINVAL:
            raise errors.ArgumentError("a playback ring, a capture ring, or two of them that pair_with made a pair")
        self._check(result, "start of a thread")

    def ask_to_stop(self) -> None:
        """Let the thread end: within 20 ms, or when the callback returns. The card goes on with what is in the ring."""
        lib.fast_native_stop(self._native)

    def ask_to_finish(self) -> None:
        """Likewise, but the thread then plays what is in the ring, ends capture, and lasts so long.

        ``ask_to_stop``, before it, after it or at the same time, is the stronger, and ends that within 50 ms.
        """
        lib.fast_native_finish(self._native)

    def join(self, timeout: float | None = None) -> None:
        """Wait until the thread has ended. Ctrl-C comes through.

        Raises TimeoutError after ``timeout`` seconds; ClosedError in a child of fork, which has no such thread.
        """
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            left = _COME_BACK if end is None else min(_COME_BACK, max(0, int((end - time.monotonic()) * 1000 + 0.999)))
            result = lib.alsamm_native_join(self._native, left)
            if result == -errno.ECHILD:
                raise errors.ClosedError("the thread is the parent process's")
            if result not in {-errno.ETIMEDOUT, -errno.EINTR}:
                self._check(result, "join")
                return
            if end is not None and time.monotonic() >= end:
                raise TimeoutError(f"the callback's thread did not end in {timeout} s")

    def check(self) -> None:
        """Raise what ended the thread, if the card did: XrunError, SuspendedError, DeviceLostError, StateError.

        TimeoutError for a card that stood still.
        """
        if self._native.result == -errno.EIO:
            raise TimeoutError(f"{self._rings[0].device.name}: nothing moved in time; the card stands still")
        self._check(self._native.result, "the callback's thread")

    def _check(self, result: int, what: str) -> None:
        if result < 0:
            meanings = PLAYBACK_FAILURES if self._native.playback else CAPTURE_FAILURES
            raise failure(result, what, self._rings[0].device.name if self._rings else "", meanings)

    @property
    def running(self) -> bool:
        """Whether the thread is there; it is no more when what the callback's 1 left in the ring was played."""
        return bool(self._native.running)

    @property
    def calling(self) -> bool:
        """Whether the callback has not returned yet."""
        return bool(self._native.calling)

    @property
    def answer(self) -> int:
        """What the callback returned last."""
        return int(self._native.told)

    @property
    def callbacks(self) -> int:
        """How often the callback was called."""
        return int(self._native.callbacks)

    @property
    def frames(self) -> int:
        """How many frames it was given."""
        return int(self._native.frames)

    @property
    def longest_callback_ns(self) -> int:
        """The longest that it took, in nanoseconds."""
        return int(self._native.longest_callback_ns)

    @property
    def busy_ns(self) -> int:
        """All that it took, in nanoseconds."""
        return int(self._native.busy_ns)


def _end(native: Any, rings: list[MmapPlayback | MmapCapture], *used: object) -> None:
    """A NativeThread died, or the interpreter ends, before it was joined."""
    lib.fast_native_stop(native)
    patience = max((ring.buffer_size / ring.geometry.rate for ring in rings), default=0.0) + 1
    left = round(patience * 1000 / _COME_BACK)
    while left:  # so many waits, not so much time: a process that was stopped, or slept with the system, loses one
        code = lib.alsamm_native_join(native, _COME_BACK)
        if code == -errno.ETIMEDOUT:
            left -= 1
        elif code != -errno.EINTR:
            return
    # Nobody can end a C function that does not return. If it does one day the thread looks at all this once more, even
    # while the interpreter ends: so nothing of it may ever be freed, nor unmapped by what runs at exit.
    ctypes.pythonapi.Py_IncRef(ctypes.py_object((native, rings, used)))
    for ring in rings:
        ring._pages._finalizer.atexit = False  # noqa: SLF001 -- of one package
    name = rings[0].device.name
    _log.error("%s: the C callback does not return; its thread, and the memory of the card, are left to it", name)
    warnings.warn(f"{name}: the C callback does not return", ResourceWarning, stacklevel=2)


def _address_of(callback: Any) -> int:
    if isinstance(callback, _CData):
        ctype = ffi.typeof(callback)
        if type(callback).__name__ == "__CDataOwnGC" and ctype.kind == "function":
            raise errors.ArgumentTypeError("an ffi.callback() is Python: hand over the function itself")
        if ctype.kind == "function" and len(ctype.args) != _PARAMETERS:
            raise errors.ArgumentTypeError(f"{ctype.cname}: the callback is {_SIGNATURE}")
        if ctype.kind not in {"function", "pointer"}:
            raise errors.ArgumentTypeError(f"{ctype.cname} is no pointer to a function")
        address = int(ffi.cast("uintptr_t", callback))
    elif isinstance(callback, _CFunction):
        kept = getattr(callback, "_objects", None) or {}
        if any(type(thing).__name__ == "CThunkObject" for thing in kept.values()):
            raise errors.ArgumentTypeError("a ctypes callback is Python: hand over the function itself")
        address = ctypes.cast(callback, ctypes.c_void_p).value or 0
    else:
        address = callback if isinstance(callback, int) else callback.address
    if isinstance(callback, bool) or not 0 < address < _ADDRESSES:
        raise errors.ArgumentError(f"{callback!r} is no function's address")
    return address


def _pointer_of(user: Any) -> Any:
    """What the callback is given as ``user``."""
    if user is None:
        return ffi.NULL
    if isinstance(user, int) and not 0 <= user < _ADDRESSES:
        raise errors.ArgumentError(f"user {user} is no address")
    if isinstance(user, (_CData, int)):
        try:
            return ffi.cast("void *", user)
        except TypeError:
            pass
    elif isinstance(user, np.ndarray):
        return ffi.cast("void *", user.ctypes.data)
    elif isinstance(user, ctypes.c_void_p):
        return ffi.cast("void *", user.value or 0)
    elif isinstance(user, (ctypes.Array, ctypes.Structure)):
        return ffi.cast("void *", ctypes.addressof(user))
    elif isinstance(user, ctypes._Pointer):  # noqa: SLF001 -- has no public name
        return ffi.cast("void *", ctypes.cast(user, ctypes.c_void_p).value or 0)
    raise errors.ArgumentTypeError(f"user {user!r}: a pointer of cffi or ctypes, a numpy array, or an address")
