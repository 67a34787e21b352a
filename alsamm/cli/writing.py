"""Where recorded sound goes: WAV by ourselves, bare samples, and by soundfile what libsndfile writes."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

import alsamm
from alsamm.cli.reading import STANDARD, soundfile
from alsamm.cli.sound import Sound, native
from alsamm.enums import Format
from alsamm.wav import WavWriter

if TYPE_CHECKING:
    from alsamm.wav import Frames

__all__ = ["Target", "keeps", "kept_sound", "open_target"]


class _Container(NamedTuple):
    """A file format as soundfile names it; ``lossy``: its only subtype that is meant here, for any samples."""

    name: str
    lossy: str = ""


_CONTAINERS = {
    ".flac": _Container("FLAC"),
    ".aiff": _Container("AIFF"),
    ".aif": _Container("AIFF"),
    ".aifc": _Container("AIFF"),
    ".au": _Container("AU"),
    ".caf": _Container("CAF"),
    ".rf64": _Container("RF64"),
    ".w64": _Container("W64"),
    ".ogg": _Container("OGG", "VORBIS"),
    ".oga": _Container("OGG", "VORBIS"),
    ".opus": _Container("OGG", "OPUS"),
    ".mp3": _Container("MP3", "MPEG_LAYER_III"),
}
_SUBTYPES = {
    Format.S16_LE: "PCM_16",
    Format.S32_LE: "PCM_32",
    Format.S24_3LE: "PCM_24",
    Format.S24_LE: "PCM_24",
    Format.FLOAT_LE: "FLOAT",
    Format.FLOAT64_LE: "DOUBLE",
}
# What a WAV file can keep, S24_LE as S24_3LE; what comes first is what a card is set to if nobody chooses.
_BY_WAV = (*_SUBTYPES, Format.U8)


class Target(Protocol):
    """A file that is being written.

    Synchronization: none; one thread at a time.
    """

    @property
    def frames(self) -> int:
        """Frames written."""
        ...

    def write(self, frames: Frames, /) -> int:
        """Append; gives how many frames fitted into what such a file can hold."""
        ...

    def close(self) -> None:
        """Make it whole; twice is harmless."""
        ...


def keeps(path: str, *, raw: bool) -> tuple[Format, ...]:
    """The card's formats that the file keeps without loss, the best first.

    Raises UnsupportedError where soundfile is needed and missing.
    """
    if raw:
        return tuple(dict.fromkeys([*_BY_WAV, *(each for each in Format if each.linear)]))
    container = _container(path)
    if container is None:
        return _BY_WAV
    module = soundfile(f"{path}: only WAV files are written without it")
    if container.lossy:
        return tuple(_SUBTYPES)
    return tuple(each for each, subtype in _SUBTYPES.items() if module.check_format(container.name, subtype))


def kept_sound(sound: Sound, *, raw: bool) -> Sound:
    """What the file's samples are, where the card's are ``sound``'s."""
    packed = sound.format is Format.S24_LE and not raw
    return Sound(Format.S24_3LE, sound.channels, sound.rate) if packed else sound


def open_target(path: str, sound: Sound, *, raw: bool) -> Target:
    """Make a file for blocks of ``sound``, in a format that it ``keeps``; ``-`` is standard output.

    Raises UnsupportedError for rates and channels that it cannot hold; OSError.
    """
    out = None
    if path == STANDARD:
        if os.isatty(1):
            raise alsamm.UnsupportedError("sound is not for a terminal: send standard output to a program or a file")
        out = open(1, "wb", buffering=0, closefd=False)  # noqa: SIM115 -- closed by its target
    name = "standard output" if path == STANDARD else path
    if raw:
        return _RawTarget(name, open(path, "wb", buffering=0) if out is None else out)  # noqa: PTH123
    container = _container(path)
    if container is not None:
        return _SoundFileTarget(path, container, sound)
    wav_sound = kept_sound(sound, raw=raw)
    wav = WavWriter(name, wav_sound.format, sound.channels, sound.rate, file=out)
    return wav if wav_sound == sound else _Packing(wav)


def _container(path: str) -> _Container | None:
    return None if path == STANDARD else _CONTAINERS.get(Path(path).suffix.lower())


class _Packing:
    """S24_LE as S24_3LE: a WAV file has no place for 24 bits in four bytes, and the fourth says nothing."""

    def __init__(self, wav: WavWriter) -> None:
        self._wav = wav
        self.close = wav.close

    @property
    def frames(self) -> int:
        return self._wav.frames

    def write(self, frames: Frames) -> int:
        octets = np.ascontiguousarray(frames).astype("<i4").view("u1").reshape((*frames.shape, 4))
        return self._wav.write(octets[..., :3])


class _Disk(io.RawIOBase):
    """A file for libsndfile to write: an error is kept, for it cannot pass through C.

    After one the file ends with what was written whole: FLAC must end with a whole frame.
    """

    def __init__(self, path: str) -> None:
        self._file = open(path, "w+b", buffering=0)  # noqa: SIM115, PTH123 -- closed by close()
        self._path = path
        self._error: OSError | None = None

    def write(self, data: Any) -> int:
        begin, done = self._file.tell(), 0
        end = self._file.seek(0, os.SEEK_END)
        self._file.seek(begin)
        try:
            while done < len(data):
                done += self._file.write(data[done:])
        except OSError as error:
            error.filename = self._path
            self._error = error
            if begin >= end:
                self._file.truncate(begin)
                self._file.seek(begin)
            return 0
        return done

    def read(self, size: int = -1) -> bytes | None:
        return self._file.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def close(self) -> None:
        self._file.close()
        super().close()

    def complain(self) -> None:
        """Raise what went wrong."""
        if self._error is not None:
            raise self._error


class _RawTarget:
    """Bare samples."""

    def __init__(self, name: str, file: io.RawIOBase) -> None:
        self._name = name
        self._file = file
        self.frames = 0

    def write(self, frames: Frames) -> int:
        left = memoryview(frames.tobytes())
        try:
            while left:
                left = left[self._file.write(left) or 0 :]
        except OSError as error:
            error.filename = self._name
            raise
        self.frames += len(frames)
        return len(frames)

    def close(self) -> None:
        self._file.close()


class _SoundFileTarget:
    """What libsndfile encodes."""

    def __init__(self, path: str, container: _Container, sound: Sound) -> None:
        module = soundfile(path)
        self._format = sound.format
        self._lossy = bool(container.lossy)
        self.frames = 0
        self._failure: type[Exception] = module.LibsndfileError
        self._path = path
        self._disk = _Disk(path)
        try:
            self._file = module.SoundFile(
                self._disk,
                "w",
                samplerate=sound.rate,
                channels=sound.channels,
                format=container.name,
                subtype=container.lossy or _SUBTYPES[sound.format],
            )
        except (self._failure, ValueError) as error:
            self._disk.close()
            Path(path).unlink(missing_ok=True)
            said = getattr(error, "error_string", str(error))
            raise alsamm.UnsupportedError(f"{path}: soundfile cannot keep {sound} in it: {said}") from None

    def write(self, frames: Frames) -> int:
        samples = native(frames, self._format)
        if self._lossy and samples.dtype.kind == "i":
            # Of int16, libsndfile 1.2.2 makes noise in some processes' MP3 files.
            samples = samples.astype("f4") / np.float32(2.0 ** (8 * samples.itemsize - 1))
        try:
            self._file.write(samples)
        except (self._failure, AssertionError) as error:  # soundfile asserts that all was written
            self._disk.complain()
            raise alsamm.UnsupportedError(f"{self._path}: soundfile says: {error}") from None
        self._disk.complain()
        self.frames += len(frames)
        return len(frames)

    def close(self) -> None:
        if self._disk.closed:
            return
        self._file.close()
        self._disk.close()
        self._disk.complain()
