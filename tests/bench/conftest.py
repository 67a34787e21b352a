"""The rings of the suites; none needs a card."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.bench import null
from tests.bench.stage import Stage

null.configure()


@pytest.fixture
def stage() -> Iterator[Stage]:
    """Stereo int16."""
    with Stage() as made:
        yield made
