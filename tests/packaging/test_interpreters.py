"""One wheel on every CPython here: installed without a compiler, away from the checkout, and run."""

from __future__ import annotations

import os
import re

import pytest

from tests.packaging.conftest import Tried
from tests.packaging.places import ROOT_PYTHON
from tests.packaging.trial import CLAIMED, FOUND, TRIALS


@pytest.mark.parametrize("name", TRIALS)
def test_what_is_installed_runs(name: str, tried: Tried, capsys: pytest.CaptureFixture[str]) -> None:
    report = tried(name)
    with capsys.disabled():
        print(f"\n{report.place}: {report.smoke}; {report.suite}")
    passed = re.search(r"(\d+) passed", report.suite)
    assert passed
    assert int(passed[1]) > 100
    assert "failed" not in report.suite


@pytest.mark.parametrize("version", CLAIMED)
def test_every_python_that_the_package_claims_is_tried(version: str) -> None:
    if version in FOUND or version == ROOT_PYTHON:
        return
    missing = f"NO PYTHON {version} on this machine: pyenv install {version}, or name it in ALSAMM_PYTHONS"
    if os.environ.get("CI") == "true":
        pytest.fail(missing)
    pytest.skip(missing)


def test_free_threaded_python_is_looked_for() -> None:
    if not any(python.free_threaded for python in FOUND.values()):
        pytest.skip("NO FREE-THREADED PYTHON on this machine: name one in ALSAMM_PYTHONS to build and try its wheel")
