"""What a hardware configuration tells beside its quantities, and its two switches."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Protocol, TypeVar

from alsamm import errors
from alsamm._c import check, ffi, lib

if TYPE_CHECKING:
    from collections.abc import Callable

    from alsamm._c._native import CData

__all__ = ["Configurable", "HwFlags"]

_T = TypeVar("_T")


class Configurable(Protocol):
    """A PCM as its parameters see it."""

    @property
    def name(self) -> str:
        """What the user opened."""
        ...

    @property
    def handle(self) -> CData:
        """The snd_pcm_t; raises ClosedError."""
        ...

    def call(self, function: Callable[..., _T], *arguments: object) -> _T:
        """Call alsa-lib with the snd_pcm_t, which is not freed meanwhile; raises ClosedError."""
        ...


class HwFlags:
    """The part of HwParams that is not narrowed: what the card says of itself, and switches.

    Synchronization: none; one thread at a time.
    """

    def __init__(self, pcm: Configurable, params: CData) -> None:
        self._pcm = pcm
        self._params = params

    @property
    def pcm(self) -> Configurable:
        """Whose parameters these are."""
        return self._pcm

    @property
    def params(self) -> CData:
        """The snd_pcm_hw_params_t, for calls of alsa-lib that alsamm does not have."""
        return self._params

    @property
    def can_pause(self) -> bool:
        """Whether the card can hold and go on: PCM.pause."""
        return bool(lib.snd_pcm_hw_params_can_pause(self._params))

    @property
    def can_resume(self) -> bool:
        """Whether the card can go on after the system was suspended: PCM.resume."""
        return bool(lib.snd_pcm_hw_params_can_resume(self._params))

    @property
    def can_sync_start(self) -> bool:
        """Whether linked PCMs start at the same sample."""
        return bool(lib.snd_pcm_hw_params_can_sync_start(self._params))

    @property
    def can_overrange(self) -> bool:
        """Whether the card counts clipped samples: PcmStatus.overrange."""
        return bool(lib.snd_pcm_hw_params_can_overrange(self._params))

    @property
    def can_mmap_sample_resolution(self) -> bool:
        """Whether single samples of the mapped ring may be written while the card plays."""
        return bool(lib.snd_pcm_hw_params_can_mmap_sample_resolution(self._params))

    @property
    def can_disable_period_wakeup(self) -> bool:
        """Whether the card can do without interrupts: ``period_wakeup``."""
        return bool(lib.snd_pcm_hw_params_can_disable_period_wakeup(self._params))

    @property
    def is_batch(self) -> bool:
        """Whether the card moves frames in large lumps, so that its position is coarse (rule H2)."""
        return bool(lib.snd_pcm_hw_params_is_batch(self._params))

    @property
    def is_block_transfer(self) -> bool:
        """Whether samples are moved in blocks."""
        return bool(lib.snd_pcm_hw_params_is_block_transfer(self._params))

    @property
    def is_double(self) -> bool:
        """Whether the card holds the frames twice, so that a rewind is heard late."""
        return bool(lib.snd_pcm_hw_params_is_double(self._params))

    @property
    def is_half_duplex(self) -> bool:
        """Whether the card either plays or captures."""
        return bool(lib.snd_pcm_hw_params_is_half_duplex(self._params))

    @property
    def is_joint_duplex(self) -> bool:
        """Whether playback and capture share their parameters."""
        return bool(lib.snd_pcm_hw_params_is_joint_duplex(self._params))

    @property
    def is_monotonic(self) -> bool:
        """Whether timestamps are of a monotonic clock."""
        return bool(lib.snd_pcm_hw_params_is_monotonic(self._params))

    @property
    def audio_wallclock(self) -> bool:
        """Whether the card has a clock of its own for PcmStatus.audio_tstamp_ns."""
        return bool(lib.snd_pcm_hw_params_supports_audio_wallclock_ts(self._params))

    @property
    def msbits(self) -> int:
        """How many of a sample's most significant bits the card uses. StateError while the format is open."""
        return self._number(lib.snd_pcm_hw_params_get_sbits(self._params), "msbits")

    @property
    def fifo_size(self) -> int:
        """Frames that the card holds beyond the ring. StateError while it depends on what is open."""
        return self._number(lib.snd_pcm_hw_params_get_fifo_size(self._params), "fifo_size")

    @property
    def rate_ratio(self) -> Fraction:
        """The exact rate, Hz (snd_pcm_hw_params_get_rate_numden). StateError while the rate is open."""
        numerator, denominator = ffi.new("unsigned int *"), ffi.new("unsigned int *")
        code = lib.snd_pcm_hw_params_get_rate_numden(self._params, numerator, denominator)
        self._number(code, "rate_ratio")
        return Fraction(numerator[0], denominator[0])

    @property
    def period_wakeup(self) -> bool:
        """Whether the card interrupts at each period. Without, no poll and no wait is ever woken by it (rule H6).

        Setting it False raises UnsupportedError where the card cannot (``can_disable_period_wakeup``). A blocking PCM
        then has no writei and readi, which would sleep for ever; mapped rings, ``wait`` and ``drain`` look themselves.
        """
        return bool(self._switch("get_period_wakeup"))

    @period_wakeup.setter
    def period_wakeup(self, value: bool) -> None:
        if not value and not self.can_disable_period_wakeup:
            raise errors.UnsupportedError(f"{self._pcm.name}: the card cannot do without interrupts")
        self._throw("set_period_wakeup", value)

    @property
    def rate_resample(self) -> bool:
        """Whether a plugin may convert the rate; only plugins care. Set it before the rate."""
        return bool(self._switch("get_rate_resample"))

    @rate_resample.setter
    def rate_resample(self, value: bool) -> None:
        self._throw("set_rate_resample", value)

    def _number(self, code: int, name: str) -> int:
        if code < 0:
            raise errors.StateError(f"{self._pcm.name}: {name} is not known before the rest is decided")
        return code

    def _switch(self, verb: str) -> int:
        out = ffi.new("unsigned int *")
        func = f"snd_pcm_hw_params_{verb}"
        check(self._pcm.call(getattr(lib, func), self._params, out), func, self._pcm.name)
        return int(out[0])

    def _throw(self, verb: str, value: bool) -> None:
        func = f"snd_pcm_hw_params_{verb}"
        check(self._pcm.call(getattr(lib, func), self._params, int(value)), func, self._pcm.name)
