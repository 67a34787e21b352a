"""Figures of a run that backs a promise of docs/reliability.md, kept beside it and written by the run itself."""

from __future__ import annotations

import datetime as dt
import json
import os
import platform
from collections.abc import Mapping
from pathlib import Path

__all__ = ["FOLDER", "keep"]

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "reliability"
_TABLE = Mapping[str, str | int | float]


def keep(name: str, command: str, figures: _TABLE, rows: list[dict[str, str]] | None = None) -> Path:
    """Write what a run of ``command`` came to: ``figures`` by their names, and a table's ``rows`` if it has one.

    ALSAMM_FIGURES names another folder than docs/reliability, such as the one that a guest of the lab hands back.
    """
    folder = Path(os.environ.get("ALSAMM_FIGURES", FOLDER))
    folder.mkdir(parents=True, exist_ok=True)
    kernel = os.uname()
    found = {
        "command": command,
        "date": dt.datetime.now(dt.timezone.utc).strftime("%Y-%m-%d"),
        "where": f"{kernel.sysname} {kernel.release} {kernel.machine}, Python {platform.python_version()}",
        "figures": dict(figures),
        "rows": rows or [],
    }
    path = folder / f"{name}.json"
    path.write_text(json.dumps(found, indent=2) + "\n")
    return path
