"""ALSA's enumerations. Every value comes from the C headers."""

from __future__ import annotations

import enum
import sys
from typing import TYPE_CHECKING

import numpy as np

from alsamm import errors
from alsamm._c import lib

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Access", "ClockType", "Direction", "Format", "State", "Transport"]


class _Named(enum.IntEnum):
    """An enumeration whose members can be given by name, as ALSA's own tools take them."""

    @classmethod
    def of(cls, value: Self | str | int) -> Self:
        """The member that ``value`` names: a member, its number, or its name in any case.

        Raises ArgumentError where there is none.
        """
        try:
            return cls[value.upper()] if isinstance(value, str) else cls(value)
        except (KeyError, ValueError):
            names = ", ".join(member.name for member in cls)
            raise errors.ArgumentError(f"{value!r} is no {cls.__name__}; there are {names}") from None

    def __str__(self) -> str:
        return self.name


class Direction(_Named):
    """Which way the samples go (snd_pcm_stream_t)."""

    PLAYBACK = lib.SND_PCM_STREAM_PLAYBACK
    CAPTURE = lib.SND_PCM_STREAM_CAPTURE

    def __str__(self) -> str:
        return self.name.lower()


class Access(_Named):
    """How samples are handed over (snd_pcm_access_t)."""

    MMAP_INTERLEAVED = lib.SND_PCM_ACCESS_MMAP_INTERLEAVED
    MMAP_NONINTERLEAVED = lib.SND_PCM_ACCESS_MMAP_NONINTERLEAVED
    MMAP_COMPLEX = lib.SND_PCM_ACCESS_MMAP_COMPLEX
    RW_INTERLEAVED = lib.SND_PCM_ACCESS_RW_INTERLEAVED
    RW_NONINTERLEAVED = lib.SND_PCM_ACCESS_RW_NONINTERLEAVED


class State(_Named):
    """What a PCM is doing (snd_pcm_state_t); the table of what may follow is part G of the kernel's rules."""

    OPEN = lib.SND_PCM_STATE_OPEN
    SETUP = lib.SND_PCM_STATE_SETUP
    PREPARED = lib.SND_PCM_STATE_PREPARED
    RUNNING = lib.SND_PCM_STATE_RUNNING
    XRUN = lib.SND_PCM_STATE_XRUN
    DRAINING = lib.SND_PCM_STATE_DRAINING
    PAUSED = lib.SND_PCM_STATE_PAUSED
    SUSPENDED = lib.SND_PCM_STATE_SUSPENDED
    DISCONNECTED = lib.SND_PCM_STATE_DISCONNECTED
    UNKNOWN = -1

    @classmethod
    def _missing_(cls, value: object) -> State:  # noqa: ARG003 -- enum's signature
        """A state that a newer kernel may invent: told as UNKNOWN, never a crash in somebody's audio loop (S13)."""
        return cls.UNKNOWN


class ClockType(_Named):
    """Which clock the kernel's timestamps are read from (snd_pcm_tstamp_type_t)."""

    REALTIME = lib.SND_PCM_TSTAMP_TYPE_GETTIMEOFDAY
    MONOTONIC = lib.SND_PCM_TSTAMP_TYPE_MONOTONIC
    MONOTONIC_RAW = lib.SND_PCM_TSTAMP_TYPE_MONOTONIC_RAW


class Transport(enum.Enum):
    """By which road a page of the kernel is reached (rules C2-C4)."""

    MAPPED = "mapped"
    SYNC_PTR = "SYNC_PTR"

    def __str__(self) -> str:
        return self.value


class Format(_Named):
    """The shape of one sample (snd_pcm_format_t).

    The linear formats, 8 to 32 bits and float, have a numpy ``dtype``; the others (mu-law, ADPCM, DSD, MPEG, IEC958…)
    are named here so that they can be listed, and refused by name where samples are needed.
    """

    S8 = lib.SND_PCM_FORMAT_S8
    U8 = lib.SND_PCM_FORMAT_U8
    S16_LE = lib.SND_PCM_FORMAT_S16_LE
    S16_BE = lib.SND_PCM_FORMAT_S16_BE
    U16_LE = lib.SND_PCM_FORMAT_U16_LE
    U16_BE = lib.SND_PCM_FORMAT_U16_BE
    S24_LE = lib.SND_PCM_FORMAT_S24_LE
    S24_BE = lib.SND_PCM_FORMAT_S24_BE
    U24_LE = lib.SND_PCM_FORMAT_U24_LE
    U24_BE = lib.SND_PCM_FORMAT_U24_BE
    S32_LE = lib.SND_PCM_FORMAT_S32_LE
    S32_BE = lib.SND_PCM_FORMAT_S32_BE
    U32_LE = lib.SND_PCM_FORMAT_U32_LE
    U32_BE = lib.SND_PCM_FORMAT_U32_BE
    FLOAT_LE = lib.SND_PCM_FORMAT_FLOAT_LE
    FLOAT_BE = lib.SND_PCM_FORMAT_FLOAT_BE
    FLOAT64_LE = lib.SND_PCM_FORMAT_FLOAT64_LE
    FLOAT64_BE = lib.SND_PCM_FORMAT_FLOAT64_BE
    IEC958_SUBFRAME_LE = lib.SND_PCM_FORMAT_IEC958_SUBFRAME_LE
    IEC958_SUBFRAME_BE = lib.SND_PCM_FORMAT_IEC958_SUBFRAME_BE
    MU_LAW = lib.SND_PCM_FORMAT_MU_LAW
    A_LAW = lib.SND_PCM_FORMAT_A_LAW
    IMA_ADPCM = lib.SND_PCM_FORMAT_IMA_ADPCM
    MPEG = lib.SND_PCM_FORMAT_MPEG
    GSM = lib.SND_PCM_FORMAT_GSM
    S20_LE = lib.SND_PCM_FORMAT_S20_LE
    S20_BE = lib.SND_PCM_FORMAT_S20_BE
    U20_LE = lib.SND_PCM_FORMAT_U20_LE
    U20_BE = lib.SND_PCM_FORMAT_U20_BE
    SPECIAL = lib.SND_PCM_FORMAT_SPECIAL
    S24_3LE = lib.SND_PCM_FORMAT_S24_3LE
    S24_3BE = lib.SND_PCM_FORMAT_S24_3BE
    U24_3LE = lib.SND_PCM_FORMAT_U24_3LE
    U24_3BE = lib.SND_PCM_FORMAT_U24_3BE
    S20_3LE = lib.SND_PCM_FORMAT_S20_3LE
    S20_3BE = lib.SND_PCM_FORMAT_S20_3BE
    U20_3LE = lib.SND_PCM_FORMAT_U20_3LE
    U20_3BE = lib.SND_PCM_FORMAT_U20_3BE
    S18_3LE = lib.SND_PCM_FORMAT_S18_3LE
    S18_3BE = lib.SND_PCM_FORMAT_S18_3BE
    U18_3LE = lib.SND_PCM_FORMAT_U18_3LE
    U18_3BE = lib.SND_PCM_FORMAT_U18_3BE
    G723_24 = lib.SND_PCM_FORMAT_G723_24
    G723_24_1B = lib.SND_PCM_FORMAT_G723_24_1B
    G723_40 = lib.SND_PCM_FORMAT_G723_40
    G723_40_1B = lib.SND_PCM_FORMAT_G723_40_1B
    DSD_U8 = lib.SND_PCM_FORMAT_DSD_U8
    DSD_U16_LE = lib.SND_PCM_FORMAT_DSD_U16_LE
    DSD_U32_LE = lib.SND_PCM_FORMAT_DSD_U32_LE
    DSD_U16_BE = lib.SND_PCM_FORMAT_DSD_U16_BE
    DSD_U32_BE = lib.SND_PCM_FORMAT_DSD_U32_BE

    # The names without an ending mean this machine's own byte order, as in alsa-lib.
    S16 = S16_LE if sys.byteorder == "little" else S16_BE
    U16 = U16_LE if sys.byteorder == "little" else U16_BE
    S24 = S24_LE if sys.byteorder == "little" else S24_BE
    U24 = U24_LE if sys.byteorder == "little" else U24_BE
    S32 = S32_LE if sys.byteorder == "little" else S32_BE
    U32 = U32_LE if sys.byteorder == "little" else U32_BE
    S20 = S20_LE if sys.byteorder == "little" else S20_BE
    U20 = U20_LE if sys.byteorder == "little" else U20_BE
    FLOAT = FLOAT_LE if sys.byteorder == "little" else FLOAT_BE
    FLOAT64 = FLOAT64_LE if sys.byteorder == "little" else FLOAT64_BE

    @classmethod
    def from_dtype(cls, dtype: np.dtype[np.generic] | type | str) -> Format:
        """The format whose samples numpy calls ``dtype``: ``"i2"`` is S16, ``"f4"`` FLOAT.

        Four-byte integers are S32 or U32. Raises ArgumentTypeError for a dtype that no format has.
        """
        wanted = np.dtype(dtype)
        for member in (
            cls.S8,
            cls.U8,
            cls.S16_LE,
            cls.S16_BE,
            cls.U16_LE,
            cls.U16_BE,
            cls.S32_LE,
            cls.S32_BE,
            cls.U32_LE,
            cls.U32_BE,
            cls.FLOAT_LE,
            cls.FLOAT_BE,
            cls.FLOAT64_LE,
            cls.FLOAT64_BE,
        ):
            if member.dtype == wanted:
                return member
        raise errors.ArgumentTypeError(f"no sample format is a numpy {wanted}")

    @property
    def linear(self) -> bool:
        """Whether the samples are plain numbers: integers of 8 to 32 bits, float or double."""
        return lib.snd_pcm_format_linear(self) == 1 or self.is_float

    @property
    def is_float(self) -> bool:
        """Whether the samples are floating point, full scale at 1.0 (snd_pcm_format_float)."""
        return bool(lib.snd_pcm_format_float(self) == 1)

    @property
    def signed(self) -> bool:
        """Whether the samples have a sign (snd_pcm_format_signed); False for those that are no numbers."""
        return bool(lib.snd_pcm_format_signed(self) == 1) or self.is_float

    @property
    def big_endian(self) -> bool:
        """Whether the most significant byte comes first (snd_pcm_format_big_endian); False for single bytes."""
        return bool(lib.snd_pcm_format_big_endian(self) == 1)

    @property
    def width(self) -> int:
        """Bits of a sample that mean something (snd_pcm_format_width); 0 where ALSA gives no number."""
        return max(0, int(lib.snd_pcm_format_width(self)))

    @property
    def physical_width(self) -> int:
        """Bits that a sample takes in memory (snd_pcm_format_physical_width); 0 where ALSA gives no number."""
        return max(0, int(lib.snd_pcm_format_physical_width(self)))

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """The numpy type of one sample. Packed 3-byte samples are three ``u1``, which add a last axis of 3.

        Raises UnsupportedError for a format whose samples are no plain numbers.
        """
        if not self.linear:
            raise errors.UnsupportedError(f"{self.name} samples are no plain numbers, so numpy has no type for them")
        size = self.physical_width // 8
        if size == 3:  # noqa: PLR2004 -- the packed formats
            return np.dtype(("u1", (3,)))
        kind = "f" if self.is_float else "i" if self.signed else "u"
        return np.dtype(f"{'>' if self.big_endian else '<'}{kind}{size}")

    @property
    def silence(self) -> bytes:
        """The bytes of one silent sample (snd_pcm_format_silence_64): 0x80 for U8, zeros for signed ones."""
        pattern = int(lib.snd_pcm_format_silence_64(self))
        # alsa-lib gives the pattern as it lies in memory, repeated in a 64-bit word of this machine.
        return pattern.to_bytes(8, sys.byteorder)[: self.physical_width // 8]
