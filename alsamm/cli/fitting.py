"""What a card is set to for a sound, and what the sound becomes on the way: nothing that was not asked for."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

import alsamm
from alsamm.cli.sound import Sound, native, native_format
from alsamm.enums import Direction, Format

if TYPE_CHECKING:
    import argparse

    from alsamm.wav import Frames

__all__ = ["Converter", "Helps", "card_for", "hardware", "open_stream", "require_soxr", "transport"]

_PERIOD = 1024
_PERIODS = 16
_LONGEST = 60.0  # seconds


class Helps(NamedTuple):
    """What to say where the card cannot do something; None: take what is nearest instead."""

    rate: str | None = ""
    channels: str | None = ""
    format: str = ""
    copy_mono: bool = False
    """Two channels will do where there is not one."""


def hardware(name: str, direction: Direction) -> tuple[alsamm.PCM, alsamm.HwParams]:
    """What a device can do; the PCM is to be closed. It is opened without waiting, and nothing is set."""
    pcm = alsamm.PCM(name, direction, blocking=False)
    try:
        return pcm, alsamm.HwParams(pcm)
    except BaseException:
        pcm.close()
        raise


def card_for(hw: alsamm.HwParams, sound: Sound, formats: Sequence[Format], helps: Helps) -> Sound:
    """What the card is to be set to for a sound, whose samples fit any of ``formats``, the best first.

    Raises ParameterError for what it cannot do, telling what could be had and which option helps.
    """
    # In an order that makes the message about what the user can change.
    rate = _decide(hw, "rate", sound.rate, helps.rate)
    channels = sound.channels
    if helps.copy_mono and channels == 1 and not hw.allows(channels=1) and hw.allows(channels=2):
        channels = 2
    channels = _decide(hw, "channels", channels, helps.channels)
    chosen = next((each for each in formats if hw.allows(format=each)), formats[0])
    _decide(hw, "format", chosen, helps.format)
    return Sound(chosen, channels, rate)


def _decide(hw: alsamm.HwParams, name: Literal["rate", "channels", "format"], value: int, hint: str | None) -> int:
    """Exactly, or where there is no hint the nearest, if it is a number."""
    try:
        setattr(hw, name, value)
    except alsamm.ParameterError as error:
        if hint is None:
            return hw.nearest(rate=value) if name == "rate" else hw.nearest(channels=value)
        message = f"{error.strerror}; {hint}" if hint else str(error.strerror)
        raise alsamm.ParameterError(error.errno or 0, message, error.func, error.device) from None
    return value


def open_stream(
    arguments: argparse.Namespace, name: str, direction: Direction, card: Sound, held: Format
) -> alsamm.PlaybackStream | alsamm.CaptureStream:
    """The stream for arrays of ``held`` samples, with the ring that the options want, exactly, or what is usual."""
    sizes: dict[str, Any] = {"period_size": arguments.period}
    if arguments.buffer is not None:
        sizes["buffer_size"] = arguments.buffer
    elif arguments.period is not None:
        sizes["latency"] = min(_LONGEST, _PERIODS * max(_PERIOD, arguments.period) / card.rate)
    else:
        sizes = {"period_size": _PERIOD, "buffer_size": _PERIODS * _PERIOD, "nearest": True}
    opener = alsamm.playback if direction == Direction.PLAYBACK else alsamm.capture
    stream: alsamm.PlaybackStream | alsamm.CaptureStream = opener(
        name,
        rate=card.rate,
        channels=card.channels,
        format=card.format,
        dtype=None if held is card.format else held.dtype,
        force_sync_ptr=arguments.sync_ptr,
        **sizes,
    )
    if (stream.rate, stream.channels) != (card.rate, card.channels):
        stream.close()
        raise alsamm.UnsupportedError(f"{name} gave {stream.channels} channels at {stream.rate} Hz, not {card}")
    return stream


def transport(stream: alsamm.PlaybackStream | alsamm.CaptureStream) -> str:
    """How it goes, in words."""
    by_calls = stream.transport == "alsa-lib" and stream.pcm.is_kernel
    return "read/write calls" if by_calls else stream.transport


class Converter:
    """Makes blocks of ``given`` blocks with so many channels and that rate.

    ``format`` is what it gives: ``given``'s where nothing is to be done and nothing needs native numbers.

    Raises UnsupportedError where soxr is needed and missing.

    Synchronization: none; one thread at a time.
    """

    def __init__(self, given: Sound, channels: int, rate: int, *, to_native: bool) -> None:
        self._given = given
        self._channels = channels
        self._native = to_native or channels != given.channels or rate != given.rate
        self.format = native_format(given.format) if self._native else given.format
        self._soxr: Any = None
        if rate != given.rate:
            self._soxr = require_soxr().ResampleStream(given.rate, rate, channels, dtype=self.format.dtype.name)

    def blocks(self, blocks: Iterable[Frames]) -> Iterator[Frames]:
        """Each as it becomes, and at the end what the resampler still has."""
        for block in blocks:
            yield from self._given_on(block, last=False)
        yield from self._given_on(np.empty((0, self._given.channels), self._given.format.dtype), last=True)

    def _given_on(self, block: Frames, *, last: bool) -> Iterator[Frames]:
        if self._native:
            block = _mixed(native(block, self._given.format), self._channels)
        if self._soxr is not None:
            block = self._soxr.resample_chunk(np.ascontiguousarray(block), last=last)
        if len(block):
            yield block


def require_soxr() -> Any:
    """The module that changes rates. Raises UnsupportedError where it is not installed."""
    try:
        return importlib.import_module("soxr")
    except ImportError:
        raise alsamm.UnsupportedError("--resample needs soxr: pip install 'alsamm[resample]'") from None


def _mixed(block: Frames, channels: int) -> Frames:
    """One channel is copied to all, all are averaged to one; else the first ones are kept, and more are silent."""
    there = block.shape[1]
    if channels == there:
        return block
    if there == 1:
        return np.repeat(block, channels, axis=1)
    if channels == 1:
        mean = block.mean(axis=1, dtype="f8", keepdims=True)
        one: Frames = (mean if block.dtype.kind == "f" else np.rint(mean)).astype(block.dtype)
        return one
    mixed: Frames = np.zeros((len(block), channels), block.dtype)
    mixed[:, : min(there, channels)] = block[:, :channels]
    return mixed
