"""WAV files: sound on disk, read and written a block at a time. No value of a header is trusted."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from io import RawIOBase
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import numpy.typing as npt

from alsamm import errors
from alsamm.enums import Format

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self  # for checkers only: nothing to install

__all__ = ["FORMATS", "Frames", "WavReader", "WavWriter"]

Frames = npt.NDArray[Any]
Path = str | os.PathLike[str]

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_BY_TAG = MappingProxyType(
    {
        (_PCM, 8): Format.U8,
        (_PCM, 16): Format.S16_LE,
        (_PCM, 24): Format.S24_3LE,
        (_PCM, 32): Format.S32_LE,
        (_FLOAT, 32): Format.FLOAT_LE,
        (_FLOAT, 64): Format.FLOAT64_LE,
    }
)
_TAGS = MappingProxyType({member: tag for (tag, _), member in _BY_TAG.items()})
FORMATS = tuple(_TAGS)
"""What the samples of a WAV file can be."""

_GUID_TAIL = bytes.fromhex("000000001000800000aa00389b71")  # of all subformats that are old tags
_UNKNOWN = 0xFFFFFFFF
_LARGEST = 0xFFFFFFFF - 256  # bytes of sound: the RIFF chunk counts its headers too
_BLOCK_BYTES = 1 << 16
_FMT_BYTES = 40


class WavReader:
    """A WAV file to be read from front to end; it need not be seekable.

    8-bit (unsigned), 16-, 24- (packed) and 32-bit integers, 32- and 64-bit float; also with the extensible header, with
    other chunks, as RF64. A data chunk whose size is 0 or 0xFFFFFFFF, as streams have it, reaches to the file's end.

    ``file``: where to read from if it is open already, as standard input is; ``path`` is what to call it then.

    Raises UnsupportedError for what is no WAV file or holds other samples; OSError.

    Synchronization: none; one thread at a time.
    """

    def __init__(self, path: Path, *, file: BinaryIO | None = None) -> None:
        self._path = os.fspath(path)
        self._format: Format | None = None
        self._channels = self._rate = 0
        self._read = 0
        self._ended = False
        self._file = open(path, "rb") if file is None else file  # noqa: SIM115, PTH123 -- closed by close()
        try:
            self._promised = self._parse()
        except BaseException:
            self._file.close()
            raise

    @property
    def format(self) -> Format:
        """What a sample is."""
        assert self._format is not None  # noqa: S101 -- by the end of _parse
        return self._format

    @property
    def channels(self) -> int:
        """Samples in a frame."""
        return self._channels

    @property
    def rate(self) -> int:
        """Frames a second, Hz."""
        return self._rate

    @property
    def promised(self) -> int | None:
        """Frames that the header tells of; there may be fewer. None: it does not tell."""
        return self._promised

    @property
    def complaint(self) -> str:
        """What was wrong with the file, known when all of it has been read; "" for nothing."""
        if self._ended and self._promised is not None and self._read < self._promised:
            return f"{self._path} is truncated: its header tells of {self._promised} frames, {self._read} are there"
        return ""

    def blocks(self, frames: int | None = None) -> Iterator[Frames]:
        """Give the frames that are there, in arrays (frames, channels) of the format's dtype, of ``frames`` at most.

        Packed samples have a last axis of 3.
        """
        frame_bytes = self._channels * self.format.physical_width // 8
        most = max(1, frames or _BLOCK_BYTES // frame_bytes)
        while self._promised is None or self._read < self._promised:
            left = most if self._promised is None else min(most, self._promised - self._read)
            raw = self._file.read(left * frame_bytes)
            got = len(raw) // frame_bytes
            self._read += got
            if got:
                flat = np.frombuffer(raw[: got * frame_bytes], self.format.dtype.base)
                yield flat.reshape((got, self._channels, *self.format.dtype.shape))
            if got < left:
                break
        self._ended = True

    def read_all(self) -> Frames:
        """All frames that are left, as one array."""
        empty = np.empty((0, self._channels), self.format.dtype)
        return np.concatenate([empty, *self.blocks()])

    def close(self) -> None:
        """Close the file; twice is harmless."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _refuse(self, why: str) -> errors.UnsupportedError:
        return errors.UnsupportedError(f"{self._path}: {why}")

    def _parse(self) -> int | None:
        """Go to the first byte of sound; how many frames the header promises."""
        head = self._file.read(12)
        if head[:4] not in (b"RIFF", b"RF64", b"BW64") or head[8:] != b"WAVE":
            raise self._refuse("no WAV file")
        long_size = 0
        while True:
            head = self._file.read(8)
            if len(head) < 8:  # noqa: PLR2004 -- a chunk's name and size
                raise self._refuse("a WAV file without sound: it has no data chunk")
            name, size = struct.unpack("<4sI", head)
            if name == b"data":
                break
            body = self._file.read(min(size, _FMT_BYTES))
            if name == b"fmt ":
                self._describe(body)
            elif name == b"ds64" and len(body) >= 16:  # noqa: PLR2004 -- size of RIFF, size of data
                long_size = struct.unpack_from("<Q", body, 8)[0]
            self._skip(size + size % 2 - len(body))
        if self._format is None:
            raise self._refuse("a WAV file that does not tell what its samples are: no fmt chunk before the data")
        if size == _UNKNOWN:
            size = long_size
        return size // (self._channels * self._format.physical_width // 8) if size else None

    def _describe(self, fmt: bytes) -> None:
        if len(fmt) < 16:  # noqa: PLR2004 -- the shortest there is
            raise self._refuse("its fmt chunk is too short")
        tag, channels, rate, _, align, bits = struct.unpack_from("<HHIIHH", fmt)
        if tag == _EXTENSIBLE:
            if fmt[26:] != _GUID_TAIL:
                raise self._refuse("its extensible header is of a kind unknown here")
            tag = struct.unpack_from("<H", fmt, 24)[0]
        sample = _BY_TAG.get((tag, bits))
        if sample is None:
            raise self._refuse(f"samples of kind {tag:#x} with {bits} bits; {', '.join(map(str, FORMATS))} can be read")
        if not channels or not rate or align != channels * bits // 8:
            raise self._refuse(f"{channels} channels of {bits} bits at {rate} Hz in frames of {align} bytes cannot be")
        self._format, self._channels, self._rate = sample, channels, rate

    def _skip(self, count: int) -> None:
        if self._file.seekable():
            self._file.seek(count, os.SEEK_CUR)
            return
        while count > 0 and (got := len(self._file.read(min(count, _BLOCK_BYTES)))):
            count -= got


class WavWriter:
    """A WAV file that is being written. Its header is renewed once a second of sound: what a crash leaves can be read.

    Where that cannot be, in a pipe, or in an open ``file`` (unbuffered; ``path`` is what to call it then), the header
    tells of a stream without an end, which has no 4 GiB limit either.

    Raises UnsupportedError for a format that is none of FORMATS; OSError.

    Synchronization: none; one thread at a time.
    """

    def __init__(
        self,
        path: Path,
        format: Format,  # noqa: A002 -- ALSA's word
        channels: int,
        rate: int,
        *,
        file: RawIOBase | None = None,
    ) -> None:
        name = os.fspath(path)
        if format not in _TAGS:
            can = ", ".join(map(str, FORMATS))
            raise errors.UnsupportedError(f"{name}: {format.name} samples cannot be kept in a WAV file; {can} can")
        self._frame_bytes = channels * format.physical_width // 8
        if not 0 < self._frame_bytes < 1 << 16 or not 0 < rate < 1 << 32:
            raise errors.UnsupportedError(f"{name}: {channels} channels at {rate} Hz cannot be kept in a WAV file")
        self._format, self._channels, self._rate = format, channels, rate
        self._bytes = self._told = 0
        self._name = name
        # Without a buffer: after a full disk the header can still be put right.
        self._file = open(path, "wb", buffering=0) if file is None else file  # noqa: SIM115, PTH123 -- closed by close()
        self._endless = file is not None or not self._file.seekable()
        try:
            self._put_header()
        except BaseException:
            self._file.close()
            raise

    @property
    def frames(self) -> int:
        """Whole frames written."""
        return self._bytes // self._frame_bytes

    def write(self, frames: Frames | bytes) -> int:
        """Append whole frames, an array or its bytes. Gives how many fitted below WAV's 4 GiB."""
        raw = memoryview(frames if isinstance(frames, bytes) else frames.tobytes())
        if len(raw) % self._frame_bytes:
            raise errors.ArgumentError(f"{len(raw)} bytes are no whole frames of {self._frame_bytes}")
        fitting = len(raw) // self._frame_bytes
        if not self._endless:
            fitting = min(fitting, (_LARGEST - self._bytes) // self._frame_bytes)
        left = raw[: fitting * self._frame_bytes]
        while left:
            written = self._put(left)
            self._bytes += written
            left = left[written:]
        if not self._endless and self._bytes - self._told >= self._rate * self._frame_bytes:
            self._put_header()
        return fitting

    def close(self) -> None:
        """Put the header right and close; twice is harmless."""
        if self._file.closed:
            return
        with self._file:
            if self._endless:
                return
            self._put_header()
            if self._bytes % 2:
                self._put(b"\0")  # chunks end at even places

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _put_header(self) -> None:
        tag, bits = _TAGS[self._format], self._format.physical_width
        extensible = self._channels > 2  # noqa: PLR2004 -- what the old header was made for
        byte_rate = min(self._rate * self._frame_bytes, _UNKNOWN)
        about = (_EXTENSIBLE if extensible else tag, self._channels, self._rate, byte_rate, self._frame_bytes, bits)
        fmt = struct.pack("<HHIIHH", *about)
        if extensible:
            fmt += struct.pack("<HHIH", 22, bits, 0, tag) + _GUID_TAIL
        elif tag != _PCM:
            fmt += struct.pack("<H", 0)
        size = _UNKNOWN if self._endless else self.frames * self._frame_bytes
        head = struct.pack("<4sI", b"fmt ", len(fmt)) + fmt + struct.pack("<4sI", b"data", size)
        whole = _UNKNOWN if self._endless else 4 + len(head) + size + size % 2
        header = struct.pack("<4sI4s", b"RIFF", whole, b"WAVE") + head
        if self._endless:
            self._put(header)
            return
        self._file.seek(0)
        self._put(header)
        self._file.seek(0, os.SEEK_END)
        self._told = self._bytes

    def _put(self, data: bytes | memoryview) -> int:
        try:
            return self._file.write(data) or 0
        except OSError as error:
            error.filename = self._name
            raise
