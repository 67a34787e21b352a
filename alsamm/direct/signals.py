"""How C that works without the GIL hears that Python has a signal to handle."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["SignalFd"]


class SignalFd:
    """A descriptor that is readable once a signal has come that Python must handle, while the ``with`` lasts.

    A signal ends a poll with EINTR, but not if it comes while samples are copied, or to another thread. Python's C
    handler then writes to its wake-up descriptor (signal.set_wakeup_fd), which is this one meanwhile; what it wrote is
    handed on to whoever had set another before, such as asyncio.

    Python handles signals in its main thread only: in others, and in subinterpreters, ``fd`` is -1.

    Synchronization: made, used and left by one thread.
    """

    _pipe: tuple[int, int] | None = None

    def __enter__(self) -> Self:
        self.fd = self._before = -1
        if threading.current_thread() is threading.main_thread():
            reading, writing = self._ends()
            with suppress(ValueError):  # a subinterpreter's
                self._before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
                self.fd = reading
        return self

    @classmethod
    def _ends(cls) -> tuple[int, int]:
        if SignalFd._pipe is None:
            SignalFd._pipe = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        return SignalFd._pipe

    def clear(self) -> None:
        """After C came back for a signal: the interpreter has run the handlers by now."""
        with suppress(BlockingIOError):
            while self.fd >= 0 and (told := os.read(self.fd, 256)):
                if self._before >= 0:
                    os.write(self._before, told)

    def __exit__(self, *exception: object) -> None:
        if self.fd >= 0:
            with suppress(ValueError, OSError):  # whoever had it before may have closed it meanwhile
                signal.set_wakeup_fd(self._before, warn_on_full_buffer=False)
            self.clear()


def _after_fork() -> None:
    """A child that shared the pipe would wake its parent."""
    if SignalFd._pipe is not None:  # noqa: SLF001 -- of this module
        for fd in SignalFd._pipe:  # noqa: SLF001
            os.close(fd)
        SignalFd._pipe = None  # noqa: SLF001


os.register_at_fork(after_in_child=_after_fork)
