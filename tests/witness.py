"""Whether the machine itself stood still: what a case about time needs to know before it blames what it tries.

``pytest -p tests.witness``. A process that does nothing but sleep, on each processor, tells when it was woken late, for
one may be taken away without the others. A case that failed while it was is tried again, twice at most, and shown as
RERUN, with how late; one that failed while it was not has failed. For a virtual machine that is taken off its
processors for a tenth of a second lets a ring run dry that lasts so long, whoever serves it. Not for guests whose time
counts instructions: there nobody is late.

pytest-rerunfailures would try a case again that ended the process, a crash of our C: that must fail, at once.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Generator
from typing import Any

import pytest
from _pytest.runner import runtestprotocol

LATE = 0.01
"""Seconds. A quarter of what the shortest of these cases' rings holds once a block was written."""
_TRIES = 3

SLEEPER = f"""
import os, sys, threading, time

def watch(processor):
    os.sched_setaffinity(0, {{processor}})
    while True:
        due = time.monotonic() + {LATE / 2}
        time.sleep({LATE / 2})
        if (late := time.monotonic() - due) > {LATE}:
            os.write(1, f"{{time.monotonic()}} {{late}}\\n".encode())

for processor in os.sched_getaffinity(0):
    threading.Thread(target=watch, args=[processor], daemon=True).start()
sys.stdin.read()  # until whom it works for has ended
"""


class _Witness:
    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-ISc", SLEEPER], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._process.stdout is not None
        self._fd = self._process.stdout.fileno()
        os.set_blocking(self._fd, False)
        self._said = ""

    def late_since(self, begun: float) -> float:
        """Seconds that the sleeper was late by, at most, since ``time.monotonic()`` was that."""
        time.sleep(4 * LATE)  # it may be as late as we were
        assert self._process.poll() is None, "the witness has ended"
        with contextlib.suppress(BlockingIOError):
            while said := os.read(self._fd, 1 << 16):
                self._said += said.decode()
        *lines, self._said = self._said.split("\n")
        moments = [tuple(map(float, line.split())) for line in lines]
        return max((late for moment, late in moments if moment > begun), default=0.0)

    def end(self) -> None:
        """No more cases."""
        self._process.communicate()


_WITNESS = pytest.StashKey[_Witness]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_WITNESS] = _Witness()


def pytest_unconfigure(config: pytest.Config) -> None:
    config.stash[_WITNESS].end()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool:
    """As pytest's own, which it stands before."""
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for left in reversed(range(_TRIES)):
        begun = time.monotonic()
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
        failed = next((report for report in reports if report.failed), None)
        if failed is not None and left and (late := item.config.stash[_WITNESS].late_since(begun)):
            vars(failed)["outcome"] = "rerun"  # as pytest-rerunfailures says, by a word that pytest's types do not know
            failed.user_properties.append(("late", f"{late * 1000:.0f} ms"))
            reports = [failed]
        for report in reports:
            item.ihook.pytest_runtest_logreport(report=report)
        if failed is None or failed.outcome == "failed":
            break
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


@pytest.hookimpl(hookwrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, Any, None]:
    """A case that interrupts itself, and too late, fails; it does not end all the others of pytest-xdist's as well."""
    outcome = yield
    interrupted = outcome.excinfo is not None and issubclass(outcome.excinfo[0], KeyboardInterrupt)
    if interrupted and hasattr(pyfuncitem.config, "workerinput"):
        outcome.force_exception(AssertionError("a KeyboardInterrupt came when nothing waited for it"))


def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, tuple[str, dict[str, bool]]] | None:
    if str(report.outcome) == "rerun":
        return "rerun", "R", ("RERUN", {"yellow": True})
    return None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What was tried again, so that one that comes often is seen."""
    for report in terminalreporter.stats.get("rerun", []):
        late = dict(report.user_properties)["late"]
        terminalreporter.section(f"tried again, for the machine stood still for {late}: {report.nodeid}", yellow=True)
        terminalreporter.write_line(str(report.longrepr))
