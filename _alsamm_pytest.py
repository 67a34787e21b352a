"""alsamm's pytest plugin: software cards for tests. Documented in alsamm.testing.

Outside the package, so that a run which asks for no card does not import alsamm, numpy or libasound.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from alsamm.sim import Card


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known to --strict-markers."""
    config.addinivalue_line("markers", "alsa_card(**options): options of alsamm.sim.Card for the fixture alsa_card")


@pytest.fixture
def make_alsa_card() -> Iterator[Callable[..., Card]]:
    """A function that makes alsamm sound cards in software, closed when the test ends.

    Its arguments are those of alsamm.sim.Card, without a name, and clock="auto" where nothing else is said.
    """
    from alsamm.testing import making_cards  # noqa: PLC0415 -- see above

    with making_cards() as make:
        yield make


@pytest.fixture
def alsa_card(request: pytest.FixtureRequest, make_alsa_card: Callable[..., Card]) -> Card:
    """An alsamm sound card in software (alsamm.sim.Card): open alsa_card.device, or a name that it stands in for.

    Options by @pytest.mark.alsa_card(refuse_control=True, stands_in_for=["default"]), as make_alsa_card takes them.
    """
    marker: Any = request.node.get_closest_marker("alsa_card")  # pyright: ignore[reportUnknownMemberType] -- Node
    return make_alsa_card(*marker.args, **marker.kwargs) if marker else make_alsa_card()
