"""Stream: a device that calls you."""

from __future__ import annotations

import inspect
import logging
import warnings
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal

from alsamm import errors
from alsamm.stream.callback_loop import AnyStream, Asked, Loop, NativeLoop, PythonLoop, ends_soon
from alsamm.stream.capture import capture
from alsamm.stream.duplex import duplex
from alsamm.stream.native import is_native
from alsamm.stream.playback import playback

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

__all__ = ["Stream"]

Kind = Literal["playback", "capture", "duplex"]
_OPENERS: dict[str, Callable[..., AnyStream]] = {"playback": playback, "capture": capture, "duplex": duplex}
_log = logging.getLogger("alsamm.stream")


class Stream:
    """A device and the function that it calls for each period; for ``with``, which starts and stops it.

    ``callback`` is a Python function, with sounddevice's parameters:

    - playback: ``callback(outdata, frames, time, status)``, ``outdata`` to be filled,
    - capture: ``callback(indata, frames, time, status)``, ``indata`` to be read; copy what you keep,
    - duplex: ``callback(indata, outdata, frames, time, status)``.

    The arrays are (frames, channels); ``time`` is a CallbackTime, ``status`` a CallbackStatus. It runs in a thread of
    its own until it raises CallbackStop (what is written is played, this block too), CallbackAbort (at once) or
    anything else, which ends the stream at once and is raised anew, as it was and once, by ``stop``, ``wait``,
    ``abort``, ``close`` or the end of ``with``. Where nobody asks it is logged ("alsamm.stream"), and a ResourceWarning
    given; so too where it does not return for a buffer's time and a second: then its thread is left to itself.
    ``stop``, ``abort`` and ``close`` may be called in the callback: they happen when it has returned.

    Or a C function: see NativeThread for its parameters and answers, and for what may point to it. It is called by a
    thread that never takes the GIL, with the card's own memory: so say ``format``, and ``kind``, and use a PCM of the
    kernel's (``hw:…``). A negative answer is raised as CallbackError. ``user`` is handed on to it.
    An ``on_xrun`` function is told when it has ended, by ``stop``, ``wait``, ``abort`` or ``close`` in their thread: of
    the last sixteen; what it raises they raise.

    ``kind`` may be left out where a Python function's parameters are named as above. Everything else is as
    ``playback``, ``capture`` and ``duplex`` have it, and raises as they do; ArgumentError without a kind,
    ArgumentTypeError for what cannot be called, UnsupportedError for a PCM that no C callback can work on.

    Synchronization: any thread.
    """

    def __init__(
        self,
        callback: Any,
        device: str = "default",
        *,
        kind: Kind | None = None,
        user: object = None,
        **wishes: Any,
    ) -> None:
        self._closed = True  # until all is there: __del__ runs on half-made objects too
        self._callback = callback
        self._user = user
        self._device = device
        if not is_native(callback) and not callable(callback):
            raise errors.ArgumentTypeError(f"callback {callback!r}: a function of Python's or C's")
        if user is not None and not is_native(callback):
            raise errors.ArgumentError("user= is handed to C functions; a Python one has its own closure")
        self._kind: Kind = _kind_of(callback) if kind is None else kind
        if self._kind not in list(_OPENERS):  # which asks nobody for a hash
            raise errors.ArgumentError(f"kind {kind!r}: one of {', '.join(_OPENERS)}")
        self._wishes = wishes
        self._started = False
        self._loop = self._open()
        self._closed = False

    def _open(self) -> Loop:
        stream = _OPENERS[self._kind](self._device, **self._wishes)
        loop: Loop
        try:
            if is_native(self._callback):
                loop = NativeLoop(self._callback, stream, self._user)
            else:
                loop = PythonLoop(self._callback, stream)
        except BaseException:
            stream.close()
            raise
        self._forgotten = weakref.finalize(self, _end_forgotten, loop, self._device)
        return loop

    # ---- what it is ----

    @property
    def stream(self) -> AnyStream:
        """The stream below: what was granted, ``stats``, time. While this one is active it is not yours to use."""
        return self._loop.stream

    @property
    def kind(self) -> Kind:
        """``playback``, ``capture`` or ``duplex``."""
        return self._kind

    @property
    def active(self) -> bool:
        """Whether the callback is being called, or what it wrote last is being played."""
        return self._loop.active

    @property
    def stopped(self) -> bool:
        """Whether it was not started, or has ended."""
        return not self._loop.active

    @property
    def closed(self) -> bool:
        """Whether ``close`` was called."""
        return self._closed

    # ---- what can be done ----

    def start(self) -> None:
        """Begin to call. After an end the device is opened anew, and frames count from 0 again.

        Raises ClosedError; StateError while it is active; what the run before had ended with, if nobody asked; and
        what opening raises.
        """
        if self._closed:
            raise errors.ClosedError(f"Stream of {self._device}: closed")
        if self._loop.active:
            raise errors.StateError(f"Stream of {self._device}: it is active")
        if self._started:
            self._loop.wait(None)
            self._raise()
            self._forgotten.detach()
            self._loop.stream.close()
            self._loop = self._open()
        self._started = True
        self._loop.start()

    def stop(self, timeout: float | None = None) -> None:
        """Call no more, play what was written, then stop. ``timeout``, seconds: TimeoutError, and it goes on stopping.

        Raises what the callback raised, once; without ``timeout`` TimeoutError where the callback does not return for a
        buffer's time and a second, for nobody can end it. In the callback: when it has returned.
        """
        self._end(Asked.STOP, timeout)

    def abort(self) -> None:
        """Stop at once. Else as ``stop`` without ``timeout``."""
        self._end(Asked.ABORT, None)

    def wait(self, timeout: float | None = None) -> None:
        """Wait until it has ended by itself. ``timeout``, seconds: TimeoutError, and nothing has changed.

        Raises what the callback raised, once; StateError in the callback itself, which would wait for itself.
        """
        if self._loop.is_mine:
            raise errors.StateError(f"Stream of {self._device}: its own callback cannot wait for it")
        if self._started and not self._loop.wait(timeout):
            raise TimeoutError(f"Stream of {self._device}: it did not end in {timeout} s")
        self._raise()

    def close(self) -> None:
        """Stop at once and close; twice is harmless. Else as ``abort``.

        After its TimeoutError the device stays open until the callback returns; then ``close`` may be called again.
        """
        if (error := self._close()) is not None:
            raise error

    def _close(self) -> BaseException | None:
        """Close; gives what the callback raised, once."""
        self._closed = True
        loop = self._loop
        if loop.is_mine:
            loop.ask(Asked.ABORT, close=True)
            return None
        loop.ask(Asked.ABORT)
        self._wait_for_callback(Asked.ABORT)
        loop.stream.close()
        self._forgotten.detach()
        return loop.take_error()

    def _end(self, how: Asked, timeout: float | None) -> None:
        if not self._started:
            return
        self._loop.ask(how)
        if self._loop.is_mine:
            return
        if timeout is None:
            self._wait_for_callback(how)
        elif not self._loop.wait(timeout):
            raise TimeoutError(f"Stream of {self._device}: it did not stop in {timeout} s")
        self._raise()

    def _wait_for_callback(self, how: Asked) -> None:
        """As long as what was written is played, but not for a callback that does not return."""
        loop = self._loop
        while not ends_soon(loop):
            if loop.calling or how is Asked.ABORT:
                raise TimeoutError(
                    f"Stream of {self._device}: its callback does not return; the device stays open until then"
                )

    def _raise(self) -> None:
        if (error := self._loop.take_error()) is not None:
            raise error

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            try:
                self.stop()
            finally:
                self.close()
            return
        raised = self._close()
        if raised is None:
            return
        # The one that is under way says more; the callback's goes along with it, where there is a place.
        if error.__context__ is None and not error.__suppress_context__:
            error.__context__ = raised
        else:
            _log.error("%r: its callback raised too", self, exc_info=raised)

    def __repr__(self) -> str:
        doing = "closed" if self._closed else "active" if self.active else "stopped"
        return f"<Stream {self._kind} {doing}: {self._loop.stream!r}>"


def _kind_of(callback: object) -> Kind:
    names: set[str] = set()
    if callable(callback) and not is_native(callback):
        with suppress(ValueError):  # one of those that C wrote
            names = set(inspect.signature(callback).parameters) & {"indata", "outdata"}
    if not names:
        raise errors.ArgumentError("say kind=: its parameters are not named indata or outdata")
    return "duplex" if len(names) == 2 else "capture" if "indata" in names else "playback"  # noqa: PLR2004 -- both


def _end_forgotten(loop: Loop, device: str) -> None:
    """A Stream died, or the interpreter ends, before it was closed."""
    if loop.foreign:
        return  # it is the parent's, and goes on there
    active = loop.active
    loop.ask(Asked.ABORT, close=True)
    if not loop.is_mine:
        if not ends_soon(loop):
            # Nobody can end a callback that sleeps, or waits for what never comes; the interpreter is not to wait too.
            # Its thread is a daemon. Should it return after all, it closes the stream.
            _log.error("Stream of %s: its callback does not return; its thread is left behind", device)
            warnings.warn(f"Stream of {device}: its callback does not return", ResourceWarning, stacklevel=2)
            return
        loop.stream.close()
    if (error := loop.take_error()) is not None:
        _log.error("Stream of %s: nobody asked for the error of its callback", device, exc_info=error)
        warnings.warn(
            f"Stream of {device}: its callback raised {error!r}, and nobody asked", ResourceWarning, stacklevel=2
        )
    elif active:
        warnings.warn(f"Stream of {device}: not closed", ResourceWarning, stacklevel=2)
