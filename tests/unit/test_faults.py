"""The faults that a software card can show too, by the cases that the lab holds against real ones (tests/kernel)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from alsamm import sim
from tests.kernel.faultkit import Place
from tests.kernel.faultphases import pairs_for
from tests.kernel.faultroads import ROADS
from tests.kernel.test_faults_close import test_capture_closed_by_another_thread, test_closed_by_another_thread
from tests.kernel.test_faults_process import (
    test_descriptor_closed_behind_our_back,
    test_forked,
    test_out_of_descriptors,
    test_out_of_descriptors_while_it_runs,
)
from tests.kernel.test_faults_signals import test_a_storm_of_signals
from tests.kernel.test_faults_starved import (
    test_not_emptied,
    test_starved_and_gone_on,
    test_starved_and_told,
    test_starved_before_a_drain,
    test_starved_before_the_start,
)

__all__ = [
    "test_a_storm_of_signals",
    "test_capture_closed_by_another_thread",
    "test_closed_by_another_thread",
    "test_descriptor_closed_behind_our_back",
    "test_forked",
    "test_not_emptied",
    "test_out_of_descriptors",
    "test_out_of_descriptors_while_it_runs",
    "test_starved_and_gone_on",
    "test_starved_and_told",
    "test_starved_before_a_drain",
    "test_starved_before_the_start",
]

HERE = ("mapped", "asyncio", "C callback")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """As the lab's conftest.py, by the roads that differ most: the lab has them all."""
    if "way" in metafunc.fixturenames:
        metafunc.parametrize(("way", "phase"), [pair for pair in pairs_for(metafunc.definition) if pair[0] in HERE])
    if "road" in metafunc.fixturenames:
        marked = metafunc.definition.get_closest_marker("roads")
        roads = list(ROADS) if marked is None else marked.args
        metafunc.parametrize("road", [road for road in roads if road in HERE])


@pytest.fixture
def place() -> Iterator[Place]:
    with sim.Card("faults", clock="realtime") as card:
        made = Place("sim", card.device, card.device, software=card)
        made.plays()  # its tape is kept from now on
        yield made
