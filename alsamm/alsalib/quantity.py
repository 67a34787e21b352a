"""The seven numbers of a hardware configuration, and alsa-lib's calls for each."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, NamedTuple, TypedDict, get_args

from alsamm import errors
from alsamm._c import ffi, lib
from alsamm.checks import whole_number

if TYPE_CHECKING:
    from collections.abc import Callable

    from alsamm._c._native import CData

__all__ = ["LIMIT", "QUANTITIES", "Interval", "Numbers", "Quantity", "QuantityName", "only", "quantity"]

QuantityName = Literal["channels", "rate", "period_size", "period_time_us", "periods", "buffer_size", "buffer_time_us"]


class Numbers(TypedDict, total=False):
    """Numbers of a configuration, by name."""

    channels: int
    rate: int
    period_size: int
    period_time_us: int
    periods: int
    buffer_size: int
    buffer_time_us: int


# The first number that alsa-lib's intervals cannot hold: they are 32 bits wide even where its functions take a long.
LIMIT = 1 << 32


class Interval(NamedTuple):
    """The smallest and the largest that can be had. What lies between need not all be possible."""

    min: int
    max: int


@dataclass(frozen=True)
class Quantity:
    """One number of a configuration. Its methods answer as alsa-lib does: a negative errno, or what was asked."""

    name: str
    unit: str
    stem: str
    """Of alsa-lib's functions: snd_pcm_hw_params_set_<stem>."""
    ctype: str
    directed: bool
    """alsa-lib counts it in fractions, and takes or gives a direction of rounding too."""

    @property
    def suffix(self) -> str:
        """The unit as it stands behind a number."""
        return f" {self.unit}" if self.unit else ""

    def show(self, value: int) -> str:
        """Name, number and unit."""
        return f"{self.name} {value}{self.suffix}"

    def get(self, params: CData) -> tuple[int, int]:
        """The code, and the chosen value, rounded down."""
        code, value, _ = self._read(params, "")
        return code, value

    def interval(self, params: CData) -> Interval:
        """The least and greatest whole numbers that are possible; where none is, the fraction's whole part."""
        _, low, above = self._read(params, "_min")
        _, high, below = self._read(params, "_max")
        # The direction says on which side of the number the true limit, a fraction, lies.
        inside = Interval(low + (above > 0), high - (below < 0))
        return inside if inside.min <= inside.max else Interval(inside.max, inside.max)

    def set(self, pcm: CData, params: CData, value: int) -> int:
        """Exactly that."""
        return self._give("set", pcm, params, value)

    def test(self, pcm: CData, params: CData, value: int) -> bool:
        """Whether exactly that is possible."""
        return self._give("test", pcm, params, value) >= 0

    def move(
        self,
        pcm: CData,
        params: CData,
        how: Literal["near", "min", "max", "first", "last"],
        value: int = 0,
    ) -> tuple[int, int]:
        """Narrow towards ``value``, or to an end; the code, and what was granted."""
        function = getattr(lib, f"snd_pcm_hw_params_set_{self.stem}_{how}")
        granted, direction = ffi.new(f"{self.ctype} *", value), ffi.new("int *")
        code = function(pcm, params, granted, direction) if self.directed else function(pcm, params, granted)
        return code, int(granted[0])

    def _read(self, params: CData, what: str) -> tuple[int, int, int]:
        function = getattr(lib, f"snd_pcm_hw_params_get_{self.stem}{what}")
        value, direction = ffi.new(f"{self.ctype} *"), ffi.new("int *")
        code = function(params, value, direction) if self.directed else function(params, value)
        return code, int(value[0]), int(direction[0])

    def _give(self, verb: str, pcm: CData, params: CData, value: int) -> int:
        function: Callable[..., int] = getattr(lib, f"snd_pcm_hw_params_{verb}_{self.stem}")
        return function(pcm, params, value, 0) if self.directed else function(pcm, params, value)


QUANTITIES = MappingProxyType(
    {
        each.name: each
        for each in (
            Quantity("channels", "", "channels", "unsigned int", directed=False),
            Quantity("rate", "Hz", "rate", "unsigned int", directed=True),
            Quantity("period_size", "frames", "period_size", "snd_pcm_uframes_t", directed=True),
            Quantity("period_time_us", "us", "period_time", "unsigned int", directed=True),
            Quantity("periods", "", "periods", "unsigned int", directed=True),
            Quantity("buffer_size", "frames", "buffer_size", "snd_pcm_uframes_t", directed=False),
            Quantity("buffer_time_us", "us", "buffer_time", "unsigned int", directed=True),
        )
    }
)


def quantity(name: str) -> Quantity:
    """The quantity of that name. Raises ArgumentError."""
    try:
        return QUANTITIES[name]
    except KeyError:
        names = ", ".join(get_args(QuantityName))
        raise errors.ArgumentError(f"{name!r} is no number of a configuration; there are {names}") from None


def only(numbers: Numbers) -> tuple[Quantity, int]:
    """The one number that was named. Raises ArgumentError for none, several or an unknown one."""
    if len(numbers) != 1:
        raise errors.ArgumentError(f"one number at a time, such as rate=48000; given were {list(numbers) or 'none'}")
    [(name, value)] = numbers.items()
    return quantity(name), whole_number(name, value)
