"""Software cards of a test's own."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from typing import Any

from alsamm.sim import Card

__all__ = ["making_cards"]

_numbers = itertools.count(1)


@contextmanager
def making_cards() -> Generator[Callable[..., Card]]:
    """Give a function that makes software cards, which are closed when the ``with`` ends; for those without pytest.

    It takes the options of alsamm.sim.Card, and gives names by itself; its clock is ``"auto"`` by default.
    """
    with ExitStack() as stack:

        def make(**options: Any) -> Card:
            arguments: dict[str, Any] = {"name": f"test{next(_numbers)}", "clock": "auto", **options}
            card = Card(**arguments)
            stack.callback(card.close)
            return card

        yield make
