"""An open snd_pcm_t: who may still use it, and its end."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from alsamm import errors
from alsamm._c import check, ffi, lib
from alsamm.alsalib.openers import Opened, open_pcm

if TYPE_CHECKING:
    from collections.abc import Callable

    from alsamm._c._native import CData
    from alsamm.enums import Direction

__all__ = ["OpenPcm"]

_T = TypeVar("_T")
_LEAVING, _NAP = 0.5, 0.001
"""Seconds for which a close waits for other threads to come out of alsa-lib; a wait there takes 0.2 at the most."""


class OpenPcm:
    """What was opened, held for PCM and for its road, so that neither needs the other.

    Synchronization: as PCM.
    """

    def __init__(self, name: str, direction: Direction, blocking: bool) -> None:
        self.name = name
        self._opened: Opened | None = open_pcm(name, direction)
        self._leaving: Opened | None = None
        self._callers = 0
        self._pid = os.getpid()
        self.is_kernel = self._opened.kernel_fd >= 0
        try:
            self._greet(blocking)
        except BaseException:
            self.close()
            raise

    @property
    def handle(self) -> CData:
        """The snd_pcm_t. Raises ClosedError after close, and in a child of the process that opened it."""
        return self._live().handle

    @property
    def kernel_fd(self) -> int:
        """The kernel's descriptor, -1 where there is none. Raises ClosedError as ``handle``."""
        return self._live().kernel_fd

    @property
    def closed(self) -> bool:
        """Whether it cannot be used any more."""
        return self._opened is None or self._pid != os.getpid()

    def call(self, function: Callable[..., _T], *arguments: object) -> _T:
        """Call alsa-lib with the handle, which lives until it comes back, whoever closes meanwhile."""
        self._callers += 1
        try:
            return function(self._live().handle, *arguments)
        finally:
            self._callers -= 1
            if not self._callers:
                self._free()

    def close(self) -> None:
        """Close; twice is harmless. A forked child only lets go: closing properly would stop its parent's stream.

        Another thread that is in a call (``call``) is woken; if it does not come out soon, it is the one that closes.
        """
        opened, self._opened = self._opened, None
        if opened is None:
            return
        if self._pid != os.getpid():
            if opened.keep is None and opened.kernel_fd >= 0:
                with suppress(OSError):
                    os.close(opened.kernel_fd)
            return
        self._leaving = opened
        if self._callers:
            lib.snd_pcm_drop(opened.handle)
            end = time.monotonic() + _LEAVING
            while self._callers and time.monotonic() < end:
                time.sleep(_NAP)
        if not self._callers:
            self._free()

    def _free(self) -> None:
        opened, self._leaving = self._leaving, None
        if opened is not None:
            # alsa-lib's answer is of no use: it tells of a card that is gone, and has freed all by then.
            lib.snd_pcm_close(opened.handle)

    def _live(self) -> Opened:
        opened = self._opened
        if opened is None:
            raise errors.ClosedError(f"{self.name}: closed")
        if self._pid != os.getpid():
            raise errors.ClosedError(f"{self.name}: belongs to process {self._pid}; open it anew after a fork")
        return opened

    def _greet(self, blocking: bool) -> None:
        handle, fd = self.handle, self.kernel_fd
        if self.is_kernel:
            # Rule A3: before anything is mapped the kernel must know which protocol we speak.
            info = ffi.new("struct alsamm_info *")
            check(lib.alsamm_hello(fd, info), "SNDRV_PCM_IOCTL_USER_PVERSION", self.name)
            # For alsa-lib it stays non-blocking: only such a PCM may do without interrupts (period_wakeup).
            os.set_blocking(fd, blocking)
        elif blocking:
            check(lib.snd_pcm_nonblock(handle, 0), "snd_pcm_nonblock", self.name)
