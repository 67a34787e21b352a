"""How C that works without the GIL hears that Python has a signal to handle."""

from __future__ import annotations

import errno
import os
import signal
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from alsamm._c import failure

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
        self._outermost = False
        if threading.current_thread() is threading.main_thread():
            reading, writing = self._ends()
            with suppress(ValueError):  # a subinterpreter's
                before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
                # Ours already: a signal's handler that waits itself, within a wait that will put things right.
                self._outermost = before != writing
                self._before = before if self._outermost else -1
                self.fd = reading
        return self

    @classmethod
    def make_ready(cls) -> None:
        """Make the pipe: before a stream begins, which must not need one more descriptor later.

        Raises AlsaOSError (EMFILE) without two free ones.
        """
        cls._ends()

    @classmethod
    def _ends(cls) -> tuple[int, int]:
        if cls._pipe is None:
            try:
                cls._pipe = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
            except OSError as error:
                raise failure(-(error.errno or errno.EMFILE), "pipe2") from error
        return cls._pipe

    def clear(self) -> None:
        """After C came back for a signal: the interpreter has run the handlers by now."""
        with suppress(OSError):  # empty; or closed, in a child that a handler forked
            while self.fd >= 0 and (told := os.read(self.fd, 256)):
                if self._before >= 0:
                    with suppress(OSError):  # full, or its owner has closed it
                        os.write(self._before, told)

    def __exit__(self, *exception: object) -> None:
        if not self._outermost:
            return
        try:
            signal.set_wakeup_fd(self._before, warn_on_full_buffer=False)
        except (ValueError, OSError):  # whoever had it before has closed it meanwhile
            signal.set_wakeup_fd(-1)
        self.clear()

    @classmethod
    def after_fork(cls) -> None:
        """A child that shared the pipe would wake its parent."""
        if cls._pipe is None:
            return
        with suppress(ValueError):
            if (before := signal.set_wakeup_fd(-1)) != cls._pipe[1]:
                signal.set_wakeup_fd(before)
        for fd in cls._pipe:
            os.close(fd)
        cls._pipe = None


os.register_at_fork(after_in_child=SignalFd.after_fork)
