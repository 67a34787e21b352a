"""The cases of this folder run in a lab guest, on its devices (its devices.json) or those of ``--devices``."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

Facts = dict[str, Any]


def _devices(config: pytest.Config) -> dict[str, Facts]:
    path = os.environ.get("ALSAMM_LAB_DEVICES")
    if path is None:
        pytest.exit("tests/kernel runs in a lab guest: python -m tests.kernel", returncode=3)
    known: dict[str, Facts] = json.loads(Path(path).read_text())
    asked = str(config.getoption("--devices", default="")).split(",")
    return {name: facts for name, facts in known.items() if name in asked} or known


def _fits(facts: Facts, what: str) -> bool:
    if what == "loop":
        return bool(facts["driver"] == "snd-aloop")
    if what == "timer":  # whose clock is a timer of the kernel's
        return bool(facts["driver"] == "snd-dummy")
    return facts.get(what) is not None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "device" in metafunc.fixturenames:
        wanted = [mark.args[0] for mark in metafunc.definition.iter_markers("needs")]
        devices = _devices(metafunc.config)
        chosen = {name: facts for name, facts in devices.items() if all(_fits(facts, what) for what in wanted)}
        metafunc.parametrize("device", list(chosen.values()), ids=list(chosen))
    if "mode" in metafunc.fixturenames:
        metafunc.parametrize("mode", [[], ["--sync-ptr"]], ids=["own", "forced"])
