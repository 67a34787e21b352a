"""Streams for asyncio: ``async with alsamm.playback(...) as out`` gives one whose calls are awaited."""

from __future__ import annotations

import asyncio
import select
import time
from collections.abc import AsyncIterable, AsyncIterator, Callable, Generator, Iterable
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, ClassVar, Generic, NoReturn, TypeVar

import numpy as np

from alsamm import errors
from alsamm.checks import count_of, seconds_of
from alsamm.enums import State
from alsamm.samples import as_frames, is_buffer

if TYPE_CHECKING:
    from alsamm.stream.base import DeviceStream
    from alsamm.stream.capture import CaptureStream
    from alsamm.stream.duplex import DuplexStream
    from alsamm.stream.pair import Pair
    from alsamm.stream.playback import PlaybackStream

__all__ = ["AsyncCapture", "AsyncDuplex", "AsyncPlayback", "AsyncStream", "Awaitable"]

_Array = np.ndarray[Any, np.dtype[Any]]
_S = TypeVar("_S", bound="DeviceStream")
_A = TypeVar("_A", bound="AsyncStream[Any]")
_NAP = 0.05
"""Seconds between two looks whether the system has woken up."""
_LATE, _CLOSING = -1, -2
"""Instead of a descriptor: what else wakes who waits."""


class AsyncStream(Generic[_S]):
    """What both directions do. The synchronous stream is ``stream``; all that it can tell can be asked of it.

    One task at a time; other tasks run while it waits. A call that is cancelled loses no frame, and the stream goes on.

    Synchronization: the event loop's thread.
    """

    def __init__(self, stream: _S) -> None:
        self.stream = stream
        self._busy = False
        self._woken: asyncio.Future[tuple[int, int]] | None = None
        """Who waits."""
        self._watched: list[int] = []
        """Descriptors that the event loop watches for it: none after ``close``, when their numbers are others'."""
        stream.closing = self._closing

    async def ready(self, timeout: float | None = None) -> None:
        """Return when the card has something to tell: room, frames, or an error that the next call raises.

        ``timeout``, seconds; None: a buffer's time and a second. Raises TimeoutError; StateError where another task
        waits; ClosedError.
        """
        stream = self.stream
        seconds = self.patience if timeout is None else seconds_of(timeout)
        if self._woken is not None:
            self._refuse()
        loop = asyncio.get_running_loop()
        woken = self._woken = loop.create_future()
        # Not wait_for, which until Python 3.12 forgets that it was cancelled if it is woken at the same time.
        # By way of one more turn of the loop, which looks at the descriptors first: a process that was stopped has no
        # time left when it goes on, whatever the card has to tell.
        alarm = loop.call_later(seconds, loop.call_later, 0, _wake, woken, _LATE, 0)
        try:
            # Only now, so that who closes after it finds whom to wake.
            for fd, events in stream.pcm.poll_descriptors():
                self._watch(woken, fd, events)
            who = await woken
            if who[0] == _CLOSING:
                self._ended()
            if who[0] == _LATE:
                raise TimeoutError(f"{stream.device}: the card stands still")
            stream.pcm.poll_revents([who])  # alsa-lib's plugins must be told, before they look at what there is
        except OSError as error:  # EBADF of the loop's selector: another thread was quicker
            if stream.closed:
                self._ended(error)
            raise
        finally:
            alarm.cancel()
            self._unwatch(loop)
            self._woken = None

    def _watch(self, woken: asyncio.Future[tuple[int, int]], fd: int, events: int) -> None:
        loop = woken.get_loop()
        self._watched.append(fd)
        try:
            if events & select.POLLIN:
                loop.add_reader(fd, _wake, woken, fd, select.POLLIN)
            if events & select.POLLOUT:
                loop.add_writer(fd, _wake, woken, fd, select.POLLOUT)
        except PermissionError:  # epoll's word for what is always ready: /dev/null, which the PCM "null" polls
            loop.call_soon(_wake, woken, fd, events)

    def _unwatch(self, loop: asyncio.AbstractEventLoop) -> None:
        while self._watched:
            fd = self._watched.pop()
            loop.remove_reader(fd)
            loop.remove_writer(fd)

    @property
    def patience(self) -> float:
        """Seconds for which a card may stand still: a buffer's time and one."""
        return self.stream.buffer_size / self.stream.rate + 1

    @contextmanager
    def _alone(self) -> Generator[None]:
        if self._busy:
            self._refuse()
        self._busy = True
        try:
            yield
        finally:
            self._busy = False

    def _refuse(self) -> NoReturn:
        raise errors.StateError(f"{self.stream.device}: another task waits for it; one task at a time")

    async def _awake(self) -> None:
        """Recover from a suspend here, for the stream's own calls would sleep while the system does, and with them all.

        Raises SuspendedError for a system that stays asleep.
        """
        stream = self.stream
        if stream.recovers and stream.state == State.SUSPENDED:
            await _recovered(stream.recover, self.patience)

    async def drain(self, timeout: float | None = None) -> None:
        """As the stream's ``drain``, in a thread, for it waits."""
        raise NotImplementedError

    def close(self) -> None:
        """Stop at once and close, as the stream's own ``close``. A task that waits gets ClosedError."""
        self.stream.close()

    def _closing(self) -> None:
        """Before the stream closes its descriptors: their numbers are others' then."""
        if (woken := self._woken) is None:
            return
        loop = woken.get_loop()
        if asyncio._get_running_loop() is loop:  # noqa: SLF001 -- public by its documentation; None in other threads
            self._give_up(woken)
        else:  # another thread, which must not touch the loop's selector
            with suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(self._give_up, woken)

    def _give_up(self, woken: asyncio.Future[tuple[int, int]]) -> None:
        if self._woken is woken:
            self._unwatch(woken.get_loop())
        _wake(woken, _CLOSING, 0)

    def _ended(self, cause: OSError | None = None) -> NoReturn:
        raise errors.ClosedError(f"{self.stream.device}: closed while a task waited") from cause


async def _recovered(recover: Callable[..., None], patience: float) -> None:
    """Recover as soon as the system is awake. Raises SuspendedError for one that stays asleep."""
    end = time.monotonic() + patience
    while True:
        try:
            recover(timeout=0)
        except errors.SuspendedError:  # noqa: PERF203 -- seldom
            if time.monotonic() >= end:
                raise
            await asyncio.sleep(_NAP)
        else:
            return


def _wake(woken: asyncio.Future[tuple[int, int]], fd: int, events: int) -> None:
    if not woken.done():
        woken.set_result((fd, events))


class AsyncPlayback(AsyncStream["PlaybackStream"]):
    """A PlaybackStream to be awaited."""

    def __init__(self, stream: PlaybackStream) -> None:
        super().__init__(stream)
        self.frames_done = 0
        """How many frames the last ``write`` has written, also if it was cancelled."""

    async def write(self, samples: Any) -> int:
        """Write every frame, other tasks running while the buffer is full; gives how many, which is all.

        ``samples`` as PlaybackStream.write takes them, and also an asynchronous iterable of blocks. What is written
        when it is cancelled stays written, ``frames_done`` of it: write the rest again, or not. Raises as the stream's;
        TimeoutError when the card stands still for a buffer and a second.
        """
        with self._alone():
            self.frames_done = 0
            if isinstance(samples, AsyncIterable):
                async for block in samples:
                    await self._write(block)
            elif isinstance(samples, np.ndarray) or is_buffer(samples) or not isinstance(samples, Iterable):
                await self._write(samples)
            else:
                for block in samples:
                    await self._write(block)
            return self.frames_done

    async def _write(self, samples: Any) -> None:
        stream = self.stream
        block = as_frames(samples, stream.array_format, stream.channels)
        done = 0
        while True:
            await self._awake()
            written = stream.write_available(block[done:])
            done += written
            self.frames_done += written
            if done == len(block):
                return
            await self.ready()  # for a whole period: a few frames there always are

    async def drain(self, timeout: float | None = None) -> None:
        """Play what was written to its end. Cancelled: it stops at once. Else as PlaybackStream.drain."""
        work = asyncio.get_running_loop().run_in_executor(None, self.stream.drain, timeout)
        try:
            await asyncio.shield(work)
        except asyncio.CancelledError:
            self.stream.pcm.drop()
            await asyncio.wait([work])
            work.exception()
            raise


class AsyncCapture(AsyncStream["CaptureStream"]):
    """A CaptureStream to be awaited: ``await mic.read(480)``, ``async for block in mic``."""

    async def read(self, frames: int | None = None) -> _Array:
        """Read exactly ``frames`` (None: a period); gives a new array (frames, channels), yours to keep.

        Cancelled, it loses nothing: the next read begins with what it had. Raises as CaptureStream.read; TimeoutError
        when the card stands still for a buffer and a second.
        """
        stream: CaptureStream = self.stream
        with self._alone():
            return await self._read(stream.blank(stream.period_size if frames is None else frames))

    async def _read(self, array: _Array) -> _Array:
        stream, done = self.stream, 0
        try:
            while True:
                await self._awake()
                got = len(stream.read_available(array[done:]))
                done += got
                if done == len(array):
                    return array
                await self.ready()  # for a whole period: a few frames there always are
        except BaseException:
            stream.keep(array[:done])
            raise

    async def __aiter__(self) -> AsyncIterator[_Array]:
        while not self.stream.closed:
            yield await self.read()

    async def drain(self, timeout: float | None = None) -> None:
        """Nothing is to be waited for."""


class AsyncDuplex:
    """A DuplexStream to be awaited: ``async for heard, played in io.periods()``.

    Synchronization: the event loop's thread.
    """

    def __init__(self, stream: DuplexStream, pair: Pair) -> None:
        self.stream = stream
        self._pair = pair
        self._mic = AsyncCapture(stream.capture)

    async def periods(self, count: int | None = None) -> AsyncIterator[tuple[_Array, _Array]]:
        """As DuplexStream.periods; other tasks run while it waits. A turn that is cancelled plays nothing."""
        mic = self.stream.capture
        count = None if count is None else count_of("count", count)
        while count is None or count > 0:
            await self._awake()
            self._pair.going_on(self._pair.start)
            while mic.state == State.RUNNING and mic.ready < mic.period_size:
                await self._mic.ready()
            await self._awake()
            turn = self._pair.turn()
            yield turn.heard, turn.played
            if await self._awake():  # with what both held
                self.stream.playback.lose(turn.played)
            else:
                self._pair.done(turn)
            count = count if count is None else count - 1

    async def _awake(self) -> bool:
        """As AsyncStream's, of both; whether they slept."""
        sides = (self.stream.playback, self.stream.capture)
        if not sides[0].recovers or all(side.state != State.SUSPENDED for side in sides):
            return False
        await _recovered(self._pair.recover, self._mic.patience)
        return True


class Awaitable(Generic[_A]):
    """``async with`` for a stream."""

    _async: ClassVar[Any]

    async def __aenter__(self) -> _A:
        self._awaited: _A = self._async(self)
        return self._awaited

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        stream = self._awaited.stream
        try:
            if kind is None and not stream.closed and stream.state in (State.RUNNING, State.PREPARED, State.XRUN):
                await self._awaited.drain()
        finally:
            self._awaited.close()
