"""The cases of this folder run in a lab guest, on its devices (its devices.json) or those of ``--devices``.

A fault's case (test_faults*.py) is about a ``place`` and, where it is about a stream, a ``road``: see faultkit.py.
"""

from __future__ import annotations

import json
import os
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.kernel import faultkit
from tests.kernel.faultphases import pairs_for
from tests.kernel.faultroads import ROADS
from tests.reliability import figures

Facts = dict[str, Any]
_STATUS = pytest.StashKey[int]()
_THIN = 7
"""Of each device's faults every so manieth is run without an option. No multiple of how many roads or phases there
are, so that in turn each of them meets some fault, and each fault some road."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--each-fault", action="store_true", help="each fault on the devices that it means most on")
    parser.addoption("--all-faults", action="store_true", help="each fault on every device")
    parser.addoption("--table", default="faults", help="the name of the table of faults that is kept")


def pytest_unconfigure(config: pytest.Config) -> None:
    """A guest that has slept: its root answers nobody, so that no process that has a file of it open can even end."""
    if os.environ.get("LAB_SLEEPS"):
        print(f"lab: status {int(config.stash[_STATUS])}", flush=True)
        Path("/proc/sysrq-trigger").write_text("o")
        time.sleep(60)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    session.config.stash[_STATUS] = exitstatus


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> pytest.TestReport | None:
    """In a guest that has slept no source can be read for a traceback, not even looked for: lines alone."""
    if not os.environ.get("LAB_SLEEPS") or call.excinfo is None or call.excinfo.errisinstance(pytest.skip.Exception):
        return None
    places = traceback.StackSummary.extract(traceback.walk_tb(call.excinfo.tb), lookup_lines=False)
    lines = [f"{place.filename}:{place.lineno}: in {place.name}" for place in places if "/tests/" in place.filename]
    told = "\n".join([*lines, call.excinfo.exconly()])
    print(f"{item.nodeid}: {told}", flush=True)
    assert call.when != "collect"
    return pytest.TestReport(item.nodeid, item.location, {}, "failed", told, call.when)


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
    if what == "interleaved":
        return (
            facts["playback"] is not None and "speaker" not in facts and not facts["playback"].endswith("Dummy,DEV=1")
        )
    return facts.get(what) is not None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    wanted = [mark.args[0] for mark in metafunc.definition.iter_markers("needs")]
    if "device" in metafunc.fixturenames:
        devices = _devices(metafunc.config)
        chosen = {name: facts for name, facts in devices.items() if all(_fits(facts, what) for what in wanted)}
        metafunc.parametrize("device", list(chosen.values()), ids=list(chosen))
    if "mode" in metafunc.fixturenames:
        metafunc.parametrize("mode", [[], ["--sync-ptr"]], ids=["own", "forced"])
    if "place" in metafunc.fixturenames:
        _generate_faults(metafunc, [*wanted, "interleaved"])


def _generate_faults(metafunc: pytest.Metafunc, wanted: list[str]) -> None:
    """Without --all-faults only the devices that the case's ``shown`` mark names."""
    places = [
        faultkit.Place.of_lab(name, facts)
        for name, facts in _devices(metafunc.config).items()
        if all(_fits(facts, what) for what in wanted)
    ]
    shown = metafunc.definition.get_closest_marker("shown")
    if shown is not None and not metafunc.config.getoption("--all-faults"):
        places = [place for place in places if place.name in shown.args]
    metafunc.parametrize("place", places, ids=[place.name for place in places])
    if "way" in metafunc.fixturenames:
        metafunc.parametrize(("way", "phase"), pairs_for(metafunc.definition))
    if "road" in metafunc.fixturenames:
        roads = metafunc.definition.get_closest_marker("roads")
        metafunc.parametrize("road", list(ROADS) if roads is None else roads.args)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A case for which no device was left is no case here; pytest would show it as skipped."""
    empty = [item for item in items if any("empty parameter set" in str(mark) for mark in item.iter_markers("skip"))]
    if not config.getoption("--all-faults") and not config.getoption("--each-fault"):
        met: Counter[str] = Counter()
        for item in items:
            if item not in empty and isinstance(item, pytest.Function) and "place" in item.fixturenames:
                place = item.callspec.params["place"]
                assert isinstance(place, faultkit.Place)
                if met[place.name] % _THIN:
                    empty.append(item)
                met[place.name] += 1
    config.hook.pytest_deselected(items=empty)
    items[:] = [item for item in items if item not in empty]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Keep the table of what happened; a guest that has slept can only say it."""
    if not faultkit.ROWS:
        return
    whole = config.getoption("--all-faults") or config.getoption("--each-fault")
    command = "make faults" if whole else "make lab-faults FIGURES=--figures"
    path = figures.keep(str(config.getoption("--table")), command, {"cases": len(faultkit.ROWS)}, faultkit.ROWS)
    if os.environ.get("LAB_SLEEPS"):
        terminalreporter.write_line(f"lab: figures {path.name} {json.dumps(json.loads(path.read_text()))}")
