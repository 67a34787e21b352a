"""The software parameters of a PCM: when it starts, stops and wakes."""

from __future__ import annotations

import errno
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

from alsamm import errors
from alsamm._c import check, ffi, lib
from alsamm.alsalib.hw_flags import Configurable
from alsamm.checks import whole_number
from alsamm.enums import ClockType

if TYPE_CHECKING:
    from collections.abc import Mapping

    from alsamm._c._native import CData
    from alsamm.device import Geometry

__all__ = ["SwParams", "current", "install"]

# Name here -> type in C. They are named in C as here, but for tstamp_mode.
_TYPES: Mapping[str, str] = MappingProxyType(
    {
        "start_threshold": "snd_pcm_uframes_t",
        "stop_threshold": "snd_pcm_uframes_t",
        "avail_min": "snd_pcm_uframes_t",
        "silence_threshold": "snd_pcm_uframes_t",
        "silence_size": "snd_pcm_uframes_t",
        "tstamp_mode": "snd_pcm_tstamp_t",
        "tstamp_type": "snd_pcm_tstamp_type_t",
        "period_event": "int",
        "boundary": "snd_pcm_uframes_t",
    }
)


class Configured(Configurable, Protocol):
    """A PCM that tells its geometry too."""

    def geometry(self) -> Geometry:
        """What is configured; raises StateError before that."""
        ...


class SwParams:
    """The software parameters of a configured PCM (snd_pcm_sw_params_current), to be changed for PCM.configure.

    Frames throughout. What PCM.configure(hw) sets by itself: ``start_threshold`` 1, ``stop_threshold`` the buffer,
    ``avail_min`` a period, no silence - as the kernel - and, unlike the kernel, ``tstamp`` on, of the MONOTONIC clock.

    Raises StateError for a PCM that is not configured; setting raises ParameterError that tells the limits.

    Synchronization: none; one thread at a time.
    """

    def __init__(self, pcm: Configured) -> None:
        self._pcm = pcm
        self._changed: dict[str, int] = {}
        self._params = current(pcm)

    @property
    def pcm(self) -> Configurable:
        """Whose parameters these are."""
        return self._pcm

    @property
    def boundary(self) -> int:
        """Where the frame counters wrap to 0 (rule E1); not to be set."""
        return _get(self._params, "boundary")

    @property
    def start_threshold(self) -> int:
        """Committed frames at which a write starts the stream (rule G6); boundary: never. Capture: frames asked for."""
        return _get(self._params, "start_threshold")

    @start_threshold.setter
    def start_threshold(self, value: int) -> None:
        self._put("start_threshold", value, 0)

    @property
    def stop_threshold(self) -> int:
        """The avail at which the stream stops with an xrun; ``boundary``: never (rule G4)."""
        return _get(self._params, "stop_threshold")

    @stop_threshold.setter
    def stop_threshold(self, value: int) -> None:
        self._put("stop_threshold", value, 1)

    @property
    def avail_min(self) -> int:
        """The avail at which poll and wait are ready. Not below a period: it would bring no earlier wake-up (I2)."""
        return _get(self._params, "avail_min")

    @avail_min.setter
    def avail_min(self, value: int) -> None:
        self._put("avail_min", value, _period_size(self._pcm))

    @property
    def silence_threshold(self) -> int:
        """With less than so much ahead of the card the kernel adds silence, over frames not committed yet (J2)."""
        return _get(self._params, "silence_threshold")

    @silence_threshold.setter
    def silence_threshold(self, value: int) -> None:
        self._put("silence_threshold", value, 0)

    @property
    def silence_size(self) -> int:
        """Frames of silence that the kernel adds at once; 0: none; ``boundary``: all that was played is wiped (J1)."""
        return _get(self._params, "silence_size")

    @silence_size.setter
    def silence_size(self, value: int) -> None:
        self._put("silence_size", value, 0)

    @property
    def tstamp(self) -> bool:
        """Whether the kernel takes timestamps (tstamp_mode ENABLE)."""
        return _get(self._params, "tstamp_mode") == lib.SND_PCM_TSTAMP_ENABLE

    @tstamp.setter
    def tstamp(self, value: bool) -> None:
        self._note("tstamp_mode", lib.SND_PCM_TSTAMP_ENABLE if value else lib.SND_PCM_TSTAMP_NONE)

    @property
    def tstamp_type(self) -> ClockType:
        """Which clock they are of."""
        return ClockType(_get(self._params, "tstamp_type"))

    @tstamp_type.setter
    def tstamp_type(self, value: ClockType | str) -> None:
        self._note("tstamp_type", ClockType.of(value))

    @property
    def period_event(self) -> bool:
        """Whether poll is woken by each period, whatever is avail. A PCM so set cannot be mapped (rule I7)."""
        return bool(_get(self._params, "period_event"))

    @period_event.setter
    def period_event(self, value: bool) -> None:
        self._note("period_event", int(value))

    @property
    def changes(self) -> Mapping[str, int]:
        """What was set since this object was made, by alsa-lib's names."""
        return MappingProxyType(self._changed)

    def __repr__(self) -> str:
        shown = {name: _get(self._params, name) for name in _TYPES} | {"tstamp_type": self.tstamp_type}
        return f"<{type(self).__name__} of {self._pcm.name!r}: {', '.join(f'{k}={v}' for k, v in shown.items())}>"

    def _put(self, name: str, value: int, least: int) -> None:
        number = whole_number(name, value)
        if not least <= number <= self.boundary:
            message = f"{name} {number} cannot be had; {least} to {self.boundary} frames can"
            raise errors.ParameterError(errno.EINVAL, message, f"snd_pcm_sw_params_set_{name}", self._pcm.name)
        self._note(name, number)

    def _note(self, name: str, value: int) -> None:
        _give(self._pcm, self._params, name, int(value))
        self._changed[name] = int(value)


def _period_size(pcm: Configurable) -> int:
    sizes = ffi.new("snd_pcm_uframes_t[2]")
    check(pcm.call(lib.snd_pcm_get_params, sizes, sizes + 1), "snd_pcm_get_params", pcm.name)
    return int(sizes[1])


def install(sw: SwParams) -> None:
    """Give what was set to the card, on top of what is current there."""
    params = current(sw.pcm)
    for name, value in sw.changes.items():
        _give(sw.pcm, params, name, value)
    code = sw.pcm.call(lib.snd_pcm_sw_params, params)
    if code == -errno.EPIPE:
        # The kernel has taken them and then found an xrun (snd_pcm_update_state), which the next call tells. alsa-lib
        # thinks that they were refused; of a stream that stands they are not.
        code = sw.pcm.call(lib.snd_pcm_sw_params, params)
    if code == -errno.EINVAL:
        wished = ", ".join(f"{name} {value}" for name, value in sw.changes.items())
        message = (
            f"{wished} cannot be had; silence_size may be boundary, with silence_threshold 0, or up to"
            " silence_threshold"
        )
        raise errors.ParameterError(errno.EINVAL, message, "snd_pcm_sw_params", sw.pcm.name)
    check(code, "snd_pcm_sw_params", sw.pcm.name)


def current(pcm: Configurable) -> CData:
    """The software parameters of now, freed when they are forgotten. Raises StateError before configure()."""
    out = ffi.new("snd_pcm_sw_params_t **")
    if lib.snd_pcm_sw_params_malloc(out) < 0:
        raise MemoryError
    params = ffi.gc(out[0], lib.snd_pcm_sw_params_free)
    if pcm.call(lib.snd_pcm_sw_params_current, params) < 0:
        raise errors.StateError(f"{pcm.name}: no software parameters before configure()")
    return params


def _give(pcm: Configurable, params: CData, name: str, value: int) -> None:
    """Set one of them exactly: alsa-lib's setters refuse some values, and make others of some without a word."""
    func = f"snd_pcm_sw_params_set_{name}"
    before = _get(params, name)
    code = pcm.call(getattr(lib, func), params, value)
    granted = _get(params, name)
    if code < 0:
        could = "it must be less than the buffer" if name == "silence_threshold" else "alsa-lib refuses it"
    elif granted != value:
        could = f"the least is {granted}"
    else:
        return
    pcm.call(getattr(lib, func), params, before)
    raise errors.ParameterError(errno.EINVAL, f"{name} {value} cannot be had; {could}", func, pcm.name)


def _get(params: CData, name: str) -> int:
    out = ffi.new(f"{_TYPES[name]} *")
    func = f"snd_pcm_sw_params_get_{name}"
    check(getattr(lib, func)(params, out), func)
    return int(out[0])
