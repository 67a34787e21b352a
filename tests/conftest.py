"""What all suites are asked with."""

from __future__ import annotations

import gc
import signal

import pytest

# A shell that starts us in the background has Ctrl-C ignored, nohup SIGHUP, and so would every command that is tried.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_addoption(parser: pytest.Parser) -> None:
    """The devices: software cards by default, the lab's real ones in its guests."""
    parser.addoption("--devices", default="", help="the devices to hold the contract against (comma-separated)")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """What the suite itself holds is no garbage of a case's: to look through it takes a second, ten rings' time."""
    gc.freeze()
