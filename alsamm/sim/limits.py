"""What a software card can do, as C wants it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from alsamm import errors
from alsamm._c import ffi, lib
from alsamm.checks import whole_number
from alsamm.enums import Access, Format

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alsamm._c._native import CData

__all__ = ["Limits", "Range"]

Range = tuple[int, int] | int
"""Least and most, or the one that is possible."""

# All whose samples are numbers, for which numpy has a type.
FORMATS = tuple(member for member in Format if member.linear)
ACCESSES = (
    Access.MMAP_INTERLEAVED,
    Access.MMAP_NONINTERLEAVED,
    Access.RW_INTERLEAVED,
    Access.RW_NONINTERLEAVED,
)


@dataclass(frozen=True)
class Limits:
    """The hardware constraints of one card; see Card for what each means."""

    rates: tuple[int, int] | Sequence[int]
    channels: Range
    formats: Sequence[Format | str]
    accesses: Sequence[Access | str]
    period_bytes: Range
    buffer_bytes: Range
    periods: Range

    def write_to(self, config: CData) -> None:
        """Fill a struct sim_config in."""
        for name in ("channels", "period_bytes", "buffer_bytes", "periods"):
            least, most = _range(name, getattr(self, name))
            setattr(config, f"{name}_min", least)
            setattr(config, f"{name}_max", most)
        if isinstance(self.rates, tuple) and len(self.rates) == 2:  # noqa: PLR2004 -- least and most
            config.rate_min, config.rate_max = _range("rates", self.rates)
        else:
            _write_rates(config, sorted(whole_number("rates", rate) for rate in _listed(self.rates)))
        config.formats = _bits([Format.of(value) for value in self.formats], "formats")
        config.accesses = _bits([Access.of(value) for value in self.accesses], "accesses")
        if config.accesses >> Access.MMAP_COMPLEX & 1:
            raise errors.ArgumentError("MMAP_COMPLEX: no card has it, and the kernel has no implementation (rule F3)")


def _write_rates(config: CData, rates: Sequence[int]) -> None:
    if not 0 < len(rates) <= lib.SIM_RATES or rates[0] <= 0 or rates[-1] >= 1 << 31:
        raise errors.ArgumentError(f"rates {rates}: 1 to {lib.SIM_RATES} rates in Hz, or a tuple of least and most")
    config.rate_count = len(rates)
    config.rates[0 : len(rates)] = ffi.new("unsigned int[]", list(rates))
    config.rate_min, config.rate_max = rates[0], rates[-1]


def _range(name: str, value: Range) -> tuple[int, int]:
    both = value if isinstance(value, tuple) else (value, value)
    if len(both) != 2 or not 0 < whole_number(name, both[0]) <= whole_number(name, both[1]) < 1 << 31:  # noqa: PLR2004 -- least and most
        raise errors.ArgumentError(f"{name} {value}: least and most, both above 0")
    return both


def _bits(members: Sequence[int], name: str) -> int:
    if not members:
        raise errors.ArgumentError(f"{name}: a card has one at least")
    return sum(1 << member for member in set(members))


def _listed(rates: Sequence[int]) -> Sequence[int]:
    if not isinstance(rates, (list, tuple, range)):
        raise errors.ArgumentTypeError(f"rates {rates!r}: a tuple of least and most, or a list of all")
    return rates
