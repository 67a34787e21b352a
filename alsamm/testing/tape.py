"""All that left a card's loudspeaker, as numbers that can be compared."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from alsamm import errors
from alsamm.conversion import conversion, convert
from alsamm.sim.sound import array_of
from alsamm.testing.sound import Floats, fractions_of

if TYPE_CHECKING:
    from alsamm.enums import Format
    from alsamm.sim import Card

__all__ = ["Tape"]

_FLOAT_BITS = 24  # that a float32 holds of a sample, and beyond which nobody hears


@dataclass(frozen=True)
class Tape:
    """All that left a card's loudspeaker."""

    card: Card
    raw: bytes
    format: Format
    channels: int
    rate: int

    @classmethod
    def of(cls, card: Card) -> Tape:
        """Until now. Raises StateError when nothing was configured to be played."""
        return cls(card, *card._tape())  # noqa: SLF001 -- played(), with what it is

    @property
    def units(self) -> bool:
        """Whether its samples can be compared as they are."""
        return not self.format.dtype.shape

    def samples(self, exact: bool) -> Floats:
        """(frames, channels), as they are or as fractions of full scale."""
        own = array_of(self.raw, self.format, self.channels)
        if exact:
            return own.astype(np.float64)
        out = np.empty(own.shape[:2], np.float64)
        _, converter = conversion("f8", self.format, dither=False, capture=True)
        convert(converter, out, own, 0)
        return out

    def silent(self, exact: bool) -> float:
        """What a silent sample is."""
        return float(np.frombuffer(self.format.silence, self.format.dtype)[0]) if exact else 0.0

    def compared(self, expected: npt.ArrayLike) -> tuple[Floats, bool, float]:
        """What was expected, whether it is as the card holds it, and the error that rounding excuses.

        Raises ArgumentError for a shape or dtype that cannot be compared.
        """
        array = np.asarray(expected)
        own = self.format.dtype
        if array.ndim == 1 + len(own.shape) and self.channels == 1 and array.shape[1:] == own.shape:
            array = array[:, None]
        if own.shape and array.dtype == own.base and array.shape[1:] == (self.channels, *own.shape):
            return replace(self, raw=array.tobytes()).samples(exact=False), False, 0
        if array.shape[1:] != (self.channels,):
            raise errors.ArgumentError(
                f"expected has the shape {array.shape}; {self.card.device} played {self.channels} channels of "
                f"{self.format}"
            )
        if array.dtype == own:
            return array.astype(np.float64), True, 0
        if array.dtype.kind not in "if":
            raise errors.ArgumentError(f"expected is of {array.dtype}; {self.card.device} played {self.format}")
        bits = min(self.format.width, _FLOAT_BITS)
        return fractions_of(array), False, 2.0 ** (1 - bits)
