"""docs/reliability.md is what the long runs wrote, and what it names is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.reliability.figures import FOLDER
from tests.reliability.page import PAGE, render
from tests.reliability.promises import PROMISES, RUNS

_ROOT = Path(__file__).parents[2]


def test_the_page_is_that_of_the_figures() -> None:
    assert PAGE.read_text() == render(), "python -m tests.reliability writes it anew"


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.text[:40])
def test_a_promise_names_what_there_is(promise: object) -> None:
    assert isinstance(promise, type(PROMISES[0]))
    assert promise.tests
    assert [path for path in promise.tests if not (_ROOT / path).exists()] == []


def test_every_run_backs_a_promise() -> None:
    named = {run for promise in PROMISES for run in promise.runs}
    assert {path.stem for path in FOLDER.glob("*.json")} <= named
    assert named == set(RUNS)


def test_a_run_that_was_not_made_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A link that is left out looks as if there were no such run."""
    monkeypatch.setattr("tests.reliability.page.FOLDER", tmp_path)
    told = render()
    assert [name for name in RUNS if f"{name}: not yet" not in told] == []
