"""duplex(): playback and capture that belong together."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from alsamm import errors
from alsamm.checks import count_of
from alsamm.enums import Format, State
from alsamm.stream.aio import AsyncDuplex
from alsamm.stream.base import Policy
from alsamm.stream.capture import CaptureStream, capture
from alsamm.stream.held import HeldPair
from alsamm.stream.pair import Pair
from alsamm.stream.playback import PlaybackStream, playback

if TYPE_CHECKING:
    from numpy.typing import DTypeLike
    from typing_extensions import Self

__all__ = ["DuplexStream", "duplex"]

_Array = np.ndarray[Any, np.dtype[Any]]


def duplex(
    device: str = "default",
    capture_device: str | None = None,
    *,
    rate: int = 48_000,
    channels: int = 2,
    capture_channels: int | None = None,
    format: Format | str | None = None,  # noqa: A002 -- ALSA's word
    dtype: DTypeLike | None = None,
    period_size: int | None = None,
    buffer_size: int | None = None,
    latency: float | Literal["low", "high"] | None = None,
    nearest: bool = False,
    dither: bool = False,
    force_sync_ptr: bool = False,
    on_xrun: Policy = "recover",
    link: bool | None = None,
    resample: bool = False,
) -> DuplexStream:
    """Open a device to play on and to record from at once; for ``with``.

    The wishes are those of ``playback``, for both directions; ``capture_device`` and ``capture_channels`` where they
    are others. Both must come out with the same rate and period.

    ``link``: whether both are to start on one trigger (snd_pcm_link). None: if the kernel can, which ``linked`` tells;
    True: UnsupportedError if it cannot; False: never.

    ``resample``: two cards have two clocks, and one of the buffers runs dry or over in the end. With it what is
    captured is resampled by the few millionths that they differ by (extra ``resample``: soxr). UnsupportedError without
    soxr.
    """
    wishes: dict[str, Any] = {
        "rate": rate,
        "format": format,
        "dtype": dtype,
        "period_size": period_size,
        "buffer_size": buffer_size,
        "latency": latency,
        "nearest": nearest,
        "dither": dither,
        "force_sync_ptr": force_sync_ptr,
        "on_xrun": on_xrun,
    }
    with ExitStack() as stack:
        out = playback(device, channels=channels, **wishes)
        stack.callback(out.close)
        heard_by = device if capture_device is None else capture_device
        mic = capture(heard_by, channels=channels if capture_channels is None else capture_channels, **wishes)
        stack.callback(mic.close)
        stream = DuplexStream(out, mic, link=link, resample=resample)
        stack.pop_all()
        return stream


class DuplexStream:
    """What ``duplex`` gives: ``playback`` and ``capture``, and what holds them together.

    The buffer of the playback begins full of silence. From then on, for each period that is captured one is played, so
    what is written beside the captured frame n is heard while the frame ``n + offset`` is captured. Frames are numbered
    so that this holds after an interruption too, which stops both and begins anew with both.

    Synchronization: one thread at a time; what was granted, ``stats`` and ``time`` of the two from any.
    """

    def __init__(
        self, out: PlaybackStream, mic: CaptureStream, *, link: bool | None = None, resample: bool = False
    ) -> None:
        if link is not None and not isinstance(link, bool):  # pyright: ignore[reportUnnecessaryIsInstance] -- as above
            raise errors.ArgumentTypeError(f"link = {link!r}: True, False or None")
        if link and resample:
            raise errors.ArgumentError(
                "resample is for two clocks, link for one trigger of one clock: give one of them"
            )
        if (out.rate, out.period_size) != (mic.rate, mic.period_size):
            raise errors.ArgumentError(
                f"playback has {out.rate} Hz and periods of {out.period_size}, capture {mic.rate} Hz and"
                f" {mic.period_size}: choose what both can do"
            )
        self._out = out
        self._mic = mic
        self._pair = HeldPair(out, mic) if resample else Pair(out, mic, link=link)

    # ---- what was granted ----

    @property
    def playback(self) -> PlaybackStream:
        """What is played."""
        return self._out

    @property
    def capture(self) -> CaptureStream:
        """What is captured."""
        return self._mic

    @property
    def rate(self) -> int:
        """Frames a second, of both."""
        return self._out.rate

    @property
    def period_size(self) -> int:
        """Frames of a period, of both."""
        return self._out.period_size

    @property
    def linked(self) -> bool:
        """Whether the kernel starts and stops both as one (snd_pcm_link)."""
        return self._pair.linked

    @property
    def offset(self) -> int:
        """What is written beside the captured frame n is heard while frame n + offset is captured, cables aside.

        Linked: the frames of silence that playback begins with, exact where the driver starts both on one trigger.
        Not linked: measured by both clocks, to a few frames. StateError before the start, then.
        """
        return self._pair.offset

    @property
    def drift_ppm(self) -> float:
        """By how many millionths the capture's clock is faster than the playback's; 0 on one card.

        As far as it is known: each ``time()`` of the two adds to it. StateError before the start.
        """
        return self._pair.drift_ppm()

    @property
    def closed(self) -> bool:
        """Whether ``close`` was called."""
        return self._out.closed or self._mic.closed

    # ---- moving samples ----

    def periods(self, count: int | None = None) -> Generator[tuple[_Array, _Array]]:
        """Period by period, what was captured (read-only) and what is to be played (to be filled).

        Starts both. As the loop turns both are handed to the card; a turn that is left by ``break`` or an exception
        plays nothing. Views of the cards' own memory where there are rings and no conversion.
        """
        count = None if count is None else count_of("count", count)
        while count is None or count > 0:
            turn = self._pair.turn()
            yield turn.heard, turn.played
            self._pair.done(turn)
            count = count if count is None else count - 1

    def exchange(self, samples: Any) -> _Array:
        """Play ``samples`` and give what was captured meanwhile: frame k of it while frame k of them was heard.

        ``samples``: (frames, channels) of ``dtype``; what comes back has as many frames, of the capture's channels.
        What an interruption lost is silent in it: see ``stats``.
        """
        samples = np.asarray(samples)
        if samples.dtype != self._out.dtype.base:
            raise errors.ArgumentTypeError(f"samples are {samples.dtype.str}; the stream takes {self._out.dtype.str}")
        if samples.ndim == 1 and self._out.channels == 1:
            samples = samples[:, None]
        if samples.shape[1:] != (self._out.channels, *self._out.dtype.shape):
            raise errors.ArgumentError(f"samples of shape {samples.shape}: (frames, {self._out.channels})")
        heard = np.zeros((len(samples), self._mic.channels, *self._mic.dtype.shape), self._mic.dtype.base)
        begin = offset = None
        while True:
            turn = self._pair.turn()
            if begin is None or offset is None:
                begin, offset = turn.number, self.offset  # the first sample is written beside the frame ``begin``
            turn.played[...] = 0
            _lay(samples, begin - turn.number, turn.played)
            _lay(turn.heard, turn.number - begin - offset, heard)
            self._pair.done(turn)
            if turn.number + self.period_size >= begin + offset + len(samples):
                return heard

    # ---- state ----

    def start(self) -> None:
        """Start both; they may run already."""
        self._pair.start()

    def recover(self) -> None:
        """Go on after an xrun or a suspend that was raised."""
        self._pair.recover()

    def drop(self) -> None:
        """Stop both at once."""
        self._pair.drop()

    def prepare(self) -> None:
        """Make both ready again after ``drop``."""
        self._pair.prepare()

    def drain(self, timeout: float | None = None) -> None:
        """Stop capturing, and play what was written to its end. They are not held together any more: ``close`` follows.

        ``timeout`` and errors as PlaybackStream.drain.
        """
        self._pair.part()
        self._mic.drop()
        self._out.drain(timeout)

    def close(self) -> None:
        """Stop both at once and close; twice is harmless."""
        try:
            self._pair.part()
            self._out.close()
        finally:
            self._mic.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None and not self.closed and self._out.state == State.RUNNING:
                self.drain()
        finally:
            self.close()

    async def __aenter__(self) -> AsyncDuplex:
        return AsyncDuplex(self, self._pair)

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        await asyncio.get_running_loop().run_in_executor(None, self.__exit__, kind, None, None)

    def __repr__(self) -> str:
        return f"<DuplexStream{' linked' if self.linked and not self.closed else ''}: {self._out!r}, {self._mic!r}>"


def _lay(source: _Array, at: int, target: _Array) -> None:
    """Copy what of ``source`` falls into ``target`` when its first frame is laid at frame ``at`` of it."""
    first, last = max(0, at), min(len(target), at + len(source))
    if first < last:
        target[first:last] = source[first - at : last - at]
