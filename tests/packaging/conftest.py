"""Every place is made once, two at a time, while the tests wait for what came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.packaging import trial

Tried = Callable[[str], trial.Report]


@pytest.fixture(scope="session")
def tried(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tried]:
    """What came of a trial, by its name; those that were chosen have all been started."""
    parameters = [getattr(item, "callspec", None) for item in request.session.items]
    names = [each.params.get("name") for each in parameters if each is not None]
    chosen = list(dict.fromkeys(name for name in names if name in trial.TRIALS))
    with ThreadPoolExecutor(2) as pool:
        running = {name: pool.submit(trial.TRIALS[name], Path(tmp_path_factory.mktemp(name))) for name in chosen}
        yield lambda name: running[name].result()
