"""Where sound comes from: WAV by ourselves, samples without a header, and by soundfile all that libsndfile reads."""

from __future__ import annotations

import importlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

import alsamm
from alsamm.cli.sound import Sound, holders
from alsamm.enums import Format
from alsamm.wav import WavReader

if TYPE_CHECKING:
    from typing_extensions import Self

    from alsamm.wav import Frames

__all__ = ["STANDARD", "Source", "open_source", "require_file", "soundfile"]

STANDARD = "-"
"""The name of standard input and output."""

_PIECES = 50  # a second: no longer than a ring, or what comes by a pipe as it is made would come too late
_WAV_HEADS = (b"RIFF", b"RF64", b"BW64")
# What libsndfile decodes without rounding, and into what; the rest was lossy, and comes as float32.
_EXACT = {
    **dict.fromkeys(("PCM_S8", "PCM_U8", "PCM_16", "ULAW", "ALAW", "IMA_ADPCM", "MS_ADPCM", "ALAC_16"), Format.S16),
    **dict.fromkeys(("PCM_24", "PCM_32", "ALAC_20", "ALAC_24", "ALAC_32"), Format.S32),
    "FLOAT": Format.FLOAT,
    "DOUBLE": Format.FLOAT64,
}
_OF_24_BITS = ("PCM_24", "ALAC_20", "ALAC_24")
_IN_24_BITS = (Format.S24_LE, Format.S24_3LE)
_OF_LOSSY = (Format.FLOAT, Format.S32_LE, *_IN_24_BITS, Format.S16_LE)


class Source:
    """Sound to be read from front to end, once.

    ``holders`` are the card's formats that keep all of it, the best first. ``start`` and ``seconds`` choose a part.

    Synchronization: none; one thread at a time.
    """

    def __init__(self, reader: WavReader | _RawReader | _SoundFileReader, name: str, fits: tuple[Format, ...]) -> None:
        self._reader = reader
        self.name = name
        self.lossy = fits is _OF_LOSSY
        """Whether its samples are what a decoder made of less, so that no format is the right one."""
        self.sound = Sound(reader.format, reader.channels, reader.rate)
        self.holders = fits
        self._first = 0
        self._last: int | None = None

    def is_like(self, other: Source) -> bool:
        """Whether a stream for one is a stream for the other."""
        return self.sound == other.sound and self.holders == other.holders

    def cut(self, start: float | None, seconds: float | None) -> None:
        """Leave out all that is not in this part, both in seconds."""
        self._first = round((start or 0.0) * self.sound.rate)
        self._last = None if seconds is None else self._first + max(1, round(seconds * self.sound.rate))

    @property
    def promised(self) -> int | None:
        """Frames that are to be expected; None: nobody can tell."""
        total = self._reader.promised
        ends = [end for end in (total, self._last) if end is not None]
        return max(0, min(ends) - self._first) if ends else None

    @property
    def complaint(self) -> str:
        """What was wrong with it, known at its end; "" for nothing."""
        return self._reader.complaint

    def blocks(self) -> Iterator[Frames]:
        """Arrays (frames, channels) of ``sound.format``'s dtype."""
        at = 0
        for block in self._reader.blocks(max(1, self.sound.rate // _PIECES)):
            begin, end = self._first - at, len(block) if self._last is None else self._last - at
            at += len(block)
            if max(0, begin) < min(len(block), end):
                yield block[max(0, begin) : end]
            if self._last is not None and at >= self._last:
                return

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._reader.close()


def require_file(path: str) -> None:
    """Raise FileNotFoundError, IsADirectoryError or PermissionError now and not when its turn comes."""
    if path != STANDARD:
        os.stat(path)  # noqa: PTH116 -- its error names the path
        if Path(path).is_file():
            open(path, "rb").close()  # noqa: PTH123 -- likewise


def open_source(path: str, raw: Sound | None = None) -> Source:
    """Open a file, or standard input for ``-``; ``raw``: what its samples are, if it has no header.

    Raises UnsupportedError for what is no sound or cannot be read without soundfile; OSError.
    """
    name = "standard input" if path == STANDARD else path
    if raw is not None:
        return Source(_RawReader(name, _binary(path), raw), name, holders(raw.format))
    if path == STANDARD or not stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116 -- as above
        try:
            return _wav(WavReader(name, file=_binary(path)), name)
        except alsamm.UnsupportedError as error:
            raise alsamm.UnsupportedError(f"{error}; --raw is for samples without a header") from None
    with _binary(path) as file:
        head = file.read(12)
    if head[:4] not in _WAV_HEADS or head[8:] != b"WAVE":
        return _by_soundfile(path, f"{path}: no WAV file")
    try:
        return _wav(WavReader(path), path)
    except alsamm.UnsupportedError as error:
        return _by_soundfile(path, str(error))


def soundfile(why: str) -> Any:
    """The module. Raises UnsupportedError, with why it is needed, where it is not installed."""
    try:
        return importlib.import_module("soundfile")
    except ImportError:
        message = f"{why}; other sound files need soundfile: pip install 'alsamm[cli]'"
        raise alsamm.UnsupportedError(message) from None
    except OSError as error:  # without libsndfile
        raise alsamm.UnsupportedError(f"{why}; soundfile cannot be used: {error}") from None


def _binary(path: str) -> BinaryIO:
    if path == STANDARD:
        return open(0, "rb", closefd=False)
    return open(path, "rb")  # noqa: PTH123 -- likewise


def _wav(reader: WavReader, name: str) -> Source:
    return Source(reader, name, holders(reader.format))


def _by_soundfile(path: str, why: str) -> Source:
    module = soundfile(why)
    try:
        file = module.SoundFile(path)
    except module.LibsndfileError as error:
        raise alsamm.UnsupportedError(f"{why}, and soundfile says: {error.error_string}") from None
    reader = _SoundFileReader(path, file, module.LibsndfileError)
    if file.subtype in _OF_24_BITS:
        fits = tuple(dict.fromkeys((Format.S32_LE, *_IN_24_BITS)))
    else:
        fits = holders(reader.format) if file.subtype in _EXACT else _OF_LOSSY
    return Source(reader, path, fits)


class _RawReader:
    """Samples without a header."""

    def __init__(self, name: str, file: BinaryIO, sound: Sound) -> None:
        self._name = name
        self._file = file
        self.format, self.channels, self.rate = sound.format, sound.channels, sound.rate
        self._frame_bytes = sound.channels * sound.format.dtype.itemsize
        about = os.fstat(file.fileno())
        self._size = about.st_size if stat.S_ISREG(about.st_mode) else None
        self.complaint = ""

    @property
    def promised(self) -> int | None:
        return None if self._size is None else self._size // self._frame_bytes

    def blocks(self, frames: int) -> Iterator[Frames]:
        while raw := self._file.read(frames * self._frame_bytes):
            count = len(raw) // self._frame_bytes
            if spare := len(raw) % self._frame_bytes:
                self.complaint = f"{self._name} ends within a frame: {spare} bytes of {self._frame_bytes} are left out"
            flat = np.frombuffer(raw[: count * self._frame_bytes], self.format.dtype.base)
            yield flat.reshape((count, self.channels, *self.format.dtype.shape))

    def close(self) -> None:
        self._file.close()


class _SoundFileReader:
    """What libsndfile decodes."""

    def __init__(self, path: str, file: Any, failure: type[Exception]) -> None:
        self._path = path
        self._file = file
        self._failure = failure
        self.format: Format = _EXACT.get(file.subtype, Format.FLOAT)
        self.channels: int = file.channels
        self.rate: int = file.samplerate
        self.promised: int | None = file.frames if 0 < file.frames < 1 << 62 else None
        self.complaint = ""

    def blocks(self, frames: int) -> Iterator[Frames]:
        done = 0
        while True:
            try:
                block = self._file.read(frames, dtype=self.format.dtype.name, always_2d=True)
            except self._failure as error:
                if self.promised is None and done:  # libsndfile stumbles over the end of a FLAC file that tells of none
                    self.complaint = f"{self._path} ends abruptly: {done} frames are there"
                    return
                message = f"{self._path}: soundfile cannot read on after {done} frames: {error}"
                raise alsamm.UnsupportedError(message) from None
            if not len(block):
                break
            done += len(block)
            yield block
        if self.promised is not None and done < self.promised:
            self.complaint = f"{self._path} is truncated: its header tells of {self.promised} frames, {done} are there"

    def close(self) -> None:
        self._file.close()
