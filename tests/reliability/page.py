"""docs/reliability.md: what is promised, how each promise is tested, and what the last runs came to."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.reliability.figures import FOLDER
from tests.reliability.promises import PROMISES, RUNS, Promise

__all__ = ["PAGE", "render"]

PAGE = FOLDER.parent / "reliability.md"

_HEAD = """# Reliability

What is promised, the tests that hold it, and what the long runs behind them came to. `make test` runs those tests,
some of them for a shorter time or in fewer cases; the long runs are for a night, by `make reliability`, which writes
this page: do not edit it.

| promise | held by | long run |
| --- | --- | --- |
"""


@dataclass(frozen=True)
class Run:
    """What a long run wrote: see figures.keep()."""

    name: str
    command: str
    date: str
    where: str
    figures: dict[str, str | int | float]
    rows: list[dict[str, str]]

    @classmethod
    def read(cls, path: Path) -> Run:
        found = json.loads(path.read_text())
        rows = [{key: str(value) for key, value in row.items()} for row in found.pop("rows")]
        return cls(path.stem, rows=rows, **found)

    def render(self) -> str:
        lines = [f"## {self.name}", "", RUNS[self.name], "", f"`{self.command}`, {self.date}, on {self.where}.", ""]
        if self.figures:
            lines += _table([{"figure": name, "value": _number(value)} for name, value in self.figures.items()])
        if self.rows:
            lines += _table(_by_outcome(self.rows) if "outcome" in self.rows[0] else self.rows)
        return "\n".join(lines)


def _by_outcome(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """A row for what came of a fault, and on which roads and devices: the figures' files have one for each case."""
    groups: dict[tuple[str, str], list[dict[str, str]]] = {}
    for row in sorted(rows, key=lambda row: row["fault"]):
        groups.setdefault((row["fault"], row["outcome"]), []).append(row)
    made = []
    for (fault, outcome), group in groups.items():
        after = [float(row["buffers"]) for row in group]
        made.append(
            {
                "fault": fault,
                "outcome": outcome,
                "roads": _names(group, "road"),
                "devices": _names(group, "device"),
                "cases": str(len(group)),
                "buffers": f"{max(0.0, min(after)):.2f} to {max(0.0, *after):.2f}",
            }
        )
    return made


def _names(rows: list[dict[str, str]], column: str) -> str:
    return ", ".join(dict.fromkeys(row[column] for row in rows))


def _number(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def _table(rows: list[dict[str, str]]) -> list[str]:
    columns = list(dict.fromkeys(column for row in rows for column in row))
    cells = [[row.get(column, "").replace("|", "\\|") for column in columns] for row in rows]
    return [
        f"| {' | '.join(columns)} |",
        f"|{' --- |' * len(columns)}",
        *(f"| {' | '.join(row)} |" for row in cells),
        "",
    ]


def _anchor(heading: str) -> str:
    """As Markdown's readers make them."""
    return heading.replace(".", "")


def _promise(promise: Promise, runs: dict[str, Run]) -> str:
    tests = ", ".join(f"`{path}`" for path in promise.tests)
    long = ", ".join(f"[{name}](#{_anchor(name)})" if name in runs else f"{name}: not yet" for name in promise.runs)
    return f"| {promise.text} | {tests} | {long} |\n"


def render() -> str:
    """The page."""
    runs = {run.name: run for run in map(Run.read, sorted(FOLDER.glob("*.json")))}
    table = "".join(_promise(promise, runs) for promise in PROMISES)
    return _HEAD + table + "\n" + "\n".join(run.render() for run in runs.values())
