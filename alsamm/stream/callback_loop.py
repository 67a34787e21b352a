"""What runs a callback: a thread of Python's, or one that knows nothing of Python."""

from __future__ import annotations

import enum
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

from alsamm import errors
from alsamm.direct import MmapCapture, MmapPlayback
from alsamm.stream.callback_values import CallbackAbort, CallbackError, CallbackStatus, CallbackStop, CallbackTime
from alsamm.stream.capture import CaptureStream
from alsamm.stream.duplex import DuplexStream
from alsamm.stream.held import HeldPair
from alsamm.stream.native import NativeThread
from alsamm.stream.playback import PlaybackStream

__all__ = ["AnyStream", "Asked", "Loop", "NativeLoop", "PythonLoop", "ends_soon"]

AnyStream = PlaybackStream | CaptureStream | DuplexStream


class Asked(enum.IntEnum):
    """How a loop was asked to end; the greater one wins."""

    NOTHING = 0
    STOP = 1
    """After what was written is played."""
    ABORT = 2
    """At once."""


class Loop(Protocol):
    """One run of a callback over an open stream, from ``start`` until it has ended."""

    stream: AnyStream

    @property
    def foreign(self) -> bool:
        """Whether this process was forked from the one that runs it, and so has no such thread: it has ended, here."""
        ...

    @property
    def active(self) -> bool:
        """Whether the callback may be called, or what it wrote is played."""
        ...

    @property
    def is_mine(self) -> bool:
        """Whether the caller is the callback."""
        ...

    @property
    def calling(self) -> bool:
        """Whether the callback has not returned yet."""
        ...

    def start(self) -> None:
        """Begin."""
        ...

    def ask(self, how: Asked, *, close: bool = False) -> None:
        """Let it end, and then the stream be closed."""
        ...

    def wait(self, timeout: float | None) -> bool:
        """Until it has ended; whether it has."""
        ...

    def take_error(self) -> BaseException | None:
        """What ended it, the first time that it is asked."""
        ...


def sides_of(stream: AnyStream) -> tuple[PlaybackStream | None, CaptureStream | None]:
    """The two directions of a stream, as far as it has them."""
    if isinstance(stream, DuplexStream):
        return stream.playback, stream.capture
    return (stream, None) if isinstance(stream, PlaybackStream) else (None, stream)


def ends_soon(loop: Loop) -> bool:
    """Whether it ends while a callback that keeps up would return: in a buffer's time and a second.

    Waited for in tenths: a process that was stopped, or a system that slept, for longer than that loses only one.
    """
    sides = [side for side in sides_of(loop.stream) if side is not None]
    patience = max(side.buffer_size / side.rate for side in sides) + 1
    return any(loop.wait(patience / 10) for _ in range(10))


def finish(stream: AnyStream, how: Asked) -> None:
    """Play what was written to its end, or stop at once. Raises as ``drain`` and ``drop``."""
    if how is Asked.ABORT or isinstance(stream, CaptureStream):
        stream.drop()
    else:
        stream.drain()


class _Run:
    """What both loops have: the process that they are of, what they were asked, and what ended them."""

    def __init__(self, stream: AnyStream) -> None:
        self.stream = stream
        self._asked = Asked.NOTHING
        self._close = False
        self._error: BaseException | None = None
        # A child of fork may find it held, by a thread that it has not got: look whether it is foreign first.
        self._lock = threading.RLock()
        self._pid = os.getpid()

    @property
    def foreign(self) -> bool:
        """See Loop."""
        return self._pid != os.getpid()

    def take_error(self) -> BaseException | None:
        """See Loop."""
        if self.foreign:
            return None
        with self._lock:
            error, self._error = self._error, None
        return error


class PythonLoop(_Run):
    """Calls a Python function for each period of a stream, in a thread of its own, which alone uses the stream.

    Synchronization: any thread.
    """

    def __init__(self, callback: Callable[..., object], stream: AnyStream) -> None:
        super().__init__(stream)
        self._callback = callback
        self._finishing = False
        self._ended = threading.Event()
        # A daemon, for a program that forgot to stop it must end all the same; Stream ends it then.
        self._thread = threading.Thread(target=self._run, name="alsamm-callback", daemon=True)
        self._out, self._mic = sides_of(stream)
        self._held: DuplexStream | None = None
        if isinstance(stream, DuplexStream) and isinstance(stream._pair, HeldPair):  # noqa: SLF001 -- of one room
            self._held = stream
        self._xruns = self._count()

    @property
    def active(self) -> bool:
        """See Loop."""
        return not self.foreign and self._thread.is_alive() and not self._ended.is_set()

    @property
    def is_mine(self) -> bool:
        """See Loop."""
        return not self.foreign and threading.current_thread() is self._thread

    @property
    def calling(self) -> bool:
        """See Loop. Or an on_xrun function has not; what else it waits for ends by itself."""
        return self.active and not self._finishing

    def start(self) -> None:
        """See Loop."""
        self._pid = os.getpid()
        self._thread.start()

    def ask(self, how: Asked, *, close: bool = False) -> None:
        """See Loop. A drain under way is ended by ABORT."""
        if self.foreign:
            return
        with self._lock:
            self._asked = max(self._asked, how)
            self._close = self._close or close
            if self._finishing and how is Asked.ABORT and not self.is_mine:
                with suppress(errors.AlsaError):  # it has ended meanwhile
                    self.stream.drop()

    def wait(self, timeout: float | None) -> bool:
        """See Loop. True where it was not started."""
        if self.foreign or self._thread.ident is None:
            return True
        if not self._ended.wait(timeout):
            return False
        self._thread.join()
        return True

    # ---- the thread's ----

    def _run(self) -> None:
        try:
            self._serve()
        finally:
            self._ended.set()

    def _serve(self) -> None:
        try:
            self._call_until_asked()
        except BaseException as error:  # noqa: BLE001 -- whoever stops or waits gets it
            self._error = error
            self._asked = Asked.ABORT
        with self._lock:
            self._finishing = True
        try:
            finish(self.stream, self._asked)
        except BaseException as error:  # noqa: BLE001 -- likewise: a card that stands still, an on_xrun that raises
            self._error = error if self._error is None else self._error
            with suppress(errors.AlsaError):
                self.stream.drop()
        with self._lock:
            self._finishing = False
            closing, self._close = self._close, False
        if closing:
            self.stream.close()

    def _call_until_asked(self) -> None:
        last = False
        for block in self.stream.periods():
            if last or self._asked:
                return
            try:
                self._call(block)
            except CallbackStop:
                last = True  # after one more turn, which hands this block over
            except CallbackAbort:
                self._asked = Asked.ABORT
                return

    def _call(self, block: Any) -> None:
        blocks = block if isinstance(block, tuple) else (block,)
        self._callback(*blocks, len(blocks[0]), self._time(blocks[0]), self._status())

    def _time(self, first: Any) -> CallbackTime:
        now = time.monotonic()
        heard, played = 0.0, 0.0
        if self._held is not None:
            heard = now - self._held_ago(self._held) / self._held.rate
        elif self._mic is not None:
            read = 0 if first.base is not None else len(first)  # a view of the ring is not given back yet
            heard = now - (_frames(self._mic) + read) / self._mic.rate
        if self._out is not None:
            played = now + _frames(self._out) / self._out.rate
        return CallbackTime(now, heard, played)

    @staticmethod
    def _held_ago(stream: DuplexStream) -> float:
        """Frames since a block began that was resampled: the microphone's own count says nothing of it.

        What is written beside it is heard ``offset`` frames after it was captured, by definition; so many of these are
        still to come as are queued now.
        """
        out = stream.playback
        return stream.offset - (out.frame - out.frame_at(time.monotonic_ns()))

    def _count(self) -> tuple[int, int]:
        return tuple(0 if side is None else side.ring.xruns for side in (self._mic, self._out))  # type: ignore[return-value]

    def _status(self) -> CallbackStatus:
        before, self._xruns = self._xruns, self._count()
        return CallbackStatus(self._xruns[0] > before[0], self._xruns[1] > before[1])


def _frames(side: PlaybackStream | CaptureStream) -> int:
    """From the next frame to the speaker, or from the microphone to it."""
    try:
        return side.delay
    except errors.AlsaError:  # it does not run
        return side.stats.queued


class NativeLoop(_Run):
    """The same for a C function; see NativeThread.

    Synchronization: any thread.
    """

    def __init__(self, callback: object, stream: AnyStream, user: object) -> None:
        super().__init__(stream)
        self._settled = False
        out, mic = sides_of(stream)
        playback, capture = None if out is None else out.ring, None if mic is None else mic.ring
        if not isinstance(playback, MmapPlayback | None) or not isinstance(capture, MmapCapture | None):
            raise errors.UnsupportedError(
                f"{stream!r}: a C callback works on a card's own memory, which only the kernel's PCMs have (hw:…)"
            )
        recover = all(side.recovers for side in (out, mic) if side is not None)
        self._thread = NativeThread(callback, playback=playback, capture=capture, user=user, recover=recover)

    @property
    def active(self) -> bool:
        """See Loop."""
        return not self.foreign and self._thread.running

    @property
    def is_mine(self) -> bool:
        """Never: C cannot ask."""
        return False

    @property
    def calling(self) -> bool:
        """See Loop."""
        return self._thread.calling

    def start(self) -> None:
        """See Loop."""
        self._pid = os.getpid()
        if isinstance(self.stream, DuplexStream):
            self.stream.start()
        self._thread.start()

    def ask(self, how: Asked, *, close: bool = False) -> None:
        """See Loop."""
        if self.foreign:
            return
        with self._lock:
            self._asked = max(self._asked, how)
            self._close = self._close or close
            if self._asked is Asked.ABORT:
                self._thread.ask_to_stop()
            elif self._asked is Asked.STOP:
                self._thread.ask_to_finish()

    def wait(self, timeout: float | None) -> bool:
        """See Loop."""
        if self.foreign:
            return True
        try:
            self._thread.join(timeout)
        except TimeoutError:
            return False
        with self._lock:
            self._settle()
        return True

    def _settle(self) -> None:
        """After the thread, which has played what was to be played: what it left to do, and to tell."""
        if not self._settled:
            self._settled = True
            try:
                try:
                    self._end_card()
                finally:
                    self._tell()
            except BaseException as error:  # noqa: BLE001 -- whoever stops or waits gets it
                self._error = error
                with suppress(errors.AlsaError):
                    self.stream.drop()
        closing, self._close = self._close, False
        if closing:
            self.stream.close()

    def _end_card(self) -> None:
        self._thread.check()
        if self._thread.answer < 0:
            raise CallbackError(self._thread.answer)
        if self._asked is Asked.ABORT:  # perhaps while it played what was left
            self.stream.drop()

    def _tell(self) -> None:
        """An on_xrun function is Python's: the thread could not call it."""
        for side in sides_of(self.stream):
            if side is not None and isinstance(side.ring, MmapPlayback | MmapCapture):
                side.ring._tell()  # noqa: SLF001 -- of one package
