"""The conversions that lose nothing, for cards that do not take a file's frames as they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from alsamm.cli.streams import Sound
from alsamm.enums import Format
from alsamm.wav import Frames

__all__ = ["difference", "narrowed", "widened", "wider"]

_WIDER = (Format.S32_LE, Format.S24_LE)


def wider(sound: Sound) -> Iterator[Sound]:
    """What the frames can be widened to, first as they are: packed 24 bits to four bytes, mono to stereo."""
    formats = (sound.format, *_WIDER) if sound.format is Format.S24_3LE else (sound.format,)
    for channels in (sound.channels, 2) if sound.channels == 1 else (sound.channels,):
        for sample_format in formats:
            yield Sound(sample_format, channels, sound.rate)


def widened(given: Sound, wanted: Sound) -> Callable[[Frames], Frames]:
    """The function that makes frames of ``given`` frames of ``wanted``, which is one of ``wider(given)``."""

    def convert(frames: Frames) -> Frames:
        if given.format is not wanted.format:
            octets = np.zeros((*frames.shape[:2], 4), "u1")
            octets[..., 1:] = frames
            frames = octets.view("<i4")[..., 0]
            if wanted.format is Format.S24_LE:
                frames = frames >> 8
        return frames if given.channels == wanted.channels else np.repeat(frames, wanted.channels, axis=1)

    return convert


def difference(given: Sound, wanted: Sound) -> str:
    """What ``widened`` does, in words; "" for nothing."""
    words: list[str] = []
    if given.format is not wanted.format:
        words.append(f"{given.format} widened to {wanted.format}")
    if given.channels != wanted.channels:
        words.append(f"mono copied to {wanted.channels} channels")
    return ", ".join(words)


def narrowed(frames: Frames) -> Frames:
    """S24_LE as S24_3LE: a WAV file has no place for 24 bits in four bytes, and the fourth says nothing."""
    return np.ascontiguousarray(frames).astype("<i4").view("u1").reshape((*frames.shape, 4))[..., :3]
