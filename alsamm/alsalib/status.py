"""What a PCM is, and how it stands: values, taken once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from alsamm._c import ffi, lib, string
from alsamm.enums import Direction, State

if TYPE_CHECKING:
    from alsamm._c._native import CData

__all__ = ["PcmInfo", "PcmStatus"]


@dataclass(frozen=True)
class PcmInfo:
    """Which PCM this is (snd_pcm_info).

    Synchronization: immutable.
    """

    card: int
    """The card's number, -1 for a PCM that is no card's."""
    device: int
    subdevice: int
    id: str
    name: str
    subdevice_name: str
    subdevices_count: int
    subdevices_avail: int
    """How many of them nobody has open."""
    direction: Direction

    @classmethod
    def of(cls, info: CData) -> PcmInfo:
        """Copied from a snd_pcm_info_t."""
        return cls(
            card=lib.snd_pcm_info_get_card(info),
            device=lib.snd_pcm_info_get_device(info),
            subdevice=lib.snd_pcm_info_get_subdevice(info),
            id=string(lib.snd_pcm_info_get_id(info)),
            name=string(lib.snd_pcm_info_get_name(info)),
            subdevice_name=string(lib.snd_pcm_info_get_subdevice_name(info)),
            subdevices_count=lib.snd_pcm_info_get_subdevices_count(info),
            subdevices_avail=lib.snd_pcm_info_get_subdevices_avail(info),
            direction=Direction(lib.snd_pcm_info_get_stream(info)),
        )

    @staticmethod
    def blank() -> CData:
        """A snd_pcm_info_t to be filled, freed when it is forgotten."""
        out = ffi.new("snd_pcm_info_t **")
        if lib.snd_pcm_info_malloc(out) < 0:
            raise MemoryError
        return ffi.gc(out[0], lib.snd_pcm_info_free)


@dataclass(frozen=True)
class PcmStatus:
    """How a PCM stands at one moment (SNDRV_PCM_IOCTL_STATUS; snd_pcm_status). Counts are frames.

    Timestamps are nanoseconds of SwParams.tstamp_type's clock, 0 while SwParams.tstamp is off (rule M4).

    Synchronization: immutable.
    """

    state: State
    trigger_tstamp_ns: int
    """When the stream was last started, stopped or paused."""
    tstamp_ns: int
    """When the card's position was last seen to move."""
    audio_tstamp_ns: int
    """The position as time: frames played or captured, divided by the rate."""
    driver_tstamp_ns: int
    appl_ptr: int | None
    """None where alsa-lib does not tell: any PCM but the kernel's own."""
    hw_ptr: int | None
    avail: int
    avail_max: int
    """The largest avail since the last status(), which starts it anew."""
    overrange: int
    delay: int
    """Frames between what is written or read now and the speaker or microphone; 0 when not running."""
