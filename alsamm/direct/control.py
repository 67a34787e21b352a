"""The control page: what the application tells."""

from __future__ import annotations

import errno
from typing import ClassVar

from alsamm import errors
from alsamm._c import check, ffi, lib
from alsamm.direct.pages import PageView
from alsamm.enums import Transport

__all__ = ["Control"]

_LARGEST = (1 << 8 * ffi.sizeof("long") - 1) - 1


class Control(PageView):
    """appl_ptr and avail_min of a PCM, in the kernel's page or, where that is refused, by SYNC_PTR.

    The kernel believes what is written here: an appl_ptr that was never filled with samples is played all the same.
    Most programs want MmapPlayback.commit, which checks. As with Status, the device stays open until this is closed.

    ``force_sync_ptr`` takes the ioctl even where the page could be mapped.

    Synchronization: one writer; readers in any number of threads; ``close`` only when none is under way.
    """

    _WANTS: ClassVar = {"status": False, "control": True}

    @property
    def appl_ptr(self) -> int:
        """Frames that the application has committed, modulo boundary.

        Setting it starts nothing and wakes nobody (rules G, I3); the kernel looks at it when the card next moves.
        Raises ArgumentError for a value that cannot be a position.
        """
        return check(lib.fast_appl_ptr(self._pages.struct), "appl_ptr")

    @appl_ptr.setter
    def appl_ptr(self, value: int) -> None:
        if not 0 <= value <= _LARGEST:
            raise errors.ArgumentError(f"appl_ptr {value}: a position is 0 or more, and below boundary")
        code = lib.fast_set_appl_ptr(self._pages.struct, value)
        if code == -errno.EINVAL:
            raise errors.ArgumentError(f"appl_ptr {value}: the kernel refuses it; it must be below boundary")
        check(code, "appl_ptr")

    @property
    def avail_min(self) -> int:
        """Frames at which poll wakes, looked at when the card next interrupts (rule I2).

        Raises ArgumentError for 0 or less: with 0 the kernel would have poll return at once for ever (rule I4).
        """
        return check(lib.fast_avail_min(self._pages.struct), "avail_min")

    @avail_min.setter
    def avail_min(self, value: int) -> None:
        if not 0 < value <= _LARGEST:
            raise errors.ArgumentError(f"avail_min {value}: must be 1 or more")
        check(lib.fast_set_avail_min(self._pages.struct, value), "avail_min")

    @property
    def transport(self) -> Transport:
        """MAPPED or SYNC_PTR."""
        return self._pages.control_transport

    def __repr__(self) -> str:
        if self.closed:
            return "<Control closed>"
        return f"<Control appl_ptr={self.appl_ptr} avail_min={self.avail_min} {self.transport}>"
