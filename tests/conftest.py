"""What all suites are asked with."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """The devices: software cards by default, the lab's real ones in its guests."""
    parser.addoption("--devices", default="", help="the devices to hold the contract against (comma-separated)")
